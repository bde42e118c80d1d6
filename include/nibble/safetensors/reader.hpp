// Reads safetensors files from bytes that the caller holds, e.g. a file::mapped_file. What the format's specification forbids is
// refused, and what its own library lets pass too: keys that occur twice, unknown keys, numbers that are not plain integers.
// Shape, offsets and file size must agree for every tensor, and the tensors must cover the data section without gap or overlap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/safetensors/json.hpp"
#include "nibble/safetensors/tensor_info.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

using file::name_table;

/// What a reader accepts.
struct read_options {
    std::uint64_t max_header = largest_header;  ///< a longer header is errc::count_too_large
    std::uint64_t max_tensors = 1'000'000;      ///< more tensors are errc::count_too_large
    std::uint64_t max_metadata = 1'000'000;     ///< more metadata entries are errc::count_too_large
};

/// A text that the file carries along.
struct metadata_entry {
    std::string_view key{};    ///< as the file spells it, unescaped
    std::string_view value{};  ///< likewise
};

/// What a safetensors file says about itself. It owns its lists; tensor data are views into the file's bytes, which must outlive the
/// reader. Names and texts are UTF-8 but may hold any character: escape them before they reach a terminal, and never use them as paths.
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
    /// @return error() says what is wrong and where() at which byte: errc::truncated, bad_magic, count_too_large, bad_utf8, bad_json,
    ///         bad_string, duplicate_key, unsupported_type, bad_shape, shape_overflow, bad_offset, out_of_memory
    static result<reader> open(std::span<const std::byte> file, read_options options = {}) noexcept {
        reader r;
        r.file_ = file;
        r.options_ = options;
        if (const status s = r.find_header(); !s) return s;
        if (const status s = r.read_header(); !s) return s;
        if (const status s = r.place_tensors(); !s) return s;
        return result<reader>(std::move(r));
    }

    /// All tensors in the order of the header.
    NIBBLE_INLINE std::span<const tensor_info> tensors() const noexcept { return tensors_.view(); }
    /// The texts under `__metadata__` in the order of the file.
    NIBBLE_INLINE std::span<const metadata_entry> metadata() const noexcept { return metadata_.view(); }
    /// Byte offset of the data section, which tensor_info::offset counts from.
    NIBBLE_INLINE std::uint64_t data_offset() const noexcept { return header_end_; }

    /// The tensor of that name, or nullptr. Constant time; valid as long as the reader.
    const tensor_info* find_tensor(std::string_view name) const noexcept {
        const std::size_t at = names_.find(name, name_at());
        return at == name_table::none ? nullptr : &tensors_[at];
    }
    /// The text of a key, or nullptr. Constant time; valid as long as the reader.
    const std::string_view* find(std::string_view key) const noexcept {
        const std::size_t at = keys_.find(key, key_at());
        return at == name_table::none ? nullptr : &metadata_[at].value;
    }

