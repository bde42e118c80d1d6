// The nearest point of a codebook: where the searches of the codebook formats spend their time.
//
// A point is a vector of levels; in the search it stands for step * level - center in each coordinate. Its distance from values y with
// weights w is the sum of w * e * e, e = scale * (step * level - center) - y, coordinate 0 first: this order and these roundings decide
// which of two neighbours is nearer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"
#include "nibble/format/codebook/neighbours.hpp"
#include "nibble/format/search/lane_tools.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// What the levels of points stand for in a search: step * level - center.
struct level_scale {
    float step, center;

    NIBBLE_INLINE float at(int level) const noexcept { return step * static_cast<float>(level) - center; }
    /// Of eight levels at once.
    NIBBLE_INLINE f32x<8> at(const f32x<8>& level) const noexcept { return f32x<8>::set(step) * level - f32x<8>::set(center); }
};

namespace detail {

/// The level of coordinate i.
template <class Book, lane_count auto N>
NIBBLE_INLINE f32x<N> level_at(const i32x<N>& packed, std::size_t i) noexcept {
    return to_float((packed >> (Book::level_bits * static_cast<int>(i))) & i32x<N>::set((1 << Book::level_bits) - 1));
}

/// The first of the nearest neighbours, one after the other.
/// @param list   neighbours as packed levels, `count` of them
/// @param y, w   Book::width values and weights
template <class Book>
NIBBLE_INLINE std::int32_t find_nearest(const std::uint16_t* list, std::size_t count, const float* y, const float* w, float scale,
                                        const auto& levels) noexcept {
    float terms[Book::width][Book::levels];
    for (std::size_t i = 0; i < Book::width; ++i) {
        for (int level = 0; level < Book::levels; ++level) {
            const float e = scale * levels.at(level) - y[i];
            terms[i][level] = w[i] * e * e;
        }
    }
    float least = 3.402823466e38f;
    std::int32_t nearest = list[0];
    for (std::size_t n = 0; n < count; ++n) {
        const std::uint32_t packed = list[n];
        float distance = 0.0f;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < Book::width; ++i) {
            distance = distance + terms[i][(packed >> (Book::level_bits * static_cast<int>(i))) & ((1 << Book::level_bits) - 1)];
        }
        if (distance < least) {
            least = distance;
            nearest = list[n];
        }
    }
    return nearest;
}

