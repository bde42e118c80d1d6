// Reads GGUF version 2 and 3 from bytes that the caller holds, e.g. a mapped_file. Every number is checked before it is used, every
// count against the bytes that are left before memory is taken. Time and memory are linear in the size of the header.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/gguf/signature.hpp"
#include "nibble/gguf/tensor_info.hpp"
#include "nibble/gguf/text.hpp"
#include "nibble/gguf/value.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

using file::growing;
using file::name_table;

/// What a reader accepts.
struct read_options {
    /// Refuse what the specification or ggml refuses, instead of what cannot be read safely: keys that are not printable ASCII, text
    /// that is not UTF-8, bools that are neither 0 nor 1, alignments below 8, tensors out of order, gaps between them, padding that is
    /// not zero, bytes after the last tensor.
    bool strict = false;
    std::uint64_t max_metadata = 1'000'000;  ///< more entries are errc::count_too_large
    std::uint64_t max_tensors = 1'000'000;   ///< more tensors are errc::count_too_large
};

/// Oddities that a reader accepted because it was not strict.
struct read_notes {
    std::uint64_t odd_keys = 0;        ///< keys with control characters, spaces or bytes that are not ASCII
    std::uint64_t invalid_utf8 = 0;    ///< tensor names, strings, and strings in arrays, that are not UTF-8
    std::uint64_t odd_bools = 0;       ///< bools that are neither 0 nor 1; they read as true
    std::uint64_t gap_bytes = 0;       ///< bytes of the data section before and between tensors that are more than padding
    std::uint64_t trailing_bytes = 0;  ///< bytes after the last tensor and its padding
    bool out_of_order = false;         ///< data lies in another order than the list of tensors
    bool unpadded_end = false;         ///< the padding after the last tensor is missing; strict accepts this too
};

/// A key of the metadata and its value.
struct metadata_entry {
    std::string_view key{};  ///< as the file spells it
    value_view value{};      ///< a view into the file
};

/// What a GGUF file says about itself. It owns its two lists; names, values and tensor data are views into the file's bytes, which must
/// outlive the reader. Names and keys may hold any bytes: escape them before they reach a terminal, and never use them as paths.
class reader {
    // Deduced types must be known before their use.
    NIBBLE_INLINE auto key_at() const noexcept {
        return [this](std::size_t i) noexcept { return metadata_[i].key; };
    }
    NIBBLE_INLINE auto name_at() const noexcept {
        return [this](std::size_t i) noexcept { return tensors_[i].name; };
    }

public:
    /// Checks the whole file but the tensors' data.
    /// @return error() says what is wrong and where() at which byte: errc::truncated, bad_magic, unsupported_version,
    ///         endianness_mismatch, count_too_large, bad_string, bad_utf8, duplicate_key, bad_type, unsupported_nesting, bad_alignment,
    ///         bad_shape, shape_overflow, unsupported_type, bad_offset, out_of_memory
    static result<reader> open(std::span<const std::byte> file, read_options options = {}) noexcept {
        reader r;
        r.file_ = file;
        r.strict_ = options.strict;
        if (const status s = r.read_counts(options); !s) return s;
        if (const status s = r.read_metadata(); !s) return s;
        if (const status s = r.read_tensors(); !s) return s;
        if (const status s = r.place_tensors(); !s) return s;
        return result<reader>(std::move(r));
    }

    /// 2 or 3.
    NIBBLE_INLINE std::uint32_t version() const noexcept { return version_; }
    /// Bytes that tensors are aligned to: `general.alignment`, or 32.
    NIBBLE_INLINE std::uint64_t alignment() const noexcept { return alignment_; }
    /// All keys and values in the order of the file.
    NIBBLE_INLINE std::span<const metadata_entry> metadata() const noexcept { return metadata_.view(); }
    /// All tensors in the order of the file.
    NIBBLE_INLINE std::span<const tensor_info> tensors() const noexcept { return tensors_.view(); }
    /// Byte offset of the data section, which tensor_info::offset counts from.
    NIBBLE_INLINE std::uint64_t data_offset() const noexcept { return data_offset_; }
    /// What was odd about the file.
    NIBBLE_INLINE const read_notes& notes() const noexcept { return notes_; }

