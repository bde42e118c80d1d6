// The search for a scale, a shift and points of the ternary codebook: x is near scale * (level - 0.875) or scale * (level - 1.125),
// levels 0, 1, 2, in groups of eight whose levels must be a point. IQ1_S and IQ1_M. Source of the steps and constants: ggml's
// quantize_row_iq1_s_impl and quantize_row_iq1_m_impl (IQ1_M: the version of 2026 that scores splits with prefix sums).
//
// Sorted values fall into three runs, one a level, so all ways to choose levels are all ways to split: every one of them is tried.
//
// Rules of a format:
//   length     elements of a sub-block: 32 or 16
//   halves     each half of a sub-block has its own shift; otherwise the sub-block has one
//   is_empty(magnitude)
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"
#include "nibble/format/codebook/neighbours.hpp"
#include "nibble/format/search/nearest.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// What the search finds, one entry a sub-block; [group][unit], [element][unit].
template <class Rules, std::size_t Units>
struct ternary_fits {
    static constexpr std::size_t groups = Rules::length / 8;
    float scale[Units];
    float center[groups][Units];         ///< 0.875 or 1.125: what is subtracted from levels
    std::int32_t levels[groups][Units];  ///< packed levels of points
    float weights[Rules::length][Units];
};

namespace detail {

/// Values of a sub-block in ascending order, equal ones in their original order, and what belongs to them.
template <std::size_t Count, lane_count auto N>
struct sorted_lanes {
    alignas(64) float values[Count][N];
    alignas(64) float weights[Count][N];
    alignas(64) std::int32_t places[Count][N];
};

/// Batcher's odd-even merge sort: which elements it compares does not depend on the values, so it runs in lanes. With places as second
/// key it is stable, as the reference's sort is.
template <std::size_t Count, lane_count auto N>
NIBBLE_INLINE void sort_lanes(const float (*x)[N], const float (*weights)[N], sorted_lanes<Count, N>& sorted) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    for (std::size_t i = 0; i < Count; ++i) {
        floats::load(x[i]).store(sorted.values[i]);
        floats::load(weights[i]).store(sorted.weights[i]);
        ints::set(static_cast<std::int32_t>(i)).store(sorted.places[i]);
    }
    for (std::size_t run = 1; run < Count; run *= 2) {
        for (std::size_t distance = run; distance > 0; distance /= 2) {
            for (std::size_t from = distance % run; from + distance < Count; from += 2 * distance) {
                for (std::size_t i = from; i < from + distance && i + distance < Count; ++i) {
                    const std::size_t j = i + distance;
                    if (i / (2 * run) != j / (2 * run)) continue;
                    const auto a = floats::load(sorted.values[i]), b = floats::load(sorted.values[j]);
                    const auto a_weight = floats::load(sorted.weights[i]), b_weight = floats::load(sorted.weights[j]);
                    const auto a_place = ints::load(sorted.places[i]), b_place = ints::load(sorted.places[j]);
                    const auto swap = (a > b) | ((a == b) & (a_place > b_place));
                    select(swap, b, a).store(sorted.values[i]);
                    select(swap, a, b).store(sorted.values[j]);
                    select(swap, b_weight, a_weight).store(sorted.weights[i]);
                    select(swap, a_weight, b_weight).store(sorted.weights[j]);
                    select(swap, b_place, a_place).store(sorted.places[i]);
                    select(swap, a_place, b_place).store(sorted.places[j]);
                }
            }
        }
    }
}

/// The best split so far: elements before `low` in sorted order have level 0, before `high` 1, the others 2.
template <lane_count auto N>
struct split {
    f32x<N> scale, score;
    i32x<N> low, high, choice;

