// q5_1: 5 bits, one scale and one offset for 32 elements.
#pragma once

#include "nibble/format/q8_1.hpp"
#include "nibble/format/small_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 24 bytes: [scale fp16][offset fp16][4 bytes: bit i is the fifth bit of element i][16 bytes, byte j: low nibble element j, high
/// nibble element j + 16]; value = scale * code + offset
struct q5_1 : shifted_block<q5_1, 5> {
    static constexpr std::string_view name = "q5_1";
    static constexpr std::uint32_t gguf_type = 7;
    using layout = nibble::layout::split_nibbles_and_bits_with_offset;
    using companion = q8_1;
};

NIBBLE_NAMESPACE_END