private:
    static constexpr std::size_t length_bytes = 8;

    struct extent {
        std::uint64_t begin = 0, end = 0;
    };
    /// What the header says about a tensor that tensor_info does not.
    struct place {
        std::uint64_t where;  // byte of its name
        std::size_t rank;
    };

    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the list of tensors and metadata"}; }

    status find_header() noexcept {
        if (file_.size() < length_bytes) return {errc::truncated, "the file ends within its first 8 bytes: it is truncated", file_.size()};
        stored<std::uint64_t> length;
        __builtin_memcpy(length.bytes, file_.data(), sizeof(length));
        const bool starts_like_json = file_.size() > length_bytes && file_[length_bytes] == std::byte{'{'};
        if (!starts_like_json && file_.size() > length_bytes) {
            return {errc::bad_magic, "not a safetensors file: its header does not start with a brace", length_bytes};
        }
        if (length.get() > options_.max_header) return {errc::count_too_large, "the header is longer than read_options::max_header allows"};
        if (length.get() > file_.size() - length_bytes) return {errc::truncated, "the file ends within its header: it is truncated"};
        if (length.get() < 2) return {errc::bad_json, "the header is empty"};
        header_end_ = length_bytes + static_cast<std::size_t>(length.get());
        return {};
    }

    status read_header() noexcept {
        const auto* start = reinterpret_cast<const char*>(file_.data()) + length_bytes;
        json_cursor json({start, header_end_ - length_bytes}, unescaped_, length_bytes);
        if (const status s = json.check_utf8(); !s) return s;
        if (const status s = json.expect('{', "the header is not an object"); !s) return s;
        bool more = false, has_metadata = false;
        for (bool first = true;; first = false) {
            if (const status s = json.next('}', first, more); !s) return s;
            if (!more) return json.end(false);
            const std::uint64_t where = json.where();
            std::string_view name;
            if (const status s = json.key(name); !s) return s;
            if (name == metadata_name) {
                if (std::exchange(has_metadata, true)) return {errc::duplicate_key, "__metadata__ occurs twice", where};
                if (const status s = read_metadata(json); !s) return s;
            } else if (const status s = read_tensor(json, name, where); !s) {
                return s;
            }
        }
    }

    status read_metadata(json_cursor& json) noexcept {
        if (const status s = json.expect('{', "__metadata__ is not an object"); !s) return s;
        bool more = false;
        for (bool first = true;; first = false) {
            if (const status s = json.next('}', first, more); !s || !more) return s;
            const std::uint64_t where = json.where();
            metadata_entry entry;
            if (const status s = json.key(entry.key); !s) return s;
            if (entry.key.size() > longest_name) return {errc::bad_string, "a metadata key is longer than 64 KiB", where};
            if (keys_.find(entry.key, key_at()) != name_table::none) return {errc::duplicate_key, "a metadata key occurs twice", where};
            if (const status s = json.string(entry.value); !s) return s;
            if (metadata_.size() >= options_.max_metadata) {
                return {errc::count_too_large, "more metadata entries than read_options::max_metadata allows", where};
            }
            if (!keys_.reserve(metadata_.size() + 1)) return no_memory();
            keys_.insert(entry.key, metadata_.size(), key_at());
            if (!metadata_.push(entry)) return no_memory();
        }
    }

    status read_tensor(json_cursor& json, std::string_view name, std::uint64_t where) noexcept {
        if (name.size() > longest_name) return {errc::bad_string, "a tensor name is longer than 64 KiB", where};
        if (names_.find(name, name_at()) != name_table::none) return {errc::duplicate_key, "a tensor name occurs twice", where};
        if (tensors_.size() >= options_.max_tensors) {
            return {errc::count_too_large, "more tensors than read_options::max_tensors allows", where};
        }
        tensor_info info;
        info.name = name;
        extent range;
        const std::size_t first_dim = dims_.size();
        if (const status s = json.expect('{', "the description of a tensor is not an object"); !s) return s;
        constexpr std::string_view fields[] = {"dtype", "shape", "data_offsets"};
        bool more = false, seen[3] = {};
        for (bool first = true;; first = false) {
            if (const status s = json.next('}', first, more); !s) return s;
            if (!more) break;
            const std::uint64_t field_at = json.where();
            std::string_view key;
            if (const status s = json.key(key); !s) return s;
            std::size_t field = 0;
            while (field < 3 && fields[field] != key) ++field;
            if (field == 3) return {errc::bad_json, "the description of a tensor has a key that the format does not know", field_at};
            if (std::exchange(seen[field], true))
                return {errc::duplicate_key, "a key occurs twice in the description of a tensor", field_at};
            const status s = field == 0 ? read_type(json, info.type) : field == 1 ? read_shape(json) : read_offsets(json, range);
            if (!s) return s;
        }
        if (!seen[0] || !seen[1] || !seen[2]) return {errc::bad_json, "a tensor lacks its dtype, shape or data_offsets", where};

        const auto bytes = data_bytes(info.type, dims_.view().subspan(first_dim), where);
        if (!bytes) return bytes.status();
        if (*bytes != range.end - range.begin) {
            return {errc::bad_offset, "the data of a tensor is not as long as its type and shape say: the file is damaged", where};
        }
        info.offset = range.begin;
        info.data = file_.subspan(header_end_ + static_cast<std::size_t>(range.begin), static_cast<std::size_t>(*bytes));
        if (!names_.reserve(tensors_.size() + 1)) return no_memory();
        names_.insert(name, tensors_.size(), name_at());
        return tensors_.push(info) && places_.push({where, dims_.size() - first_dim}) ? status() : no_memory();
    }

    static status read_type(json_cursor& json, dtype& type) noexcept {
        const std::uint64_t where = json.where();
        std::string_view name;
        if (const status s = json.string(name); !s) return s;
        const auto found = find_dtype(name);
        if (!found) return {errc::unsupported_type, "a tensor has a dtype that the format does not know", where};
        type = *found;
        return {};
    }

    /// Calls keep(n) for each number of an array.
    template <class Keep>
    static status read_integers(json_cursor& json, const Keep& keep) noexcept {
        if (const status s = json.expect('[', "expected an array of numbers"); !s) return s;
        bool more = false;
        for (bool first = true;; first = false) {
            if (const status s = json.next(']', first, more); !s || !more) return s;
            std::uint64_t value = 0;
            if (const status s = json.integer(value); !s) return s;
            if (const status s = keep(value); !s) return s;
        }
    }
    status read_shape(json_cursor& json) noexcept {
        return read_integers(json, [&](std::uint64_t n) noexcept { return dims_.push(n) ? status() : no_memory(); });
    }
    status read_offsets(json_cursor& json, extent& range) noexcept {
        const std::uint64_t where = json.where();
        std::size_t count = 0;
        const status s = read_integers(json, [&](std::uint64_t n) noexcept {
            if (count < 2) (count == 0 ? range.begin : range.end) = n;
            ++count;
            return status();
        });
        if (!s) return s;
        if (count != 2) return {errc::bad_offset, "data_offsets must hold two numbers", where};
        if (range.begin > range.end) return {errc::bad_offset, "the data of a tensor ends before it starts: the file is damaged", where};
        if (range.end > file_.size() - header_end_) {
            return {errc::truncated, "the file ends within the data of its tensors: it is damaged or truncated", where};
        }
        return {};
    }

    /// Gives every tensor its shape, now that the list of dimensions stays where it is, and checks that the tensors follow one another.
    status place_tensors() noexcept {
        growing<std::size_t> order;
        if (!order.reserve(tensors_.size())) return no_memory();
        bool in_order = true;
        std::size_t dim = 0;
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            tensors_[i].shape = dims_.view().subspan(dim, places_[i].rank);
            dim += places_[i].rank;
            in_order = in_order && (i == 0 || !before(tensors_[i], tensors_[i - 1]));
            order.push(i);
        }
        if (!in_order) {
            std::sort(order.data(), order.data() + order.size(),
                      [this](std::size_t a, std::size_t b) noexcept { return before(tensors_[a], tensors_[b]); });
        }
        std::uint64_t end = 0;
        for (const std::size_t i : order.view()) {
            const std::uint64_t begin = tensors_[i].offset, where = places_[i].where;
            if (begin < end) return {errc::bad_offset, "two tensors share bytes: the file is damaged", where};
            if (begin > end) return {errc::bad_offset, "bytes before the data of a tensor belong to nobody: the file is damaged", where};
            end = begin + tensors_[i].data.size();
        }
        if (end != file_.size() - header_end_) return {errc::bad_offset, "the file goes on after its last tensor", header_end_ + end};
        return {};
    }
    NIBBLE_INLINE static bool before(const tensor_info& a, const tensor_info& b) noexcept {
        return a.offset != b.offset ? a.offset < b.offset : a.data.size() < b.data.size();
    }

    std::span<const std::byte> file_{};
    read_options options_{};
    std::size_t header_end_ = 0;
    growing<char> unescaped_;
    growing<metadata_entry> metadata_;
    growing<tensor_info> tensors_;
    growing<std::uint64_t> dims_;  // of all tensors, one after the other
    growing<place> places_;        // one for each tensor
    name_table keys_;
    name_table names_;
};

}  // namespace safetensors
NIBBLE_BASELINE_END
