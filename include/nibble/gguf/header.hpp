// What a GGUF file will say about itself: collects metadata and tensor descriptions and turns them into bytes.
//
// It writes what both the specification and ggml's reader accept: version 3, alignment a power of two from 8, keys of printable ASCII,
// tensor names up to 63 bytes, tensors in order without gaps, zero padding everywhere and after the last tensor too.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/file/sink.hpp"
#include "nibble/gguf/tensor_info.hpp"
#include "nibble/gguf/text.hpp"
#include "nibble/gguf/value.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

using file::growing;
using file::memory_sink;
using file::name_table;
using file::sink;

/// A number or bool that metadata can hold. Characters are text, not numbers.
template <class T>
concept scalar = std::is_arithmetic_v<T> && sizeof(T) <= 8 && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                 !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// The metadata type of a C++ number: by size, sign and kind.
template <scalar T>
inline constexpr value_type type_of = [] {
    if constexpr (std::same_as<T, bool>) return value_type::boolean;
    else if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? value_type::float32 : value_type::float64;
    else if constexpr (std::is_signed_v<T>) {
        return sizeof(T) == 1   ? value_type::int8
               : sizeof(T) == 2 ? value_type::int16
               : sizeof(T) == 4 ? value_type::int32
                                : value_type::int64;
    } else {
        return sizeof(T) == 1   ? value_type::uint8
               : sizeof(T) == 2 ? value_type::uint16
               : sizeof(T) == 4 ? value_type::uint32
                                : value_type::uint64;
    }
}();

/// Metadata and tensor descriptions of a file that does not exist yet. Copies all that it is given. Move-only. A call that fails changes
/// nothing; errc::out_of_memory is possible everywhere.
class header {
public:
    /// Sets a key to a number, bool or string. Setting a key again keeps its place in the file. `general.alignment` must be a uint32 and
    /// decides how tensors are aligned; without it they are at multiples of 32.
    /// @return errc::bad_string (key empty, longer than 65535 bytes or not printable ASCII), errc::bad_utf8 (value),
    ///         errc::bad_type and errc::bad_alignment (general.alignment)
    template <scalar T>
    status set(std::string_view key, T value) noexcept {
        return put(key, type_of<T>, [&] { return append(value); });
    }
    /// Sets a key to a string, which must be UTF-8.
    status set(std::string_view key, std::string_view value) noexcept {
        if (!is_utf8(value)) return {errc::bad_utf8, "a string for the metadata is not UTF-8"};
        return put(key, value_type::string, [&] { return append_text(value); });
    }
    /// Sets a key to the very bytes of a value that was read, whatever they are.
    status set(std::string_view key, const value_view& value) noexcept {
        const auto raw = value.raw();
        if (raw.empty()) return {errc::invalid_argument, "a value_view without a value"};
        return put(key, value.type(), [&] { return bytes_.append(raw.data(), raw.size()); });
    }
    /// Sets a key to an array. @param values anything contiguous, of numbers, of bools or of what converts to std::string_view
    template <class Range>
    status set_array(std::string_view key, const Range& values) noexcept {
        const std::span elements(values);
        using element = std::remove_cv_t<typename decltype(elements)::element_type>;
        constexpr bool strings = !scalar<element>;
        if constexpr (strings) {
            for (const auto& text : elements) {
                if (!is_utf8(text)) return {errc::bad_utf8, "a string for the metadata is not UTF-8"};
            }
        }
        return put(key, value_type::array, [&] {
            if constexpr (strings) {
                bool done = append(static_cast<std::uint32_t>(value_type::string)) && append(std::uint64_t{elements.size()});
                for (const auto& text : elements) done = done && append_text(text);
                return done;
            } else {
                bool done = append(static_cast<std::uint32_t>(type_of<element>)) && append(std::uint64_t{elements.size()});
                for (const element value : elements) done = done && append(value);
                return done;
            }
        });
    }

