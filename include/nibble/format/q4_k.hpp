// q4_k: 4 bits, eight sub-blocks of 32 with their own 6-bit scale and offset. The usual choice for weights.
#pragma once

#include "nibble/format/offset_super_block.hpp"
#include "nibble/format/q8_k.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 144 bytes: [scale fp16][offset fp16][12 bytes: 8 pairs of 6-bit sub-scale and sub-offset]
/// [128 bytes: run k of 32 holds sub-block 2k in its low and 2k + 1 in its high nibbles]
/// value = scale * sub_scale * code - offset * sub_offset
struct q4_k : offset_super_block<q4_k, 4> {
    static constexpr std::string_view name = "q4_k";
    static constexpr std::uint32_t gguf_type = 12;
    using layout = nibble::layout::offset_super_block<4>;
    using companion = q8_k;

    static constexpr offset_trials trials = {-1.0f, 0.1f, 20, false};
};

NIBBLE_NAMESPACE_END
