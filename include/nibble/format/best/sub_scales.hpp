// The best scales of a super-block: x is near scale * sub_scale * level, with one whole number sub_scale for each sub-block.
//
// First every sub-block gets the scale that it would like, then the super-block the scale whose multiples come nearest to them; then
// each sub-block tries the multiples around its wish, and the scale is fitted once more to everything that has been rounded by then.
#pragma once

#include <cstddef>

#include "nibble/format/best/scale.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

struct sub_scale_trials {
    scale_trials start;  ///< of the sub-blocks alone
    int supers;          ///< scales tried: the largest sub_scale takes its last values
    int window;          ///< sub_scales tried on either side of the nearest
    int refits;
};

/// What was found for N super-blocks; scale in units.
template <std::size_t Subs, lane_count auto N>
struct sub_scales {
    alignas(64) float scale[N];
    alignas(64) float sub[Subs][N];
};

/// @tparam Low, High  range of a sub_scale; Low < 0
template <class Levels, class Scale, int Low, int High, std::size_t Subs, std::size_t Count, lane_count auto N>
NIBBLE_INLINE void find_best_sub_scales(const float (*x)[+N], const float (*w)[+N], const f32x<N>& unit, const sub_scale_trials trials,
                                        sub_scales<Subs, N>& found) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f), one = floats::set(1.0f), no_error_yet = floats::set(detail::no_error_yet);
    const auto to_sub = [](const floats& ratio) NIBBLE_LAMBDA_INLINE {
        return detail::round_whole(detail::between(ratio, static_cast<float>(Low), static_cast<float>(High)));
    };

    alignas(64) float wish[Subs][N], weight[Subs][N];
    auto extreme = zero;
    for (std::size_t j = 0; j < Subs; ++j) {
        const auto free = scan_scales<Levels, Count, N>(x + j * Count, w + j * Count, trials.start);
        free.scale.store(wish[j]);
        free.weight.store(weight[j]);
        extreme = select(abs(free.scale) > abs(extreme), free.scale, extreme);
    }

    auto scale = zero, least = no_error_yet;
    for (int t = 0; t < trials.supers; ++t) {
        const auto candidate = nearest_scale<Scale>(extreme / floats::set(static_cast<float>(Low + t)), unit);
        const auto inverse = detail::quotient(one, candidate);
        auto error = zero;
        for (std::size_t j = 0; j < Subs; ++j) {
            const auto wanted = floats::load(wish[j]), e = wanted - candidate * to_sub(wanted * inverse);
            error = error + floats::load(weight[j]) * (e * e);
        }
        const auto better = error < least;
        least = select(better, error, least);
        scale = select(better, candidate, scale);
    }

    const auto per_scale = detail::quotient(one, scale);
    for (std::size_t j = 0; j < Subs; ++j) {
        const auto middle = to_sub(floats::load(wish[j]) * per_scale);
        auto best = zero, least_here = no_error_yet;
        // Two at once: one chain of additions would leave the machine waiting.
        for (int t = -trials.window; t <= trials.window; t += 2) {
            const auto a = to_sub(middle + floats::set(static_cast<float>(t))), b = to_sub(middle + floats::set(static_cast<float>(t + 1)));
            const auto scale_a = scale * a, scale_b = scale * b;
            const auto inverse_a = detail::quotient(one, scale_a), inverse_b = detail::quotient(one, scale_b);
            auto error_a = zero, error_b = zero;
            for (std::size_t i = j * Count; i < (j + 1) * Count; ++i) {
                const auto v = floats::load(x[i]), weight_of = floats::load(w[i]);
                const auto e = v - scale_a * Levels::nearest(v * inverse_a), d = v - scale_b * Levels::nearest(v * inverse_b);
                error_a = error_a + weight_of * (e * e);
                error_b = error_b + weight_of * (d * d);
            }
            const auto a_better = error_a < least_here;
            least_here = select(a_better, error_a, least_here);
            best = select(a_better, a, best);
            const auto b_better = error_b < least_here;
            least_here = select(b_better, error_b, least_here);
            best = select(b_better, b, best);
        }
        best.store(found.sub[j]);
    }

    auto next = scale;
    least = no_error_yet;
    for (int r = 0; r <= trials.refits; ++r) {
        auto cx = zero, cc = zero, error = zero;
        for (std::size_t j = 0; j < Subs; ++j) {
            const auto sub = floats::load(found.sub[j]), sub_scale = next * sub, inverse = detail::quotient(one, sub_scale);
            for (std::size_t i = j * Count; i < (j + 1) * Count; ++i) {
                const auto v = floats::load(x[i]), weight_of = floats::load(w[i]);
                const auto level = Levels::nearest(v * inverse), c = sub * level;
                const auto wc = weight_of * c, e = v - sub_scale * level;
                cx = cx + wc * v;
                cc = cc + wc * c;
                error = error + weight_of * (e * e);
            }
        }
        const auto better = error < least;
        least = select(better, error, least);
        scale = select(better, next, scale);
        next = nearest_scale<Scale>(detail::quotient(cx, cc), unit);
    }
    scale.store(found.scale);
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
