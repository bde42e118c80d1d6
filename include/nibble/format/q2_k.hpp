// q2_k: 2 bits, sixteen sub-blocks of 16 with their own 4-bit scale and offset.
#pragma once

#include "nibble/format/offset_super_block.hpp"
#include "nibble/format/q8_k.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 84 bytes: [16 bytes: sub-scale in the low, sub-offset in the high nibble]
/// [64 bytes: two runs of 32, byte i of run h holds elements i, i + 32, i + 64, i + 96 of half h, lowest bits first]
/// [scale fp16][offset fp16]; value = scale * sub_scale * code - offset * sub_offset
struct q2_k : offset_super_block<q2_k, 2> {
    static constexpr std::string_view name = "q2_k";
    static constexpr std::uint32_t gguf_type = 10;
    using layout = nibble::layout::offset_super_block<2>;
    using companion = q8_k;

    static constexpr offset_trials trials = {-0.5f, 0.1f, 15, true};
    template <lane_count auto N>
    NIBBLE_INLINE static void weigh_alone(const float (&x)[16][N], float (&weights)[16][N]) noexcept {
        for (std::size_t i = 0; i < 16; ++i) abs(f32x<N>::load(x[i])).store(weights[i]);
    }
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
