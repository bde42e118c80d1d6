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

/// Bisection of ascending levels, as tables for pick: middles[d] has what a value is compared with once the upper d bits of its code
/// are known, even and odd what the lowest bit chooses from. Everything is repeated to fill 16 lanes.
template <class Levels>
struct bisection {
    float middles[4][16], even[16], odd[16];

    consteval bisection() noexcept : middles{}, even{}, odd{} {
        for (int i = 0; i < 16; ++i) {
            for (int d = 0; d < 4; ++d) {
                const int width = 16 >> d, above = i % (1 << d) * width + width / 2;
                middles[d][i] = 0.5f * static_cast<float>(Levels::values[above - 1] + Levels::values[above]);
            }
            even[i] = static_cast<float>(Levels::values[i % 8 * 2]);
            odd[i] = static_cast<float>(Levels::values[i % 8 * 2 + 1]);
        }
    }
};
template <class Levels>
inline constexpr bisection<Levels> bisection_of{};

}  // namespace detail

/// The nearest level of each lane and its code; of two that are equally near the upper one. NaN has the last code, as in the reference.
/// To compare with the middle between two levels is exact: near it both distances are, because no level is far from its neighbours.
template <class Levels, int N>
NIBBLE_INLINE i32x<N> find_nearest_level(const f32x<N>& value, f32x<N>& level) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto& tables = detail::bisection_of<Levels>;
    if constexpr (N >= 8) {
        auto code = ints::set(0);
        auto below = value < floats::load(tables.middles[0]);
#pragma GCC unroll 3
        for (int d = 1; d < 4; ++d) {
            code = code + code + select(below, ints::set(0), ints::set(1));
            below = value < detail::pick(floats::load(tables.middles[d]), code);
        }
        level = select(below, detail::pick(floats::load(tables.even), code), detail::pick(floats::load(tables.odd), code));
        return code + code + select(below, ints::set(0), ints::set(1));
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
