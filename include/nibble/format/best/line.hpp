// The best scale and offset of a group of values: x is near scale * code + offset, codes 0 .. MaxCode.
#pragma once

#include <cstddef>

#include "nibble/format/best/levels.hpp"
#include "nibble/format/best/stored_scale.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Candidates: the codes span all values but first + step * t of their width at either end, t = 0 .. count - 1; all pairs of ends.
struct line_trials {
    float first, step;
    int count;
    int refits;  ///< how often the winner's codes and line are fitted to each other
};

/// A line fitted to its codes, not rounded. Differences ds and do add cc * ds^2 + 2 * c * ds * do + w * do^2 to the error.
template <lane_count auto N>
struct free_line {
    f32x<N> scale, offset;
    f32x<N> cc, c, w;  ///< sums of w * code^2, w * code, w
    f32x<N> mean;      ///< of the values
};

/// The best of many lines, each fitted to the codes that it leads to.
/// @tparam Below  the offset must not be above 0
template <int MaxCode, bool Below, std::size_t Count, lane_count auto N>
NIBBLE_INLINE free_line<N> scan_lines(const float (*x)[N], const float (*w)[N], const line_trials trials) noexcept {
    using floats = f32x<N>;
    using levels = uniform_levels<0, MaxCode>;
    const auto zero = floats::set(0.0f);
    auto low = floats::load(x[0]), high = low, sum_w = zero, sum_x = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]), weight = floats::load(w[i]);
        low = lesser(low, v);
        high = greater(high, v);
        sum_w = sum_w + weight;
        sum_x = sum_x + weight * v;
    }
    const auto mean = detail::quotient(sum_x, sum_w);
    if constexpr (Below) low = lesser(low, zero);
    const auto width = high - low;

    free_line<N> best = {zero, mean, zero, zero, sum_w, mean};
    auto best_gain = mean * sum_x;
    if constexpr (Below) {
        best_gain = select(mean > zero, zero, best_gain);
        best.offset = lesser(mean, zero);
    }
    for (int a = 0; a < trials.count; ++a) {
        const auto from = low + width * floats::set(trials.first + trials.step * static_cast<float>(a));
        for (int b = 0; b < trials.count; ++b) {
            const auto to = high - width * floats::set(trials.first + trials.step * static_cast<float>(b));
            const auto inverse = detail::quotient(floats::set(static_cast<float>(MaxCode)), to - from);
            const auto shift = -(from * inverse);
            auto c = zero, cc = zero, cx = zero;
            for (std::size_t i = 0; i < Count; ++i) {
                const auto v = floats::load(x[i]);
                const auto code = levels::nearest(v * inverse + shift);
                const auto wc = floats::load(w[i]) * code;
                c = c + wc;
                cc = cc + wc * code;
                cx = cx + wc * v;
            }
            const auto mean_code = detail::quotient(c, sum_w), covariance = cx - c * mean, variance = cc - c * mean_code;
            auto scale = detail::quotient(covariance, variance), offset = mean - scale * mean_code;
            auto gain = scale * covariance + mean * sum_x;
            if constexpr (Below) {
                const auto above = offset > zero;
                scale = select(above, detail::quotient(cx, cc), scale);
                gain = select(above, scale * cx, gain);
                offset = select(above, zero, offset);
            }
            // Where all codes are equal the variance is what rounding left of it.
            const auto better = (gain > best_gain) & (variance > cc * floats::set(0x1p-16f));
            best_gain = select(better, gain, best_gain);
            best.scale = select(better, scale, best.scale);
            best.offset = select(better, offset, best.offset);
            best.cc = select(better, cc, best.cc);
            best.c = select(better, c, best.c);
        }
    }
    return best;
}

/// A line that a format stores, in units.
template <lane_count auto N>
struct stored_line {
    f32x<N> scale, offset;
};

/// The best line that a format stores.
template <int MaxCode, class Scale, std::size_t Count, lane_count auto N>
NIBBLE_INLINE stored_line<N> find_best_line(const float (*x)[+N], const float (*w)[+N], const f32x<N>& unit,
                                            const line_trials trials) noexcept {
    using floats = f32x<N>;
    using levels = uniform_levels<0, MaxCode>;
    const auto zero = floats::set(0.0f);
    const auto line = scan_lines<MaxCode, false, Count, N>(x, w, trials);
    stored_line<N> next = {nearest_scale<Scale>(line.scale, unit), nearest_scale<Scale>(line.offset, unit)}, best = next;
    auto least = floats::set(detail::no_error_yet);
    for (int r = 0; r <= trials.refits; ++r) {
        const auto inverse = detail::quotient(floats::set(1.0f), next.scale), shift = -(next.offset * inverse);
        auto c = zero, cc = zero, cx = zero, error = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), weight = floats::load(w[i]);
            const auto code = levels::nearest(v * inverse + shift);
            const auto wc = weight * code, e = v - (next.scale * code + next.offset);
            c = c + wc;
            cc = cc + wc * code;
            cx = cx + wc * v;
            error = error + weight * (e * e);
        }
        const auto better = error < least;
        least = select(better, error, least);
        best.scale = select(better, next.scale, best.scale);
        best.offset = select(better, next.offset, best.offset);
        const auto mean_code = detail::quotient(c, line.w);
        next.scale = nearest_scale<Scale>(detail::quotient(cx - c * line.mean, cc - c * mean_code), unit);
        next.offset = nearest_scale<Scale>(line.mean - next.scale * mean_code, unit);  // the one that suits the rounded scale
    }
    return best;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