    NIBBLE_INLINE split() noexcept {
        score = f32x<N>::set(-3.402823466e38f);
        scale = f32x<N>::set(0.0f);
        low = high = choice = i32x<N>::set(-1);
    }
    NIBBLE_INLINE mask32<N> is_better(const f32x<N>& sum_cx, const f32x<N>& sum_cc) const noexcept {
        return (sum_cc > f32x<N>::set(0.0f)) & (sum_cx * sum_cx > score * sum_cc);
    }
    NIBBLE_INLINE void offer(const f32x<N>& sum_cx, const f32x<N>& sum_cc, std::size_t i1, std::size_t i2, int which) noexcept {
        const auto better = is_better(sum_cx, sum_cc);
        scale = select(better, sum_cx / sum_cc, scale);
        score = select(better, scale * sum_cx, score);
        low = select(better, i32x<N>::set(static_cast<std::int32_t>(i1)), low);
        high = select(better, i32x<N>::set(static_cast<std::int32_t>(i2)), high);
        choice = select(better, i32x<N>::set(which), choice);
    }
};

/// One shift for the whole sub-block. Choice 0: levels - 0.875, 1: levels - 1.125.
template <std::size_t Count, lane_count auto N>
NIBBLE_INLINE split<N> find_split(const sorted_lanes<Count, N>& sorted) noexcept {
    using floats = f32x<N>;
    constexpr float table[2][3] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};
    alignas(64) float x[Count + 1][N], w[Count + 1][N];  // prefix sums
    floats::set(0.0f).store(x[0]);
    floats::set(0.0f).store(w[0]);
    for (std::size_t i = 0; i < Count; ++i) {
        const auto weight = floats::load(sorted.weights[i]);
        (floats::load(x[i]) + weight * floats::load(sorted.values[i])).store(x[i + 1]);
        (floats::load(w[i]) + weight).store(w[i + 1]);
    }
    // What the last run contributes, for each place where it can begin.
    alignas(64) float last_cx[2][Count + 1][N], last_cc[2][Count + 1][N];
    for (std::size_t i = 0; i <= Count; ++i) {
        for (std::size_t k = 0; k < 2; ++k) {
            const auto level = floats::set(table[k][2]);
            ((floats::load(x[Count]) - floats::load(x[i])) * level).store(last_cx[k][i]);
            ((floats::load(w[Count]) - floats::load(w[i])) * level * level).store(last_cc[k][i]);
        }
    }
    split<N> best;
    for (std::size_t i1 = 0; i1 <= Count; ++i1) {
        const auto x1 = floats::load(x[i1]), w1 = floats::load(w[i1]);
        const auto first_cx0 = x1 * floats::set(table[0][0]), first_cx1 = x1 * floats::set(table[1][0]);
        const auto first_cc0 = w1 * floats::set(table[0][0]) * floats::set(table[0][0]);
        const auto first_cc1 = w1 * floats::set(table[1][0]) * floats::set(table[1][0]);
        for (std::size_t i2 = i1; i2 <= Count; ++i2) {
            // The levels between differ in their sign alone.
            const auto eighth = floats::set(0.125f);
            const auto middle_cx = (floats::load(x[i2]) - x1) * eighth, middle_cc = (floats::load(w[i2]) - w1) * eighth * eighth;
            const auto cx0 = first_cx0 + middle_cx + floats::load(last_cx[0][i2]), cx1 = first_cx1 - middle_cx + floats::load(last_cx[1][i2]);
            const auto cc0 = first_cc0 + middle_cc + floats::load(last_cc[0][i2]), cc1 = first_cc1 + middle_cc + floats::load(last_cc[1][i2]);
            if (!any(best.is_better(cx0, cc0) | best.is_better(cx1, cc1))) continue;
            best.offer(cx0, cc0, i1, i2, 0);
            best.offer(cx1, cc1, i1, i2, 1);
        }
    }
    return best;
}

