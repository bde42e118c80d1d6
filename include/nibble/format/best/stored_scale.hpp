// The scales that a format can store. The searches run on values divided by a power of two, `unit`; what is stored is scale * unit.
#pragma once

#include "nibble/format/best/lane_math.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// binary16.
struct float16_scale {
    /// The nearest scale; beyond the range the largest.
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& scale) noexcept {
        const auto inside = detail::between(scale, -65504.0f, 65504.0f);
        const auto bits = bits_of(inside);
        const auto one = i32x<N>::set(1);
        const auto normal = float_of_bits((bits + i32x<N>::set(0xFFF) + ((bits >> 13) & one)) & i32x<N>::set(~0x1FFF));
        const auto shift = f32x<N>::set(0.75f);  // floats near it are multiples of 2^-24, as subnormal halves are
        return select(abs(inside) < f32x<N>::set(0x1p-14f), inside + shift - shift, normal);
    }
};

// Scales that are too coarse to be fitted are tried one after the other. They have
//   code_of(scale)  the code of about this scale
//   value_of(code)  the scale of a code
//   last            the last code

/// Powers of two, halved: 2^(code - 128). The half makes the levels of E2M1 whole numbers.
struct half_e8m0_scale {
    static constexpr std::int32_t last = 254;

    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code_of(const f32x<N>& scale) noexcept {
        return (bits_of(scale) >> 23) + i32x<N>::set(1);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> value_of(const i32x<N>& code) noexcept {
        using ints = i32x<N>;
        const auto subnormal = select(code == ints::set(0), ints::set(0x200000), ints::set(0x400000));
        return float_of_bits(select(code < ints::set(2), subnormal, (code - ints::set(1)) << 23));
    }
};

/// E4M3 without sign, halved.
struct half_e4m3_scale {
    static constexpr std::int32_t last = 0x7E;

    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code_of(const f32x<N>& scale) noexcept {
        const auto doubled = lesser(scale + scale, f32x<N>::set(448.0f));
        const auto subnormal = truncate(doubled * f32x<N>::set(512.0f)), normal = (bits_of(doubled) >> 20) - i32x<N>::set(120 << 3);
        return select(doubled < f32x<N>::set(0x1p-6f), subnormal, normal);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> value_of(const i32x<N>& code) noexcept {
        const auto normal = float_of_bits((code + i32x<N>::set(119 << 3)) << 20);
        return select(code < i32x<N>::set(8), to_float(code) * f32x<N>::set(0x1p-10f), normal);
    }
};

/// The nearest stored scale, in units.
template <class Scale, lane_count auto N>
NIBBLE_INLINE f32x<N> nearest_scale(const f32x<N>& scale, const f32x<N>& unit) noexcept {
    return Scale::nearest(scale * unit) / unit;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
