// q4_1: 4 bits, one scale and one offset for 32 elements.
#pragma once

#include "nibble/format/q8_1.hpp"
#include "nibble/format/small_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 20 bytes: [scale fp16][offset fp16][16 bytes, byte j: low nibble element j, high nibble element j + 16]; value = scale * code + offset
struct q4_1 : shifted_block<q4_1, 4> {
    static constexpr std::string_view name = "q4_1";
    static constexpr std::uint32_t gguf_type = 3;
    using layout = nibble::layout::split_nibbles_with_offset;
    using companion = q8_1;
};

NIBBLE_NAMESPACE_END
