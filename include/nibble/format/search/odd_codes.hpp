// What all codebook formats share: sub-scales that are odd multiples of a scale, and the weights of a block without importance.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Scales of sub-blocks as scale * (2 * code + 1), codes 0 .. MaxCode.
/// @return the scale; 0 (and codes 0) if there is none
template <int MaxCode>
NIBBLE_INLINE float find_odd_codes(const float* scales, std::size_t count, std::uint8_t* codes) noexcept {
    float largest = 0.0f;
    for (std::size_t j = 0; j < count; ++j) largest = scales[j] > largest ? scales[j] : largest;
    for (std::size_t j = 0; j < count; ++j) codes[j] = 0;
    if (largest == 0.0f) return 0.0f;
    const float scale = largest / static_cast<float>(2 * MaxCode + 1);
    const float inverse = 1.0f / scale;
    for (std::size_t j = 0; j < count; ++j) {
        codes[j] = static_cast<std::uint8_t>(clamp(round_even(f32x<1>{0.5f * (inverse * scales[j] - 1.0f)}), 0, MaxCode).raw);
    }
    return scale;
}

/// weights = x * x in each lane: what most codebook formats use without importance.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void weigh_squares(const float (&x)[Count][N], float (&weights)[Count][N]) noexcept {
    for (std::size_t i = 0; i < Count; ++i) (f32x<N>::load(x[i]) * f32x<N>::load(x[i])).store(weights[i]);
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
