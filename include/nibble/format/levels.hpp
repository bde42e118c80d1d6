// Formats whose 4-bit codes stand for sixteen levels with uneven spacing, and the search for the nearest of them.
//
//   values   the levels, as integers
//   zero     makes them unsigned: kernels compute with the bytes values[code] + zero
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/format/search/lane_tools.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// iq4_nl and iq4_xs: dense in the middle, where most weights are. Source: ggml, whose table defines the formats.
struct iq4_levels {
    static constexpr int zero = 128;
    static constexpr std::int8_t values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
};

/// The unsigned byte that kernels compute with.
template <class Levels>
NIBBLE_INLINE constexpr std::uint8_t level_byte(int code) noexcept {
    return static_cast<std::uint8_t>(Levels::values[code] + Levels::zero);
}

namespace detail {

/// A number for each of sixteen ranges, found by the upper three bits of the range and by whether the lowest is 0. Repeated to fill 16 lanes.
struct range_table {
    float even[16], odd[16];

    consteval explicit range_table(const float (&of_range)[16]) noexcept : even{}, odd{} {
        for (int i = 0; i < 16; ++i) {
            even[i] = of_range[i % 8 * 2];
            odd[i] = of_range[i % 8 * 2 + 1];
        }
    }
    template <lane_count auto N>
    NIBBLE_INLINE f32x<N> at(const i32x<N>& upper, const mask32<N>& is_even) const noexcept {
        return select(is_even, pick(f32x<N>::load(even), upper), pick(f32x<N>::load(odd), upper));
    }
};

/// Bisection of sixteen ascending ranges: middles[d] has what a value is compared with once the upper d bits of its range are known.
struct bisection {
    float middles[4][16];

    /// @param starts  where the ranges begin; that of the first has no meaning
    consteval explicit bisection(const float (&starts)[16]) noexcept : middles{} {
        for (int d = 0; d < 4; ++d) {
            const int width = 16 >> d;
            for (int i = 0; i < 16; ++i) middles[d][i] = starts[i % (1 << d) * width + width / 2];
        }
    }
    /// The upper three bits of the range; NaN is in the last one.
    template <lane_count auto N>
    NIBBLE_INLINE i32x<N> find(const f32x<N>& value, mask32<N>& is_even) const noexcept {
        auto upper = i32x<N>::set(0);
        is_even = value < f32x<N>::load(middles[0]);
#pragma GCC unroll 3
        for (int d = 1; d < 4; ++d) {
            upper = upper + upper + select(is_even, i32x<N>::set(0), i32x<N>::set(1));
            is_even = value < pick(f32x<N>::load(middles[d]), upper);
        }
        return upper;
    }
};

/// The levels as ranges: each reaches from the middle below it to the middle above.
template <class Levels>
struct level_ranges {
    float starts[16], levels[16];

    consteval level_ranges() noexcept : starts{}, levels{} {
        for (int i = 0; i < 16; ++i) {
            levels[i] = static_cast<float>(Levels::values[i]);
            if (i != 0) starts[i] = 0.5f * (levels[i - 1] + levels[i]);
        }
    }
};
template <class Levels>
inline constexpr bisection nearest_level(level_ranges<Levels>{}.starts);
template <class Levels>
inline constexpr range_table level_of(level_ranges<Levels>{}.levels);

}  // namespace detail

/// The nearest level of each lane and its code; of two that are equally near the upper one. NaN has the last code, as in the reference.
/// To compare with the middle between two levels is exact: near it both distances are, because no level is far from its neighbours.
template <class Levels, lane_count auto N>
NIBBLE_INLINE i32x<N> find_nearest_level(const f32x<N>& value, f32x<N>& level) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    if constexpr (N >= 8) {
        mask32<N> is_even;
        const auto upper = detail::nearest_level<Levels>.find(value, is_even);
        level = detail::level_of<Levels>.at(upper, is_even);
        return upper + upper + select(is_even, ints::set(0), ints::set(1));
    } else {
        auto code = ints::set(15);
        level = floats::set(Levels::values[15]);
        for (std::size_t i = 0; i < 15; ++i) {
            const float low = Levels::values[i], high = Levels::values[i + 1];
            const auto below = value < floats::set(0.5f * (low + high));
            code = code - select(below, ints::set(1), ints::set(0));
            level = level - select(below, floats::set(high - low), floats::set(0.0f));
        }
        return code;
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
