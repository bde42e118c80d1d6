// q5_0: 5 bits and one scale for 32 elements.
#pragma once

#include "nibble/format/q8_0.hpp"
#include "nibble/format/small_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 22 bytes: [scale fp16][4 bytes: bit i is the fifth bit of element i][16 bytes, byte j: low nibble element j, high nibble
/// element j + 16]; value = scale * (code - 16)
struct q5_0 : centered_block<q5_0, 5> {
    static constexpr std::string_view name = "q5_0";
    static constexpr std::uint32_t gguf_type = 6;
    using layout = nibble::layout::split_nibbles_and_bits<16>;
    using companion = q8_0;
};

NIBBLE_NAMESPACE_END
