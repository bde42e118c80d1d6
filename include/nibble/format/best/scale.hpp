// The best scale of a group of values: x is near scale * level.
#pragma once

#include <cstddef>

#include "nibble/format/best/levels.hpp"
#include "nibble/format/best/stored_scale.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Candidates: the largest |x| becomes first + step * t, t = 0 .. count - 1 (an even number); with both signs where that matters.
struct scale_trials {
    float first, step;
    int count;
    int refits;  ///< how often the winner's codes and scale are fitted to each other
};

/// A scale fitted to its codes, not rounded.
template <lane_count auto N>
struct free_scale {
    f32x<N> scale;
    f32x<N> weight;  ///< sum of w * level^2: a difference d in the scale adds weight * d^2 to the error
};

/// The best of many scales, each fitted to the codes that it leads to.
template <class Levels, std::size_t Count, lane_count auto N>
NIBBLE_INLINE free_scale<N> scan_scales(const float (*x)[N], const float (*w)[N], const scale_trials trials) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    auto largest = zero;
    for (std::size_t i = 0; i < Count; ++i) largest = greater(largest, abs(floats::load(x[i])));
    const auto per_largest = detail::quotient(floats::set(1.0f), largest);

    free_scale<N> best = {zero, zero};
    auto best_gain = zero;
    // Two at once: one chain of additions would leave the machine waiting.
    for (int t = 0; t < trials.count; t += Levels::symmetric ? 2 : 1) {
        const auto inverse = floats::set(trials.first + trials.step * static_cast<float>(t)) * per_largest;
        const auto next = floats::set(trials.first + trials.step * static_cast<float>(t + 1)) * per_largest;
        auto cx = zero, cc = zero, other_cx = zero, other_cc = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), weight = floats::load(w[i]);
            floats c, d;
            if constexpr (Levels::symmetric) {
                c = Levels::nearest(v * inverse);
                d = Levels::nearest(v * next);
            } else {
                Levels::nearest_mirrored(v * inverse, c, d);
            }
            const auto wc = weight * c, wd = weight * d;
            cx = cx + wc * v;
            cc = cc + wc * c;
            other_cx = other_cx + wd * v;
            other_cc = other_cc + wd * d;
        }
        const auto offer = [&](const floats& sum_cx, const floats& sum_cc, bool mirrored) NIBBLE_LAMBDA_INLINE {
            const auto fitted = detail::quotient(sum_cx, sum_cc), gain = fitted * sum_cx;
            const auto better = gain > best_gain;
            best_gain = select(better, gain, best_gain);
            best.scale = select(better, mirrored ? -fitted : fitted, best.scale);
            best.weight = select(better, sum_cc, best.weight);
        };
        offer(cx, cc, false);
        offer(other_cx, other_cc, !Levels::symmetric);
    }
    return best;
}

/// The best scale that a format stores, in units.
template <class Levels, class Scale, std::size_t Count, lane_count auto N>
NIBBLE_INLINE f32x<N> find_best_scale(const float (*x)[+N], const float (*w)[+N], const f32x<N>& unit, const scale_trials trials) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    auto next = nearest_scale<Scale>(scan_scales<Levels, Count, N>(x, w, trials).scale, unit);
    if (trials.refits == 0) return next;

    auto best = next, least = floats::set(detail::no_error_yet);
    for (int r = 0; r <= trials.refits; ++r) {
        const auto inverse = detail::quotient(floats::set(1.0f), next);
        auto cx = zero, cc = zero, error = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), weight = floats::load(w[i]);
            const auto c = Levels::nearest(v * inverse);
            const auto wc = weight * c, e = v - next * c;
            cx = cx + wc * v;
            cc = cc + wc * c;
            error = error + weight * (e * e);
        }
        const auto better = error < least;
        least = select(better, error, least);
        best = select(better, next, best);
        next = nearest_scale<Scale>(detail::quotient(cx, cc), unit);
    }
    return best;
}

/// The best of coarse scales (stored_scale.hpp): those around the one that makes the largest |x| a level.
/// @param level        this level
/// @param below, above how many scales are tried before and after; an even number with the one itself
/// @return its code
template <class Levels, class Scale, std::size_t Count, lane_count auto N>
NIBBLE_INLINE i32x<N> find_best_scale_code(const float (*x)[+N], const float (*w)[+N], const f32x<N>& unit, float level, int below,
                                           int above) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto zero = floats::set(0.0f);
    auto largest = zero;
    for (std::size_t i = 0; i < Count; ++i) largest = greater(largest, abs(floats::load(x[i])));
    const auto middle = Scale::code_of(largest * unit / floats::set(level));
    auto best = ints::set(0);
    auto least = floats::set(detail::no_error_yet);
    for (int t = -below; t <= above; t += 2) {
        const auto code = clamp(middle + ints::set(t), 0, Scale::last), other = clamp(middle + ints::set(t + 1), 0, Scale::last);
        const auto scale = Scale::value_of(code) / unit, other_scale = Scale::value_of(other) / unit;
        const auto inverse = detail::quotient(floats::set(1.0f), scale), other_inverse = detail::quotient(floats::set(1.0f), other_scale);
        auto error = zero, other_error = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), weight = floats::load(w[i]);
            const auto e = v - scale * Levels::nearest(v * inverse), d = v - other_scale * Levels::nearest(v * other_inverse);
            error = error + weight * (e * e);
            other_error = other_error + weight * (d * d);
        }
        const auto better = error < least;
        least = select(better, error, least);
        best = select(better, code, best);
        const auto other_better = other_error < least;
        least = select(other_better, other_error, least);
        best = select(other_better, other, best);
    }
    return best;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
