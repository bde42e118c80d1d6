// The search for a scale of uneven levels: x is near scale * level. IQ4_NL and IQ4_XS. Source of the steps and constants: ggml's
// quantize_row_iq4_nl_impl.
#pragma once

#include "nibble/format/levels.hpp"
#include "nibble/format/search/magnitude.hpp"
#include "nibble/format/search/odd_codes.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/split_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {

/// What a value that moves away from zero meets next: the middle between two neighbouring levels, and these.
template <class Levels>
struct outward {
    float starts[16], middles[16], lower[16], upper[16];

    /// Range i meets the middle below level i, if that is negative; what is positive is a level lower. At both ends it is the last middle, which the
    /// value may have passed already.
    consteval outward() noexcept : starts{}, middles{}, lower{}, upper{} {
        const level_ranges<Levels> nearest;
        for (int i = 1; i < 16; ++i) {
            middles[i] = nearest.starts[i];
            lower[i] = nearest.levels[i - 1];
            upper[i] = nearest.levels[i];
            const float before = i == 1 ? -3.402823466e38f : nearest.starts[i - 1];
            starts[i] = middles[i] > 0.0f ? (before > 0.0f ? before : 0.0f) : (i == 1 ? before : middles[i]);
        }
    }
    /// Whether a value that grows by this factor meets no second one.
    consteval bool meets_one(float growth) const noexcept {
        for (int i = 2; i < 16; ++i) {
            const bool same_side = (middles[i - 1] > 0.0f) == (middles[i] > 0.0f);
            const float inner = middles[middles[i] > 0.0f ? i - 1 : i], outer = middles[middles[i] > 0.0f ? i : i - 1];
            if (same_side && outer / inner < growth) return false;
        }
        return true;
    }
};
template <class Levels>
inline constexpr bisection outward_range(outward<Levels>{}.starts);
template <class Levels>
inline constexpr range_table outward_middle(outward<Levels>{}.middles);
template <class Levels>
inline constexpr range_table outward_lower(outward<Levels>{}.lower);
template <class Levels>
inline constexpr range_table outward_upper(outward<Levels>{}.upper);

/// Sums over the values of a sub-block, of weight * level * value and weight * level * level, or what one value adds to them.
template <lane_count auto N>
struct level_sums {
    f32x<N> cx, cc;

    NIBBLE_INLINE static level_sums of(const f32x<N>& value, const f32x<N>& weight, const f32x<N>& level) noexcept {
        const auto weighted = weight * level;
        return {weighted * value, weighted * level};
    }
    NIBBLE_INLINE void add(const level_sums& term) noexcept {
        cx = cx + term.cx;
        cc = cc + term.cc;
    }
};

}  // namespace detail

/// @param x       Count values of N sub-blocks, one a lane
/// @param weights their weights, same order
/// @return the scale; 0 in a lane without a value of at least 1e-15
template <class Levels, lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_level_scale(const float (&x)[Count][N], const float (&weights)[Count][N]) noexcept {
    using floats = f32x<N>;
    using sums = detail::level_sums<N>;
    const auto zero = floats::set(0.0f);
    const auto first_level = floats::set(Levels::values[0]);
    const auto extreme = find_extreme<N>(x);
    const auto measure = [&](const floats& inverse) NIBBLE_LAMBDA_INLINE {
        sums sum = {zero, zero};
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]);
            floats level;
            (void)find_nearest_level<Levels, N>(inverse * v, level);
            sum.add(sums::of(v, floats::load(weights[i]), level));
        }
        return sum;
    };

    // First the extreme value gets minus the first level, then about the first level itself.
    const auto first = measure(floats::set(1.0f) / (-extreme / first_level));
    auto scale = select(first.cc > zero, first.cx / first.cc, zero);
    auto score = scale * first.cx;
    constexpr int last = 7;
    const auto inverse_of = [&](int t) NIBBLE_LAMBDA_INLINE { return (floats::set(static_cast<float>(t)) + first_level) / extreme; };
    const auto consider = [&](const sums& sum) NIBBLE_LAMBDA_INLINE {
        const auto better = (sum.cc > zero) & (sum.cx * sum.cx > score * sum.cc);
        scale = select(better, sum.cx / sum.cc, scale);
        score = select(better, scale * sum.cx, score);
    };
    if constexpr (N < 8) {
        for (int t = -last; t <= last; ++t) consider(measure(inverse_of(t)));
    } else {
        // From the last trial to the first, values move so little away from zero that each has two levels at most.
        constexpr float most = Levels::values[0] < 0 ? -Levels::values[0] : Levels::values[0];
        static_assert(detail::outward<Levels>{}.meets_one(1.01f * (most + last) / (most - last)));
        alignas(64) float middles[Count][N];
        sums lower[Count], upper[Count];
        const auto least = inverse_of(last);
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), w = floats::load(weights[i]);
            mask32<N> is_even;
            const auto range = detail::outward_range<Levels>.find(least * v, is_even);
            detail::outward_middle<Levels>.at(range, is_even).store(middles[i]);
            lower[i] = sums::of(v, w, detail::outward_lower<Levels>.at(range, is_even));
            upper[i] = sums::of(v, w, detail::outward_upper<Levels>.at(range, is_even));
        }
        constexpr int together = N == 8 ? 3 : 5;  // as many as there are registers for
        for (int t = -last; t <= last; t += together) {
            floats inverse[together];
            sums sum[together];
            for (int k = 0; k < together; ++k) {
                inverse[k] = inverse_of(t + k);
                sum[k] = {zero, zero};
            }
            for (std::size_t i = 0; i < Count; ++i) {
                const auto v = floats::load(x[i]), middle = floats::load(middles[i]);
                const sums below = lower[i], above = upper[i];
#pragma GCC unroll 5
                for (int k = 0; k < together; ++k) {
                    const auto is_below = inverse[k] * v < middle;
                    sum[k].add({select(is_below, below.cx, above.cx), select(is_below, below.cc, above.cc)});
                }
            }
            for (int k = 0; k < together; ++k) consider(sum[k]);
        }
    }
    return select(abs(extreme) < floats::set(1e-15f), zero, scale);
}

/// Writes the codes of the levels that are nearest to 32 values. Scale 0 gives the code of the level nearest to 0.
template <class Levels, lane_count auto N>
NIBBLE_INLINE void set_nearest_levels(const float* values, float scale, split_codes<4>& codes) noexcept {
    const auto inverse = f32x<N>::set(inverse_or_zero(f32x<1>{scale}).raw);
    codes.set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
        f32x<N> level;
        return find_nearest_level<Levels, N>(inverse * f32x<N>::load(values + i), level);
    });
}

/// The searching half of a format (format/encode.hpp): scales of 32 elements.
template <class Levels>
struct level_search {
    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        weigh_squares<N>(x, weights);
        find_level_scale<Levels, N>(x, weights).store(found.scale + at);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_level_scale<Levels, N>(x, weights).store(found.scale + at);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
