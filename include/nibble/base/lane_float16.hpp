// float to binary16 in lanes.
#pragma once

#include "nibble/base/float16.hpp"
#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// float_to_float16 of each lane: the same bits.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> to_float16(const f32x<N>& value) noexcept {
    if constexpr (N == 1) {
        return {float_to_float16(value.raw)};
    } else {
        using ints = i32x<N>;
        const auto bits = bits_of(value), magnitude = bits & ints::set(0x7FFFFFFF);
        const auto rounded = magnitude + ints::set(0xFFF) + ((magnitude >> 13) & ints::set(1));
        auto half = (rounded - ints::set(0x38000000)) >> 13;
        // Subnormal: adding 1/2 rounds to multiples of 2^-24.
        const auto subnormal = bits_of(float_of_bits(magnitude) + f32x<N>::set(0.5f)) - ints::set(0x3F000000);
        half = select(magnitude < ints::set(0x38800000), subnormal, half);
        half = select(magnitude > ints::set(0x477FEFFF), ints::set(0x7C00), half);
        half = select(magnitude > ints::set(0x7F800000), ints::set(0x7E00), half);
        return half | ((bits >> 16) & ints::set(0x8000));
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
