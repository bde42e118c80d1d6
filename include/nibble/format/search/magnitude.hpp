// What formats without a search need: statistics of a block, and codes that stay defined whatever the values are.
#pragma once

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The largest |x| of each lane.
template <int N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_magnitude(const float (&x)[Count][N]) noexcept {
    auto magnitude = f32x<N>::set(0.0f);
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = abs(f32x<N>::load(x[i]));
        magnitude = select(v > magnitude, v, magnitude);
    }
    return magnitude;
}

/// Least and largest value of each lane; the first of equals (-0 and +0 are equal).
template <int N, std::size_t Count>
NIBBLE_INLINE void find_range(const float (&x)[Count][N], f32x<N>& low, f32x<N>& high) noexcept {
    low = high = f32x<N>::load(x[0]);
    for (std::size_t i = 1; i < Count; ++i) {
        const auto v = f32x<N>::load(x[i]);
        low = select(v < low, v, low);
        high = select(v > high, v, high);
    }
}

/// 1 / scale; 0 if the scale is 0.
template <int N>
NIBBLE_INLINE f32x<N> inverse_or_zero(const f32x<N>& scale) noexcept {
    const auto zero = f32x<N>::set(0.0f);
    return select(scale != zero, f32x<N>::set(1.0f) / scale, zero);
}

/// The value, or 0 where it is no code at all: scales up to 2^-128 have an infinite inverse, and C does not define the conversion of
/// what comes out of it. Their fp16 scale is 0, so any code decodes alike; 0 gives the bytes of ggml's x86 builds.
template <int N>
NIBBLE_INLINE f32x<N> convertible(const f32x<N>& value) noexcept {
    return select(abs(value) < f32x<N>::set(8388608.0f), value, f32x<N>::set(0.0f));
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