    /// Appends a tensor; the data will follow in the same order.
    /// @param type  GGUF type number
    /// @param shape 1 to 4 dimensions in elements, row length first
    /// @return errc::bad_string (name empty, over 63 bytes or with a zero byte), errc::bad_utf8, errc::duplicate_key,
    ///         errc::unsupported_type, errc::bad_shape, errc::shape_overflow
    status add_tensor(std::string_view name, std::uint32_t type, std::span<const std::uint64_t> shape) noexcept {
        constexpr std::uint64_t limit = ~std::uint64_t{0} >> 1;
        if (name.empty() || name.size() > longest_tensor_name) return {errc::bad_string, "a tensor name must have 1 to 63 bytes"};
        if (name.find('\0') != std::string_view::npos) return {errc::bad_string, "a tensor name must not contain a zero byte"};
        if (!is_utf8(name)) return {errc::bad_utf8, "a tensor name is not UTF-8"};
        if (shape.empty()) return {errc::bad_shape, "a tensor needs 1 to 4 dimensions"};
        const auto bytes = data_bytes(type, shape);
        if (!bytes) return bytes.status();
        if (names_.find(name, name_at()) != name_table::none) return {errc::duplicate_key, "a tensor of that name was added before"};
        if (total_ > limit - largest_alignment || *bytes > limit - largest_alignment - total_)
            return {errc::shape_overflow, "the tensors together are larger than any file"};

        tensor added{place{bytes_.size(), name.size()}, *bytes, {1, 1, 1, 1}, type, static_cast<std::uint32_t>(shape.size())};
        for (std::size_t d = 0; d < shape.size(); ++d) added.shape[d] = shape[d];
        if (!names_.reserve(tensors_.size() + 1) || !tensors_.push(added)) return no_memory();
        if (!bytes_.append(as_bytes(name), name.size())) {
            tensors_.shrink(tensors_.size() - 1);
            return no_memory();
        }
        names_.insert(name, tensors_.size() - 1, name_at());
        total_ += *bytes + largest_alignment;
        return {};
    }
    /// The same with a list of dimensions.
    status add_tensor(std::string_view name, std::uint32_t type, std::initializer_list<std::uint64_t> shape) noexcept {
        return add_tensor(name, type, std::span(shape.begin(), shape.size()));
    }
    /// Appends a tensor that was read; one without dimensions becomes one of one element.
    status add_tensor(const tensor_info& info) noexcept {
        return add_tensor(info.name, info.type, std::span(info.shape).first(info.dims == 0 ? 1 : info.dims));
    }

    /// Tensors so far.
    NIBBLE_INLINE std::size_t tensor_count() const noexcept { return tensors_.size(); }
    /// Bytes of a tensor's data, without padding.
    NIBBLE_INLINE std::uint64_t tensor_bytes(std::size_t i) const noexcept { return tensors_[i].bytes; }
    /// Zeros behind it.
    NIBBLE_INLINE std::uint64_t padding_after(std::size_t i) const noexcept {
        return padded(tensors_[i].bytes, alignment_) - tensors_[i].bytes;
    }
    /// Bytes that tensors are aligned to.
    NIBBLE_INLINE std::uint64_t alignment() const noexcept { return alignment_; }

    /// Writes everything that precedes the tensor data, padded to the alignment, in one piece.
    template <sink S>
    status serialize(S& to) const noexcept {
        growing<std::byte> out;
        const auto put_bytes = [&](place p) { return out.append(bytes_.data() + p.at, p.size); };
        const auto put_number = [&](auto value) { return append_number(out, value); };
        bool done = out.reserve(bytes_.size() + 32 * entries_.size() + 64 * tensors_.size() + alignment_ + 24);
        done = done && out.append(as_bytes("GGUF"), 4) && put_number(std::uint32_t{3});
        done = done && put_number(std::uint64_t{tensors_.size()}) && put_number(std::uint64_t{entries_.size()});
        for (const entry& e : entries_.view()) {
            done = done && put_number(std::uint64_t{e.key.size}) && put_bytes(e.key) && put_number(static_cast<std::uint32_t>(e.type)) &&
                   put_bytes(e.value);
        }
        std::uint64_t offset = 0;
        for (const tensor& t : tensors_.view()) {
            done = done && put_number(std::uint64_t{t.name.size}) && put_bytes(t.name) && put_number(t.dims);
            for (std::uint32_t d = 0; d < t.dims; ++d) done = done && put_number(t.shape[d]);
            done = done && put_number(t.type) && put_number(offset);
            offset += padded(t.bytes, alignment_);
        }
        for (std::uint64_t end = padded(out.size(), alignment_); done && out.size() < end;) done = out.push(std::byte{0});
        return done ? to.write(out.view()) : no_memory();
    }

private:
    struct place {
        std::size_t at = 0, size = 0;
    };
    struct entry {
        place key, value;
        value_type type = value_type::uint8;
    };
    struct tensor {
        place name;
        std::uint64_t bytes = 0;
        std::array<std::uint64_t, most_dims> shape{};
        std::uint32_t type = 0;
        std::uint32_t dims = 0;
    };

