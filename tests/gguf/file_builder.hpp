// GGUF files made by hand, byte by byte and independent of nibble's writer, so that every field can be wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/bytes.hpp"

namespace gguf_test {

using support::as_span;
using support::bytes;
using support::chars;
using support::exact_copy;
using support::number;

inline bytes u32(std::uint64_t value) { return number(static_cast<std::uint32_t>(value)); }
inline bytes u64(std::uint64_t value) { return number(value); }
inline bytes text(std::string_view value) { return u64(value.size()).append(value); }

/// Type, element type, count; then the elements.
inline bytes array(std::uint64_t type, std::uint64_t count, const bytes& elements) { return u32(9) + u32(type) + u64(count) + elements; }

struct tensor {
    bytes name;  ///< with its length
    bytes dims;  ///< count and dimensions
    bytes type;
    bytes offset;
};

inline bytes dims(const std::vector<std::uint64_t>& shape) {
    bytes out = u32(shape.size());
    for (const auto n : shape) out += u64(n);
    return out;
}

/// The parts of a file, each of which a test may spoil.
struct file {
    bytes magic = "GGUF";
    bytes version = u32(3);
    bytes tensor_count, entry_count;  ///< empty: the true counts
    std::vector<bytes> entries;       ///< key, type, value
    std::vector<tensor> tensors;
    std::size_t alignment = 32;
    bytes header_padding;  ///< empty: zeros up to the alignment
    bytes data;

    bytes header() const {
        bytes out = magic + version + (tensor_count.empty() ? u64(tensors.size()) : tensor_count) +
                    (entry_count.empty() ? u64(entries.size()) : entry_count);
        for (const auto& e : entries) out += e;
        for (const auto& t : tensors) out += t.name + t.dims + t.type + t.offset;
        return out;
    }
    bytes build() const {
        bytes out = header();
        if (header_padding.empty()) out.resize((out.size() + alignment - 1) / alignment * alignment);
        else out += header_padding;
        return out + data;
    }
};

/// Two entries; three tensors of 96, 136 and 20 bytes (numbers 0, 8 and 0 are 4-byte floats, 34-byte blocks of 32, floats).
inline file valid() {
    file f;
    f.entries = {text("general.architecture") + u32(8) + text("llama"), text("llama.block_count") + u32(4) + u32(7)};
    f.tensors = {{text("first"), dims({8, 3}), u32(0), u64(0)},
                 {text("second"), dims({64, 2}), u32(8), u64(96)},
                 {text("third"), dims({5}), u32(0), u64(256)}};
    for (int i = 0; i < 96; ++i) f.data += static_cast<char>(i + 1);
    for (int i = 0; i < 136; ++i) f.data += static_cast<char>(i + 50);
    f.data.resize(256);
    for (int i = 0; i < 20; ++i) f.data += static_cast<char>(i + 200);
    f.data.resize(288);
    return f;
}

}  // namespace gguf_test