/// A shift for each half of the sub-block. Choice: 2 * (first half) + (second half), each 0: levels - 0.875, 1: levels - 1.125.
template <std::size_t Count, lane_count auto N>
NIBBLE_INLINE split<N> find_split_of_halves(const sorted_lanes<Count, N>& sorted) noexcept {
    using floats = f32x<N>;
    constexpr float top[2] = {1.125f, 0.875f};
    // Squares of the levels: 0.765625, 0.015625 and 1.265625 for the first shift, the outer two exchanged for the second.
    constexpr float low_step[2] = {0.75f, 1.25f}, high_step[2] = {-1.25f, -0.75f};
    alignas(64) float x[2][Count + 1][N], w[2][Count + 1][N];  // prefix sums of the elements of each half, in the order of all
    for (std::size_t h = 0; h < 2; ++h) {
        floats::set(0.0f).store(x[h][0]);
        floats::set(0.0f).store(w[h][0]);
        for (std::size_t i = 0; i < Count; ++i) {
            const auto first_half = i32x<N>::load(sorted.places[i]) < i32x<N>::set(static_cast<std::int32_t>(Count / 2));
            const auto mine = h == 0 ? first_half : !first_half;
            const auto weight = floats::load(sorted.weights[i]);
            const auto before_x = floats::load(x[h][i]), before_w = floats::load(w[h][i]);
            select(mine, before_x + weight * floats::load(sorted.values[i]), before_x).store(x[h][i + 1]);
            select(mine, before_w + weight, before_w).store(w[h][i + 1]);
        }
    }
    split<N> best;
    for (std::size_t i1 = 0; i1 <= Count; ++i1) {
        floats from_cc[2][2];
        for (std::size_t h = 0; h < 2; ++h) {
            for (std::size_t k = 0; k < 2; ++k) {
                const auto level = floats::set(top[k]);
                from_cc[h][k] = floats::load(w[h][Count]) * level * level + floats::load(w[h][i1]) * floats::set(low_step[k]);
            }
        }
        for (std::size_t i2 = i1; i2 <= Count; ++i2) {
            floats cx[2][2], cc[2][2];
            for (std::size_t h = 0; h < 2; ++h) {
                const auto below = floats::load(x[h][i1]) + floats::load(x[h][i2]);
                for (std::size_t k = 0; k < 2; ++k) {
                    cx[h][k] = floats::load(x[h][Count]) * floats::set(top[k]) - below;
                    cc[h][k] = from_cc[h][k] + floats::load(w[h][i2]) * floats::set(high_step[k]);
                }
            }
            auto better = best.is_better(cx[0][0] + cx[1][0], cc[0][0] + cc[1][0]);
            for (std::size_t k = 1; k < 4; ++k) better = better | best.is_better(cx[0][k / 2] + cx[1][k % 2], cc[0][k / 2] + cc[1][k % 2]);
            if (!any(better)) continue;
            for (std::size_t k = 0; k < 4; ++k) {
                best.offer(cx[0][k / 2] + cx[1][k % 2], cc[0][k / 2] + cc[1][k % 2], i1, i2, static_cast<int>(k));
            }
        }
    }
    return best;
}

/// What the sorted order has at a place of its own in each lane; beyond the end, something that no element reaches.
template <std::size_t Count, lane_count auto N>
NIBBLE_INLINE void find_pivot(const sorted_lanes<Count, N>& sorted, const i32x<N>& at, f32x<N>& value, i32x<N>& place) noexcept {
    alignas(64) std::int32_t where[N], places[N];
    alignas(64) float values[N];
    at.store(where);
    for (std::size_t lane = 0; lane < N; ++lane) {
        const auto i = static_cast<std::size_t>(where[lane]);
        values[lane] = i < Count ? sorted.values[i][lane] : 3.402823466e38f;
        places[lane] = i < Count ? sorted.places[i][lane] : static_cast<std::int32_t>(Count);
    }
    value = f32x<N>::load(values);
    place = i32x<N>::load(places);
}

}  // namespace detail

