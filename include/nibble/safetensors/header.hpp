// What a safetensors file will say about itself: collects texts and tensor descriptions and turns them into bytes.
//
// The JSON is written without white space and padded with spaces to a multiple of 8, as the format's own library does. Tensors keep
// the order of the calls; that library sorts them by falling alignment of their type, then by name, so that every tensor is aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/name_table.hpp"
#include "nibble/file/sink.hpp"
#include "nibble/file/utf8.hpp"
#include "nibble/safetensors/tensor_info.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

using file::growing;
using file::name_table;
using file::sink;

namespace internal {

NIBBLE_INLINE bool append(growing<char>& out, std::string_view text) noexcept { return out.append(text.data(), text.size()); }

/// A JSON string: quotation marks, backslashes and control characters are escaped, everything else stays.
inline bool append_string(growing<char>& out, std::string_view text) noexcept {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt", digits = "0123456789abcdef";
    bool done = out.push('"');
    for (const char c : text) {
        const std::size_t known = special.find(c);
        if (known != std::string_view::npos) {
            done = done && out.push('\\') && out.push(letters[known]);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            done = done && append(out, "\\u00") && out.push(digits[static_cast<unsigned char>(c) >> 4]) && out.push(digits[c & 15]);
        } else {
            done = done && out.push(c);
        }
    }
    return done && out.push('"');
}

inline bool append_integer(growing<char>& out, std::uint64_t value) noexcept {
    char text[20];
    std::size_t at = sizeof(text);
    do text[--at] = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    return out.append(text + at, sizeof(text) - at);
}

}  // namespace internal

/// Texts and tensor descriptions of a file that does not exist yet. Copies all that it is given. Move-only. A call that fails changes
/// nothing; errc::out_of_memory is possible everywhere.
class header {
public:
    /// Adds a text to `__metadata__`, which holds nothing but texts.
    /// @return errc::bad_utf8, errc::bad_string (key over 64 KiB), errc::duplicate_key
    status set(std::string_view key, std::string_view value) noexcept {
        if (!file::is_utf8(key) || !file::is_utf8(value)) return {errc::bad_utf8, "a text for the metadata is not UTF-8"};
        if (key.size() > longest_name) return {errc::bad_string, "a metadata key is longer than 64 KiB"};
        if (keys_.find(key, text_at{this, &entries_}) != name_table::none) return {errc::duplicate_key, "that metadata key was set before"};
        const std::size_t before = text_.size();
        if (!internal::append(text_, key) || !internal::append(text_, value) || !keys_.reserve(entries_.size() + 1) ||
            !entries_.push({{before, key.size()}, value.size()})) {
            text_.shrink(before);
            return no_memory();
        }
        keys_.insert(key, entries_.size() - 1, text_at{this, &entries_});
        return {};
    }

