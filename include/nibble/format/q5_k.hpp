// q5_k: 5 bits, eight sub-blocks of 32 with their own 6-bit scale and offset.
#pragma once

#include "nibble/format/offset_super_block.hpp"
#include "nibble/format/q8_k.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 176 bytes: [scale fp16][offset fp16][12 bytes: 8 pairs of 6-bit sub-scale and sub-offset]
/// [32 bytes: bit j of byte i is the fifth bit of element i of sub-block j]
/// [128 bytes: run k of 32 holds sub-block 2k in its low and 2k + 1 in its high nibbles]
/// value = scale * sub_scale * code - offset * sub_offset
struct q5_k : offset_super_block<q5_k, 5> {
    static constexpr std::string_view name = "q5_k";
    static constexpr std::uint32_t gguf_type = 13;
    using layout = nibble::layout::offset_super_block<5>;
    using companion = q8_k;

    static constexpr offset_trials trials = {-0.5f, 0.1f, 15, false};
};

NIBBLE_NAMESPACE_END
