// The levels of a format: what its codes stand for before the scale.
#pragma once

#include "nibble/format/best/lane_math.hpp"
#include "nibble/format/levels.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Whole numbers Low .. High; code 0 is Low.
template <int Low, int High>
struct uniform_levels {
    /// Whether a scale and its negative reach the same values.
    static constexpr bool symmetric = High == -Low;

    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& value) noexcept {
        return detail::round_whole(detail::between(value, static_cast<float>(Low), static_cast<float>(High)));
    }
    /// The nearest level, and the nearest one to the negative with the sign changed: what a negative scale would lead to. |value| < 2^22.
    template <lane_count auto N>
    NIBBLE_INLINE static void nearest_mirrored(const f32x<N>& value, f32x<N>& level, f32x<N>& mirrored) noexcept {
        const auto whole = detail::round_whole(value);
        level = detail::between(whole, static_cast<float>(Low), static_cast<float>(High));
        mirrored = detail::between(whole, static_cast<float>(-High), static_cast<float>(-Low));
    }
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value) noexcept {
        return truncate(nearest(value)) - i32x<N>::set(Low);
    }
};

/// -1 and 1; code 0 is -1.
struct sign_levels {
    static constexpr bool symmetric = true;

    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& value) noexcept {
        return select(value >= f32x<N>::set(0.0f), f32x<N>::set(1.0f), f32x<N>::set(-1.0f));
    }
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value) noexcept {
        return ones_where(value >= f32x<N>::set(0.0f));
    }
};

/// Sixteen ascending levels (format/levels.hpp).
template <class Levels>
struct listed_levels {
    static constexpr bool symmetric = false;

    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& value) noexcept {
        f32x<N> level;
        (void)find_nearest_level<Levels, N>(value, level);
        return level;
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void nearest_mirrored(const f32x<N>& value, f32x<N>& level, f32x<N>& mirrored) noexcept {
        level = nearest(value);
        mirrored = -nearest(-value);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value) noexcept {
        f32x<N> level;
        return find_nearest_level<Levels, N>(value, level);
    }
};

/// Twice the values of E2M1: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives; code 8 is the sign. From 2 on they are the floats with one bit of
/// mantissa.
struct float4_levels {
    static constexpr bool symmetric = true;

    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> nearest(const f32x<N>& value) noexcept {
        const auto size = magnitude(value);
        return float_of_bits(bits_of(size) | (bits_of(value) & i32x<N>::set(static_cast<std::int32_t>(0x80000000u))));
    }
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value) noexcept {
        const auto level = truncate(magnitude(value));
        const auto upper = i32x<N>::set(2) + (level >> 1);  // 5, 6 and (too much) 8
        const auto number = select(level > i32x<N>::set(4), clamp(upper, 0, 7), level);
        const auto negative = (value < f32x<N>::set(0.0f)) & (level > i32x<N>::set(0));
        return number | (ones_where(negative) << 3);
    }

private:
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> magnitude(const f32x<N>& value) noexcept {
        const auto inside = lesser(abs(value), f32x<N>::set(12.0f));
        const auto rounded = float_of_bits((bits_of(inside) + i32x<N>::set(0x200000)) & i32x<N>::set(~0x3FFFFF));
        return select(inside < f32x<N>::set(2.0f), detail::round_whole(inside), rounded);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
