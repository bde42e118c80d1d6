// The scales that a format can store. The searches run on values divided by a power of two, `unit`; what is stored is scale * unit.
#pragma once

#include "nibble/format/best/lane_math.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// binary16.
struct float16_scale {
    /// The nearest scale; beyond the range the largest.
    template <int N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& scale) noexcept {
        const auto inside = detail::between(scale, -65504.0f, 65504.0f);
        const auto bits = bits_of(inside);
        const auto one = i32x<N>::set(1);
        const auto normal = float_of_bits((bits + i32x<N>::set(0xFFF) + ((bits >> 13) & one)) & i32x<N>::set(~0x1FFF));
        const auto shift = f32x<N>::set(0.75f);  // floats near it are multiples of 2^-24, as subnormal halves are
        return select(abs(inside) < f32x<N>::set(0x1p-14f), inside + shift - shift, normal);
    }
};

/// The nearest stored scale, in units.
template <class Scale, int N>
NIBBLE_INLINE f32x<N> nearest_scale(const f32x<N>& scale, const f32x<N>& unit) noexcept {
    return Scale::nearest(scale * unit) / unit;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