    /// Appends a tensor; the data will follow in the same order.
    /// @param shape in elements, row length last; empty for a single number
    /// @return errc::bad_string (over 64 KiB, or `__metadata__`), errc::bad_utf8, errc::duplicate_key, errc::unsupported_type,
    ///         errc::bad_shape, errc::shape_overflow
    status add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape) noexcept {
        if (name.size() > longest_name) return {errc::bad_string, "a tensor name is longer than 64 KiB"};
        if (name == metadata_name) return {errc::bad_string, "__metadata__ cannot be the name of a tensor"};
        if (!file::is_utf8(name)) return {errc::bad_utf8, "a tensor name is not UTF-8"};
        const auto bytes = data_bytes(type, shape);
        if (!bytes) return bytes.status();
        if (*bytes > (~std::uint64_t{0} >> 1) - total_) return {errc::shape_overflow, "the tensors together are larger than any file"};
        if (names_.find(name, text_at{this, &tensors_}) != name_table::none)
            return {errc::duplicate_key, "a tensor of that name was added before"};

        const std::size_t texts = text_.size(), dims = dims_.size();
        if (!internal::append(text_, name) || !dims_.append(shape.data(), shape.size()) || !names_.reserve(tensors_.size() + 1) ||
            !tensors_.push({{texts, name.size()}, *bytes, shape.size(), type})) {
            text_.shrink(texts);
            dims_.shrink(dims);
            return no_memory();
        }
        names_.insert(name, tensors_.size() - 1, text_at{this, &tensors_});
        total_ += *bytes;
        return {};
    }
    /// The same with a list of dimensions.
    status add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> shape) noexcept {
        return add_tensor(name, type, std::span(shape.begin(), shape.size()));
    }
    /// Appends a tensor that was read.
    status add_tensor(const tensor_info& info) noexcept { return add_tensor(info.name, info.type, info.shape); }

    /// Tensors so far.
    NIBBLE_INLINE std::size_t tensor_count() const noexcept { return tensors_.size(); }
    /// Bytes of a tensor's data.
    NIBBLE_INLINE std::uint64_t tensor_bytes(std::size_t i) const noexcept { return tensors_[i].bytes; }
    /// Tensors follow one another without a gap.
    NIBBLE_INLINE std::uint64_t padding_after(std::size_t) const noexcept { return 0; }

    /// Writes everything that precedes the tensor data, in one piece. @return errc::count_too_large if no reader would accept its length
    template <sink S>
    status serialize(S& to) const noexcept {
        using internal::append;
        growing<char> out;
        stored<std::uint64_t> length{};
        bool done = out.reserve(2 * text_.size() + 96 * tensors_.size() + 64) && out.assign(sizeof(length), '\0') && out.push('{');
        std::string_view comma = "";
        if (!entries_.empty()) {
            done = done && append(out, "\"__metadata__\":{");
            for (const entry& e : entries_.view()) {
                done = done && append(out, comma) && internal::append_string(out, text_of(e.key)) && append(out, ":") &&
                       internal::append_string(out, text_of({e.key.at + e.key.size, e.value}));
                comma = ",";
            }
            done = done && append(out, "}");
        }
        std::uint64_t offset = 0;
        std::size_t dim = 0;
        for (const tensor& t : tensors_.view()) {
            done = done && append(out, comma) && internal::append_string(out, text_of(t.key)) && append(out, ":{\"dtype\":\"") &&
                   append(out, name_of(t.type)) && append(out, "\",\"shape\":[");
            for (std::size_t d = 0; d < t.rank; ++d)
                done = done && append(out, d == 0 ? "" : ",") && internal::append_integer(out, dims_[dim++]);
            done = done && append(out, "],\"data_offsets\":[") && internal::append_integer(out, offset) && append(out, ",") &&
                   internal::append_integer(out, offset + t.bytes) && append(out, "]}");
            offset += t.bytes;
            comma = ",";
        }
        done = done && append(out, "}");
        while (done && out.size() % 8 != 0) done = out.push(' ');
        if (!done) return no_memory();
        length.set(out.size() - sizeof(length));
        if (length.get() > largest_header) return {errc::count_too_large, "the header would be longer than readers accept (100 MB)"};
        __builtin_memcpy(out.data(), length.bytes, sizeof(length));
        return to.write(std::as_bytes(std::span<const char>(out.data(), out.size())));
    }

private:
    struct place {
        std::size_t at = 0, size = 0;
    };
    struct entry {
        place key;
        std::size_t value = 0;  // length; the value stands behind its key
    };
    struct tensor {
        place key;
        std::uint64_t bytes = 0;
        std::size_t rank = 0;
        dtype type{};
    };
    /// The names that a table refers to.
    template <class T>
    struct text_at {
        const header* of;
        const growing<T>* list;
        NIBBLE_INLINE std::string_view operator()(std::size_t i) const noexcept { return of->text_of((*list)[i].key); }
    };
    template <class T>
    text_at(const header*, const growing<T>*) -> text_at<T>;

    NIBBLE_INLINE std::string_view text_of(place p) const noexcept { return {text_.data() + p.at, p.size}; }
    static status no_memory() noexcept { return {errc::out_of_memory, "no memory for the header of the file"}; }

    growing<char> text_;  // keys, values and names, in the order of the calls
    growing<entry> entries_;
    growing<tensor> tensors_;
    growing<std::uint64_t> dims_;  // of all tensors, one after the other
    name_table keys_;
    name_table names_;
    std::uint64_t total_ = 0;
};

}  // namespace safetensors
NIBBLE_BASELINE_END