/// @param x        Rules::length values of N sub-blocks, one a lane
/// @param weights  their weights, same order
/// @param found    ternary_fits; receives entries at .. at + N - 1
template <class Rules, lane_count auto N>
NIBBLE_INLINE void find_ternary_points(const float (&x)[Rules::length][N], const float (&weights)[Rules::length][N], auto& found,
                                       std::size_t at) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    constexpr std::size_t length = Rules::length, groups = length / 8;
    const auto zero = floats::set(0.0f);

    auto magnitude = zero;
    for (std::size_t i = 0; i < length; ++i) {
        const auto v = abs(floats::load(x[i]));
        magnitude = select(v > magnitude, v, magnitude);
        floats::load(weights[i]).store(found.weights[i] + at);
    }
    detail::sorted_lanes<length, N> sorted;
    detail::sort_lanes<length, N>(x, weights, sorted);
    detail::split<N> best;
    if constexpr (Rules::halves) best = detail::find_split_of_halves<length, N>(sorted);
    else best = detail::find_split<length, N>(sorted);
    const auto empty = Rules::is_empty(magnitude) | (best.choice < ints::set(0));

    const auto negative = best.scale < zero;
    auto scale = select(negative, -best.scale, best.scale);
    floats center[groups];
    alignas(64) float centers[groups][N];
    for (std::size_t g = 0; g < groups; ++g) {
        const int bit = Rules::halves && g < groups / 2 ? 2 : 1;
        const auto second = (best.choice & ints::set(bit)) > ints::set(0);
        center[g] = select(second, floats::set(1.125f), floats::set(0.875f));
        center[g] = select(negative, floats::set(2.0f) - center[g], center[g]);
        center[g].store(centers[g]);
    }

    floats low, high;
    ints low_place, high_place;
    detail::find_pivot(sorted, best.low, low, low_place);
    detail::find_pivot(sorted, best.high, high, high_place);
    alignas(64) float x_rows[N][length], weight_rows[N][length];
    spread_lanes<N>(x, x_rows);
    spread_lanes<N>(weights, weight_rows);
    ints levels[groups];
    auto moved = ints::set(0);
    for (std::size_t g = 0; g < groups; ++g) {
        auto packed = ints::set(0);
        for (std::size_t i = 0; i < 8; ++i) {
            const auto v = floats::load(x[8 * g + i]);
            const auto place = ints::set(static_cast<std::int32_t>(8 * g + i) + 1);
            const auto one = ints::set(1 << (2 * i)), none = ints::set(0);
            const auto above_low = (v > low) | ((v == low) & (place > low_place));
            const auto above_high = (v > high) | ((v == high) & (place > high_place));
            packed = packed + select(above_low, one, none) + select(above_high, one, none);
        }
        packed = select(negative, ints::set(0xAAAA) - packed, packed);  // level to 2 - level
        const auto shifted = [&](std::size_t lane) NIBBLE_LAMBDA_INLINE { return level_scale{1.0f, centers[g][lane]}; };
        const auto here = move_to_points<iq1_book, N>(packed, !empty, x_rows[0] + 8 * g, weight_rows[0] + 8 * g, length, scale, shifted);
        moved = moved | here;
        levels[g] = select(empty, ints::set(0), packed);
    }
    const auto refit = moved > ints::set(0);
    if (any(refit)) {
        auto sum_cx = zero, sum_cc = zero;
        for (std::size_t i = 0; i < length; ++i) {
            const auto code = detail::level_at<iq1_book>(levels[i / 8], i % 8) - center[i / 8];
            const auto weighted = floats::load(weights[i]) * code;
            sum_cx = sum_cx + weighted * floats::load(x[i]);
            sum_cc = sum_cc + weighted * code;
        }
        scale = select(refit & (sum_cx > zero) & (sum_cc > zero), sum_cx / sum_cc, scale);
    }
    select(empty, zero, scale).store(found.scale + at);
    for (std::size_t g = 0; g < groups; ++g) {
        select(empty, floats::set(0.875f), center[g]).store(found.center[g] + at);
        levels[g].store(found.levels[g] + at);
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