    /// The value of a key, or nullptr. Constant time; valid as long as the reader.
    const value_view* find(std::string_view key) const noexcept {
        const std::size_t at = keys_.find(key, key_at());
        return at == name_table::none ? nullptr : &metadata_[at].value;
    }
    /// The tensor of that name, or nullptr. Constant time; valid as long as the reader.
    const tensor_info* find_tensor(std::string_view name) const noexcept {
        const std::size_t at = names_.find(name, name_at());
        return at == name_table::none ? nullptr : &tensors_[at];
    }

private:
    static constexpr std::uint64_t smallest_entry = 13;   // empty key, type, one byte
    static constexpr std::uint64_t smallest_tensor = 24;  // empty name, no dimension, type, offset

    struct extent {
        std::uint64_t begin, end;
    };

    NIBBLE_INLINE std::uint64_t left() const noexcept { return file_.size() - at_; }
    NIBBLE_INLINE std::span<const std::byte> rest() const noexcept { return file_.subspan(at_); }

    template <class T>
    NIBBLE_INLINE bool number(T& value) noexcept {
        if (left() < sizeof(T)) return false;
        value = load<T>(file_.data() + at_);
        at_ += sizeof(T);
        return true;
    }
    NIBBLE_INLINE status truncated() const noexcept { return {errc::truncated, "the file ends within its header: it is truncated", at_}; }

    /// A length and that many bytes.
    status text(std::string_view& value, std::uint64_t longest, std::string_view refusal) noexcept {
        const std::uint64_t start = at_;
        std::uint64_t length = 0;
        if (!number(length)) return truncated();
        if (length == 0 || length > longest) return {errc::bad_string, refusal, start};
        if (length > left()) return {errc::bad_string, "a name is longer than the rest of the file: it is damaged or truncated", start};
        value = {reinterpret_cast<const char*>(file_.data() + at_), static_cast<std::size_t>(length)};
        at_ += static_cast<std::size_t>(length);
        return {};
    }

    status read_counts(const read_options& options) noexcept {
        if (const status s = check_signature(file_); !s) return s;
        at_ = 4;
        number(version_);
        if (version_ != 0 && (version_ & 0xFFFFu) == 0) {
            return {errc::endianness_mismatch, "a big-endian GGUF file: convert it on the kind of machine that wrote it", 4};
        }
        if (version_ != 2 && version_ != 3) {
            return {errc::unsupported_version, "a GGUF version other than 2 and 3: convert the file with a current tool", 4};
        }
        number(tensor_count_);
        number(metadata_count_);
        if (tensor_count_ > left() / smallest_tensor) {
            return {errc::count_too_large, "more tensors than the file has room for: it is damaged or truncated", 8};
        }
        if (metadata_count_ > left() / smallest_entry) {
            return {errc::count_too_large, "more metadata entries than the file has room for: it is damaged or truncated", 16};
        }
        if (tensor_count_ > options.max_tensors) return {errc::count_too_large, "more tensors than read_options::max_tensors allows", 8};
        if (metadata_count_ > options.max_metadata) {
            return {errc::count_too_large, "more metadata entries than read_options::max_metadata allows", 16};
        }
        const auto entries = static_cast<std::size_t>(metadata_count_), tensors = static_cast<std::size_t>(tensor_count_);
        const bool room = metadata_.reserve(entries) && keys_.reserve(entries) && tensors_.reserve(tensors) && names_.reserve(tensors);
        return room ? status() : status(errc::out_of_memory, "no memory for the list of tensors and metadata");
    }

