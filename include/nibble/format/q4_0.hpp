// q4_0: 4 bits and one scale for 32 elements, the simplest 4-bit format.
#pragma once

#include "nibble/format/q8_0.hpp"
#include "nibble/format/small_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 18 bytes: [scale fp16][16 bytes, byte j: low nibble element j, high nibble element j + 16]; value = scale * (code - 8)
struct q4_0 : centered_block<q4_0, 4> {
    static constexpr std::string_view name = "q4_0";
    static constexpr std::uint32_t gguf_type = 2;
    using layout = nibble::layout::split_nibbles<8>;
    using companion = q8_0;
};

NIBBLE_NAMESPACE_END
