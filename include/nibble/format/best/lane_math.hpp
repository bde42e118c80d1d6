// Arithmetic over lanes that search::best needs. No bytes of the reference depend on it, so it takes the shortest way; the bytes of
// search::best do, so it rounds the same way everywhere.
#pragma once

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN
namespace detail {

/// More than any error can be: values are at most 4, weights too.
inline constexpr float no_error_yet = 3e38f;

template <lane_count auto N>
NIBBLE_INLINE f32x<N> between(const f32x<N>& value, float low, float high) noexcept {
    return lesser(greater(value, f32x<N>::set(low)), f32x<N>::set(high));
}

/// The nearest whole number, ties to even, for |value| < 2^22.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> round_whole(const f32x<N>& value) noexcept {
    const auto shift = f32x<N>::set(12582912.0f);  // 1.5 * 2^23
    return value + shift - shift;
}

/// a / b; 0 where b is 0.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> quotient(const f32x<N>& a, const f32x<N>& b) noexcept {
    const auto zero = f32x<N>::set(0.0f);
    return select(b != zero, a / b, zero);
}

/// The power of two at or below a positive normal value.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> power_of_two(const f32x<N>& value) noexcept {
    return float_of_bits(bits_of(value) & i32x<N>::set(0x7F800000));
}

}  // namespace detail
NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