    status read_metadata() noexcept {
        for (std::uint64_t i = 0; i < metadata_count_; ++i) {
            const std::uint64_t start = at_;
            metadata_entry entry;
            if (const status s = text(entry.key, longest_key, "a metadata key is empty or longer than 65535 bytes: the file is damaged");
                !s) {
                return s;
            }
            if (!is_plain_text(entry.key)) {
                if (strict_) return {errc::bad_string, "a metadata key is not printable ASCII", start};
                ++notes_.odd_keys;
            }
            if (keys_.find(entry.key, key_at()) != name_table::none) return {errc::duplicate_key, "a metadata key occurs twice", start};
            std::uint32_t type = 0;
            if (!number(type)) return truncated();
            const std::uint64_t value_at = at_;
            const auto value = value_view::parse(type, rest(), value_at);
            if (!value) return value.status();
            entry.value = *value;
            at_ += entry.value.raw().size();
            if (const status s = check_content(entry.value, value_at); !s) return s;
            if (entry.key == alignment_key) {
                if (entry.value.type() != value_type::uint32) return {errc::bad_type, "general.alignment must be of type uint32", value_at};
                alignment_ = *entry.value.as_u64();
                if (!is_alignment(alignment_, strict_ ? smallest_alignment : 1)) {
                    return {errc::bad_alignment, "general.alignment must be a power of two, at most 2^20 and, if strict, at least 8",
                            value_at};
                }
            }
            keys_.insert(entry.key, metadata_.size(), key_at());
            metadata_.push(entry);
        }
        return {};
    }

    /// Texts that are UTF-8, bools that are 0 or 1.
    status check_content(const value_view& value, std::uint64_t where) noexcept {
        if (value.is_array()) {
            if (value.element_type() != value_type::string && value.element_type() != value_type::boolean) return {};
            for (const value_view element : value) {
                if (const status s = check_content(element, where); !s) return s;
            }
        } else if (value.type() == value_type::string) {
            if (is_utf8(*value.as_string())) return {};
            if (strict_) return {errc::bad_utf8, "a string in the metadata is not UTF-8", where};
            ++notes_.invalid_utf8;
        } else if (value.type() == value_type::boolean) {
            if (value.raw()[0] <= std::byte{1}) return {};
            if (strict_) return {errc::bad_type, "a bool in the metadata is neither 0 nor 1", where};
            ++notes_.odd_bools;
        }
        return {};
    }

    status read_tensors() noexcept {
        for (std::uint64_t i = 0; i < tensor_count_; ++i) {
            const std::uint64_t start = at_;
            tensor_info info;
            if (const status s = text(info.name, longest_tensor_name, "a tensor name is empty or longer than 63 bytes"); !s) return s;
            const bool good_name = is_utf8(info.name);
            if (!good_name && strict_) return {errc::bad_utf8, "a tensor name is not UTF-8", start};
            notes_.invalid_utf8 += good_name ? 0 : 1;
            if (strict_ && info.name.find('\0') != std::string_view::npos)
                return {errc::bad_string, "a tensor name contains a zero byte", start};
            if (names_.find(info.name, name_at()) != name_table::none) return {errc::duplicate_key, "a tensor name occurs twice", start};

            if (!number(info.dims)) return truncated();
            if (info.dims > most_dims) return {errc::bad_shape, "a tensor has more than four dimensions", at_ - 4};
            const std::uint64_t shape_at = at_;
            for (std::uint32_t d = 0; d < info.dims; ++d) {
                if (!number(info.shape[d])) return truncated();
            }
            if (!number(info.type)) return truncated();
            if (!number(info.offset)) return truncated();
            const auto bytes = data_bytes(info.type, {info.shape.data(), most_dims}, shape_at);
            if (!bytes) return bytes.status();
            if (*bytes > static_cast<std::size_t>(-1)) return {errc::overflow, "a tensor is larger than the address space", shape_at};
            // The place is not known before the end of the header; until then only the length counts.
            info.data = {file_.data(), static_cast<std::size_t>(*bytes)};
            names_.insert(info.name, tensors_.size(), name_at());
            tensors_.push(info);
        }
        return {};
    }