    NIBBLE_INLINE std::string_view text(place p) const noexcept { return {reinterpret_cast<const char*>(bytes_.data()) + p.at, p.size}; }
    struct names_of_tensors {
        const header* of;
        NIBBLE_INLINE std::string_view operator()(std::size_t i) const noexcept { return of->text(of->tensors_[i].name); }
    };
    struct names_of_keys {
        const header* of;
        NIBBLE_INLINE std::string_view operator()(std::size_t i) const noexcept { return of->text(of->entries_[i].key); }
    };
    NIBBLE_INLINE names_of_tensors name_at() const noexcept { return {this}; }
    NIBBLE_INLINE names_of_keys key_at() const noexcept { return {this}; }

    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the header of the file"}; }
    NIBBLE_INLINE static const std::byte* as_bytes(std::string_view text) noexcept {
        return reinterpret_cast<const std::byte*>(text.data());
    }
    template <class T>
    static bool append_number(growing<std::byte>& out, T value) noexcept {
        if constexpr (std::same_as<T, bool>) {
            return out.push(value ? std::byte{1} : std::byte{0});
        } else {
            stored<T> bytes;
            bytes.set(value);
            return out.append(reinterpret_cast<const std::byte*>(bytes.bytes), sizeof(bytes));
        }
    }
    template <class T>
    NIBBLE_INLINE bool append(T value) noexcept {
        return append_number(bytes_, value);
    }
    bool append_text(std::string_view value) noexcept {
        return append(std::uint64_t{value.size()}) && bytes_.append(as_bytes(value), value.size());
    }

    /// Appends the value's bytes with `append_value` and gives them to the key. What a key had before stays as dead bytes: keys are
    /// rarely set twice.
    template <class AppendValue>
    status put(std::string_view key, value_type type, const AppendValue& append_value) noexcept {
        if (key.empty() || key.size() > longest_key) return {errc::bad_string, "a metadata key must have 1 to 65535 bytes"};
        if (!is_plain_text(key)) return {errc::bad_string, "a metadata key must be printable ASCII without spaces"};
        const bool aligns = key == alignment_key;
        if (aligns && type != value_type::uint32) return {errc::bad_type, "general.alignment must be of type uint32"};

        const std::size_t before = bytes_.size();
        const auto undo = [&](status why) noexcept {
            bytes_.shrink(before);
            return why;
        };
        entry added;
        added.type = type;
        added.value.at = before;
        if (!append_value()) return undo(no_memory());
        added.value.size = bytes_.size() - before;
        std::uint64_t alignment = alignment_;
        if (aligns) {
            alignment = load<std::uint32_t>(bytes_.data() + before);
            if (!is_alignment(alignment, smallest_alignment))
                return undo({errc::bad_alignment, "general.alignment must be a power of two from 8 to 2^20"});
        }

        const std::size_t known = keys_.find(key, key_at());
        if (known != name_table::none) {
            added.key = entries_[known].key;
            entries_[known] = added;
        } else {
            added.key = {bytes_.size(), key.size()};
            if (!bytes_.append(as_bytes(key), key.size()) || !keys_.reserve(entries_.size() + 1) || !entries_.push(added))
                return undo(no_memory());
            keys_.insert(key, entries_.size() - 1, key_at());
        }
        alignment_ = alignment;
        return {};
    }

    growing<std::byte> bytes_;  // keys, values and names, in the order of the calls
    growing<entry> entries_;
    growing<tensor> tensors_;
    name_table keys_;
    name_table names_;
    std::uint64_t total_ = 0;  // bytes of all tensors, each with the largest padding
    std::uint64_t alignment_ = default_alignment;
};

}  // namespace gguf
NIBBLE_BASELINE_END
