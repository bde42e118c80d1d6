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
template <int N>
struct free_scale {
    f32x<N> scale;
    f32x<N> weight;  ///< sum of w * level^2: a difference d in the scale adds weight * d^2 to the error
};

/// The best of many scales, each fitted to the codes that it leads to.
template <class Levels, std::size_t Count, int N>
NIBBLE_INLINE free_scale<N> scan_scales(const float (*x)[N], const float (*w)[N], const scale_trials trials) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    auto largest = zero;
    for (std::size_t i = 0; i < Count; ++i) largest = detail::maximum(largest, abs(floats::load(x[i])));
    const auto per_largest = detail::quotient(floats::set(1.0f), largest);

    free_scale<N> best = {zero, zero};
    auto best_gain = zero;
    // Two at once: one chain of additions would leave the machine waiting.
    for (int t = 0; t < trials.count; t += Levels::symmetric ? 2 : 1) {
        const auto inverse = floats::set(trials.first + trials.step * static_cast<float>(t)) * per_largest;
        const auto other = Levels::symmetric ? floats::set(trials.first + trials.step * static_cast<float>(t + 1)) * per_largest : -inverse;
        auto cx = zero, cc = zero, other_cx = zero, other_cc = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), weight = floats::load(w[i]);
            const auto c = Levels::nearest(v * inverse), d = Levels::nearest(v * other);
            const auto wc = weight * c, wd = weight * d;
            cx = cx + wc * v;
            cc = cc + wc * c;
            other_cx = other_cx + wd * v;
            other_cc = other_cc + wd * d;
        }
        const auto offer = [&](const floats& sum_cx, const floats& sum_cc) NIBBLE_LAMBDA_INLINE {
            const auto fitted = detail::quotient(sum_cx, sum_cc), gain = fitted * sum_cx;
            const auto better = gain > best_gain;
            best_gain = select(better, gain, best_gain);
            best.scale = select(better, fitted, best.scale);
            best.weight = select(better, sum_cc, best.weight);
        };
        offer(cx, cc);
        offer(other_cx, other_cc);
    }
    return best;
}

/// The best scale that a format stores, in units.
template <class Levels, class Scale, std::size_t Count, int N>
NIBBLE_INLINE f32x<N> find_best_scale(const float (*x)[N], const float (*w)[N], const f32x<N>& unit, const scale_trials trials) noexcept {
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

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
