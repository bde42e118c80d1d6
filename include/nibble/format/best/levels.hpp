// The levels of a format: what its codes stand for before the scale.
#pragma once

#include "nibble/format/best/lane_math.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Whole numbers Low .. High; code 0 is Low.
template <int Low, int High>
struct uniform_levels {
    /// Whether a scale and its negative reach the same values.
    static constexpr bool symmetric = High == -Low;

    template <int N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& value) noexcept {
        return detail::round_whole(detail::between(value, static_cast<float>(Low), static_cast<float>(High)));
    }
    template <int N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value) noexcept {
        return truncate(nearest(value)) - i32x<N>::set(Low);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
