// What formats without a search need: statistics of a block, and codes that stay defined whatever the values are.
//
// Blocks lie one after the other. What is found does not depend on the order of the values in a block, so neighbours share a vector, and
// the results of N blocks become the lanes of one.
#pragma once

#include "nibble/base/lane_order.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
/// The larger of each lane; the second where they are equal or no numbers.
inline constexpr auto larger = [](const auto& a, const auto& b) NIBBLE_LAMBDA_INLINE { return select(a > b, a, b); };
inline constexpr auto smaller = [](const auto& a, const auto& b) NIBBLE_LAMBDA_INLINE { return select(a < b, a, b); };

/// The first value of this magnitude.
NIBBLE_INLINE float first_of_magnitude(const float* values, std::size_t count, float magnitude) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        if (__builtin_fabsf(values[i]) == magnitude) return values[i];
    }
    return magnitude;
}
/// Replaces the lanes of `wanted` by the first value of their magnitude in their block. Rare.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void use_first(const float* values, const mask32<N>& wanted, f32x<N>& found) noexcept {
    if (!any(wanted)) return;
    float lanes[N];
    std::int32_t masks[N];
    found.store(lanes);
    select(wanted, i32x<N>::set(1), i32x<N>::set(0)).store(masks);
    for (std::size_t b = 0; b < N; ++b) {
        if (masks[b] != 0) lanes[b] = first_of_magnitude(values + b * Count, Count, __builtin_fabsf(lanes[b]));
    }
    found = f32x<N>::load(lanes);
}
/// Least and largest value; of equal ones any.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void find_bounds(const float* values, f32x<N>& low, f32x<N>& high) noexcept {
    f32x<N> lows[N], highs[N];
#pragma GCC unroll 16
    for (std::size_t b = 0; b < N; ++b, values += Count) {
        lows[b] = highs[b] = f32x<N>::load(values);
#pragma GCC unroll 8
        for (std::size_t i = N; i < Count; i += N) {
            const auto v = f32x<N>::load(values + i);
            lows[b] = smaller(v, lows[b]);
            highs[b] = larger(v, highs[b]);
        }
    }
    low = reduce_rows<N>(lows, smaller);
    high = reduce_rows<N>(highs, larger);
}
}  // namespace detail

/// The largest |x| of N blocks of Count values.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_magnitudes(const float* values) noexcept {
    f32x<N> rows[N];
#pragma GCC unroll 16
    for (std::size_t b = 0; b < N; ++b, values += Count) {
        rows[b] = abs(f32x<N>::load(values));
#pragma GCC unroll 8
        for (std::size_t i = N; i < Count; i += N) rows[b] = detail::larger(abs(f32x<N>::load(values + i)), rows[b]);
    }
    return reduce_rows<N>(rows, detail::larger);
}

/// The largest |x| of each lane.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_magnitude(const float (&x)[Count][N]) noexcept {
    auto magnitude = f32x<N>::set(0.0f);
    for (std::size_t i = 0; i < Count; ++i) magnitude = detail::larger(abs(f32x<N>::load(x[i])), magnitude);
    return magnitude;
}

/// 1 / scale; 0 if the scale is 0.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> inverse_or_zero(const f32x<N>& scale) noexcept {
    const auto zero = f32x<N>::set(0.0f);
    return select(scale != zero, f32x<N>::set(1.0f) / scale, zero);
}

/// The signed value of largest magnitude of N blocks; the first of equals, and +0 if there is none but zeros.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_extremes(const float* values) noexcept {
    f32x<N> low, high;
    detail::find_bounds<N, Count>(values, low, high);
    auto extreme = select(high > -low, high, low);
    const auto zero = f32x<N>::set(0.0f);
    const auto tie = high == -low;
    detail::use_first<N, Count>(values, tie & (high != zero), extreme);
    return select(extreme == zero, zero, extreme);
}

/// Least and largest value of N blocks; the first of equals (-0 and +0 are equal).
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void find_ranges(const float* values, f32x<N>& low, f32x<N>& high) noexcept {
    const auto zero = f32x<N>::set(0.0f);
    detail::find_bounds<N, Count>(values, low, high);
    detail::use_first<N, Count>(values, low == zero, low);
    detail::use_first<N, Count>(values, high == zero, high);
}

/// The code of a position on a scale that is not negative: cut off, at most `last`.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> cut_off(const f32x<N>& position, int last) noexcept {
    if constexpr (N == 1) {
        return {position.raw < static_cast<float>(last) ? static_cast<int>(position.raw) : last};
    } else {
        const auto code = truncate(position), end = i32x<N>::set(last);
        return select(code > end, end, code);
    }
}

/// What turns values into codes: code = inverse * value + rounding, cut off.
///
/// Scales up to 2^-128 have no finite inverse, and C does not define the codes that follow from it. Their fp16 scale is 0, so any code
/// decodes alike; code 0 gives the bytes of ggml's x86 builds.
template <lane_count auto N>
struct code_rule {
    alignas(64) float inverse[N], rounding[N];

    NIBBLE_INLINE code_rule(const f32x<N>& scale, float half) noexcept {
        const auto zero = f32x<N>::set(0.0f);
        const auto quotient = f32x<N>::set(1.0f) / scale;
        const auto usable = abs(quotient) <= f32x<N>::set(3.402823466e38f);
        select(usable, quotient, zero).store(inverse);
        // A scale of 0 has no inverse either, but a rounding.
        select(usable | (scale == zero), f32x<N>::set(half), zero).store(rounding);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