/// The same, eight neighbours at once: the terms of a coordinate are a table in a register, one entry a level.
template <class Book>
NIBBLE_INLINE std::int32_t find_nearest_by_8(const std::uint16_t* list, std::size_t count, const float* y, const float* w, float scale,
                                             const auto& levels) noexcept {
    using floats = f32x<8>;
    using ints = i32x<8>;
    const ints lanes = {raw_lanes<std::int32_t, 8>{0, 1, 2, 3, 4, 5, 6, 7}};
    floats terms[Book::width];
    if constexpr (Book::levels == 8) {
        const auto points = floats::set(scale) * levels.at(to_float(lanes));
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) {
            const auto e = points - floats::set(y[i]);
            terms[i] = floats::set(w[i]) * e * e;
        }
    } else {
        // Two coordinates share a register until their entries are doubled, so that an index may have a bit too many.
        const auto points = floats::set(scale) * levels.at(to_float(lanes & ints::set(3)));
        const auto values = floats::load(y), weights = floats::load(w);
        const auto fill = [&](auto at) NIBBLE_LAMBDA_INLINE {
            constexpr int c = decltype(at)::value;
            const floats value = {__builtin_shufflevector(values.raw, values.raw, c, c, c, c, c + 4, c + 4, c + 4, c + 4)};
            const floats weight = {__builtin_shufflevector(weights.raw, weights.raw, c, c, c, c, c + 4, c + 4, c + 4, c + 4)};
            const auto e = points - value;
            const auto term = weight * e * e;
            terms[c] = {__builtin_shufflevector(term.raw, term.raw, 0, 1, 2, 3, 0, 1, 2, 3)};
            terms[c + 4] = {__builtin_shufflevector(term.raw, term.raw, 4, 5, 6, 7, 4, 5, 6, 7)};
        };
        fill(std::integral_constant<int, 0>{});
        fill(std::integral_constant<int, 1>{});
        fill(std::integral_constant<int, 2>{});
        fill(std::integral_constant<int, 3>{});
    }
    const auto distances = [&](std::size_t n) NIBBLE_LAMBDA_INLINE {
        const auto packed = load_u16x8(list + n);
        auto distance = pick(terms[0], packed);
#pragma GCC unroll 8
        for (std::size_t i = 1; i < Book::width; ++i) distance = distance + pick(terms[i], packed >> (Book::level_bits * static_cast<int>(i)));
        return distance;
    };
    auto least = distances(0);
    if (count == 8) return list[first_lane(least == least_of_8(least))];
    auto place = lanes, here = lanes;
    for (std::size_t n = 8; n < count; n += 8) {
        here = here + ints::set(8);
        const auto distance = distances(n);
        const auto nearer = distance < least;
        least = select(nearer, distance, least);
        place = select(nearer, here, place);
    }
    // Of equal distances the first. Distances that are no numbers equal nothing.
    const auto none = ints::set(0x7FFFFFFF);
    const auto first = static_cast<std::size_t>(least_of_8(select(least == least_of_8(least), place, none)).raw[0]);
    return list[first < count ? first : 0];
}

/// The way that suits searches of N lanes.
template <class Book, lane_count auto N>
NIBBLE_INLINE std::int32_t find_nearest_with(const std::uint16_t* list, std::size_t count, const float* y, const float* w, float scale,
                                             const auto& levels) noexcept {
    if constexpr (N < 8) return find_nearest<Book>(list, count, y, w, scale, levels);
    else return find_nearest_by_8<Book>(list, count, y, w, scale, levels);
}

}  // namespace detail

/// Replaces levels that are no point by the nearest point, in the lanes of `wanted`.
/// @param packed     packed levels of N groups
/// @param y, w       Book::width values and weights of the group in lane 0; those of the next lane are `stride` floats further
/// @param levels_of  what levels stand for in a lane
/// @return 1 in lanes that changed, 0 in the others
template <class Book, lane_count auto N>
NIBBLE_INLINE i32x<N> move_to_points(i32x<N>& packed, const mask32<N>& wanted, const float* y, const float* w, std::size_t stride,
                                     const f32x<N>& scale, auto levels_of) noexcept {
    const neighbour_table<Book>& table = neighbours<Book>();
    alignas(64) std::int32_t levels[N], keys[N], moved[N];
    alignas(64) float scales[N];
    packed.store(levels);
    Book::key_of(packed).store(keys);
    scale.store(scales);
    select(wanted, i32x<N>::set(1), i32x<N>::set(0)).store(moved);
    for (std::size_t lane = 0; lane < N; ++lane) {
        const auto key = static_cast<std::size_t>(keys[lane]);
        const std::size_t first = table.first(key), count = 8 * (table.first(key + 1) - first);
        if (count == 0) moved[lane] = 0;
        if (moved[lane] == 0) continue;
        levels[lane] =
            detail::find_nearest_with<Book, N>(table.chunk(first), count, y + lane * stride, w + lane * stride, scales[lane], levels_of(lane));
    }
    packed = i32x<N>::load(levels);
    return i32x<N>::load(moved);
}

/// The same values lane after lane: to[lane][i] = from[i][lane].
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void spread_lanes(const float (*from)[N], float (&to)[N][Count]) noexcept {
    for (std::size_t i = 0; i < Count; ++i) {
        for (std::size_t lane = 0; lane < N; ++lane) to[lane][i] = from[i][lane];
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