    /// Gives every tensor its bytes, after checks that they are in the file, aligned and nobody else's.
    status place_tensors() noexcept {
        const std::uint64_t size = file_.size();
        data_offset_ = padded(at_, alignment_);
        if (data_offset_ > size) {
            if (tensor_count_ != 0) return {errc::truncated, "the file ends before its tensor data: it is truncated", size};
            data_offset_ = size;
        }
        if (const status s = check_padding(at_, data_offset_); !s) return s;
        const std::uint64_t room = size - data_offset_;
        growing<extent> extents;
        if (!extents.reserve(tensors_.size())) return {errc::out_of_memory, "no memory for the list of tensors"};

        std::uint64_t next = 0;  // where a file without gaps has the next tensor
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            tensor_info& info = tensors_[i];
            const std::uint64_t bytes = info.data.size();
            const std::uint64_t where = static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(info.name.data()) - file_.data());
            if (info.offset % alignment_ != 0) return {errc::bad_offset, "the data of a tensor is not aligned: the file is damaged", where};
            if (info.offset > room && info.offset != next) {
                return {errc::bad_offset, "the data of a tensor starts behind the end of the file: it is damaged or truncated", where};
            }
            if (info.offset != next && strict_) {
                return {errc::bad_offset, "the data of a tensor does not follow the one before it, with padding and without a gap", where};
            }
            if (bytes == 0) {
                info.data = {};
            } else if (info.offset > room || bytes > room - info.offset) {
                return {errc::truncated, "the file ends within the data of its tensors: it is truncated", where};
            } else {
                info.data = file_.subspan(static_cast<std::size_t>(data_offset_ + info.offset), static_cast<std::size_t>(bytes));
                notes_.out_of_order = notes_.out_of_order || (!extents.empty() && info.offset < extents[extents.size() - 1].begin);
                extents.push({info.offset, info.offset + bytes});
            }
            next = padded(info.offset + bytes, alignment_);
        }
        return check_extents(extents);
    }

    /// No overlap; and what lies between the tensors and after them.
    status check_extents(growing<extent>& extents) noexcept {
        if (notes_.out_of_order) {
            std::sort(extents.data(), extents.data() + extents.size(), [](const extent& a, const extent& b) { return a.begin < b.begin; });
        }
        std::uint64_t end = 0;
        for (const extent& e : extents.view()) {
            if (e.begin < end) return {errc::bad_offset, "two tensors share bytes: the file is damaged", data_offset_ + e.begin};
            const std::uint64_t expected = padded(end, alignment_);
            if (const status s = check_padding(data_offset_ + end, data_offset_ + expected); !s) return s;
            notes_.gap_bytes += e.begin - expected;
            end = e.end;
        }
        const std::uint64_t file_end = data_offset_ + padded(end, alignment_);
        notes_.unpadded_end = file_end > file_.size();
        if (notes_.unpadded_end) return {};
        if (const status s = check_padding(data_offset_ + end, file_end); !s) return s;
        notes_.trailing_bytes = file_.size() - file_end;
        if (notes_.trailing_bytes != 0 && strict_) return {errc::bad_offset, "the file goes on after its last tensor", file_end};
        return {};
    }

    /// If strict: only zeros between two places of the file.
    status check_padding(std::uint64_t from, std::uint64_t to) const noexcept {
        for (; strict_ && from < to; ++from) {
            if (file_[static_cast<std::size_t>(from)] != std::byte{0}) return {errc::bad_offset, "padding that is not zero", from};
        }
        return {};
    }

    std::span<const std::byte> file_{};
    std::size_t at_ = 0;
    std::uint64_t tensor_count_ = 0;
    std::uint64_t metadata_count_ = 0;
    std::uint64_t alignment_ = default_alignment;
    std::uint64_t data_offset_ = 0;
    growing<metadata_entry> metadata_;
    growing<tensor_info> tensors_;
    name_table keys_;
    name_table names_;
    read_notes notes_;
    std::uint32_t version_ = 0;
    bool strict_ = false;
};

}  // namespace gguf
NIBBLE_BASELINE_END
