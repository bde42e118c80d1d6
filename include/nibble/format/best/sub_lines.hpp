// The best scales and offsets of a super-block: x is near scale * sub_scale * code - offset * sub_offset, with whole numbers sub_scale
// and sub_offset for each sub-block. The steps are those of sub_scales.hpp.
#pragma once

#include <cstddef>

#include "nibble/format/best/line.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

struct sub_line_trials {
    line_trials start;  ///< of the sub-blocks alone
    int supers;         ///< scales and offsets tried, all pairs
    float step;         ///< by this part the next one is larger
    int scale_window, offset_window;
    int refits;
};

/// What was found for N super-blocks; scale and offset in units.
template <std::size_t Subs, lane_count auto N>
struct sub_lines {
    alignas(64) float scale[N], offset[N];
    alignas(64) float sub_scale[Subs][N], sub_offset[Subs][N];
};

/// @tparam MaxSub  sub_scale and sub_offset are 0 .. MaxSub
template <int MaxCode, class Scale, int MaxSub, std::size_t Subs, std::size_t Count, lane_count auto N>
NIBBLE_INLINE void find_best_sub_lines(const float (*x)[+N], const float (*w)[+N], const f32x<N>& unit, const sub_line_trials trials,
                                       sub_lines<Subs, N>& found) noexcept {
    using floats = f32x<N>;
    using levels = uniform_levels<0, MaxCode>;
    const auto zero = floats::set(0.0f), one = floats::set(1.0f), no_error_yet = floats::set(detail::no_error_yet);
    const auto to_sub = [](const floats& ratio)
                            NIBBLE_LAMBDA_INLINE { return detail::round_whole(detail::between(ratio, 0.0f, static_cast<float>(MaxSub))); };

    struct wishes {
        alignas(64) float scale[N], offset[N], cc[N], c[N], w[N], mean[N], mean_code[N];
    } wish[Subs];
    auto top_scale = zero, top_offset = zero;
    for (std::size_t j = 0; j < Subs; ++j) {
        const auto line = scan_lines<MaxCode, true, Count, N>(x + j * Count, w + j * Count, trials.start);
        line.scale.store(wish[j].scale);
        (-line.offset).store(wish[j].offset);
        line.cc.store(wish[j].cc);
        line.c.store(wish[j].c);
        line.w.store(wish[j].w);
        line.mean.store(wish[j].mean);
        detail::quotient(line.c, line.w).store(wish[j].mean_code);
        top_scale = greater(top_scale, line.scale);
        top_offset = greater(top_offset, -line.offset);
    }

    auto scale = zero, offset = zero, least = no_error_yet;
    for (int a = 0; a < trials.supers; ++a) {
        const auto part = floats::set(1.0f / static_cast<float>(MaxSub));
        const auto candidate_scale = nearest_scale<Scale>(top_scale * part * floats::set(1.0f + trials.step * static_cast<float>(a)), unit);
        const auto per_scale = detail::quotient(one, candidate_scale);
        for (int b = 0; b < trials.supers; ++b) {
            const auto candidate_offset =
                nearest_scale<Scale>(top_offset * part * floats::set(1.0f + trials.step * static_cast<float>(b)), unit);
            const auto per_offset = detail::quotient(one, candidate_offset);
            auto error = zero;
            for (const auto& sub : wish) {
                const auto s = floats::load(sub.scale), o = floats::load(sub.offset), c = floats::load(sub.c);
                const auto ds = s - candidate_scale * to_sub(s * per_scale);
                const auto wanted = o - ds * floats::load(sub.mean_code);  // the offset makes good what it can
                const auto d = o - candidate_offset * to_sub(wanted * per_offset);
                error = error + (floats::load(sub.cc) * ds - (c + c) * d) * ds + floats::load(sub.w) * (d * d);
            }
            const auto better = error < least;
            least = select(better, error, least);
            scale = select(better, candidate_scale, scale);
            offset = select(better, candidate_offset, offset);
        }
    }

    const auto per_scale = detail::quotient(one, scale), per_offset = detail::quotient(one, offset);
    for (std::size_t j = 0; j < Subs; ++j) {
        const auto s = floats::load(wish[j].scale), o = floats::load(wish[j].offset), mean_code = floats::load(wish[j].mean_code);
        const auto middle = to_sub(s * per_scale);
        auto best_scale = zero, best_offset = zero, least_here = no_error_yet;
        for (int a = -trials.scale_window; a <= trials.scale_window; ++a) {
            const auto k = to_sub(middle + floats::set(static_cast<float>(a)));
            const auto sub_scale = scale * k, inverse = detail::quotient(one, sub_scale);
            const auto nearest = to_sub((o + (sub_scale - s) * mean_code) * per_offset);
            for (int b = -trials.offset_window; b <= trials.offset_window; ++b) {
                const auto m = to_sub(nearest + floats::set(static_cast<float>(b)));
                const auto sub_offset = offset * m, shift = sub_offset * inverse;
                auto error = zero;
                for (std::size_t i = j * Count; i < (j + 1) * Count; ++i) {
                    const auto v = floats::load(x[i]);
                    const auto e = v - (sub_scale * levels::nearest(v * inverse + shift) - sub_offset);
                    error = error + floats::load(w[i]) * (e * e);
                }
                const auto better = error < least_here;
                least_here = select(better, error, least_here);
                best_scale = select(better, k, best_scale);
                best_offset = select(better, m, best_offset);
            }
        }
        best_scale.store(found.sub_scale[j]);
        best_offset.store(found.sub_offset[j]);
    }

    auto next_scale = scale, next_offset = offset;
    least = no_error_yet;
    for (int r = 0; r <= trials.refits; ++r) {
        auto ss = zero, so = zero, oo = zero, sx = zero, ox = zero, error = zero;
        for (std::size_t j = 0; j < Subs; ++j) {
            const auto k = floats::load(found.sub_scale[j]), m = floats::load(found.sub_offset[j]), sum_w = floats::load(wish[j].w);
            const auto sub_scale = next_scale * k, sub_offset = next_offset * m;
            const auto inverse = detail::quotient(one, sub_scale), shift = sub_offset * inverse;
            auto c = zero, cc = zero, cx = zero;
            for (std::size_t i = j * Count; i < (j + 1) * Count; ++i) {
                const auto v = floats::load(x[i]), weight = floats::load(w[i]);
                const auto code = levels::nearest(v * inverse + shift);
                const auto wc = weight * code, e = v - (sub_scale * code - sub_offset);
                c = c + wc;
                cc = cc + wc * code;
                cx = cx + wc * v;
                error = error + weight * (e * e);
            }
            ss = ss + k * k * cc;
            so = so + k * m * c;
            oo = oo + m * m * sum_w;
            sx = sx + k * cx;
            ox = ox + m * (floats::load(wish[j].mean) * sum_w);
        }
        const auto better = error < least;
        least = select(better, error, least);
        scale = select(better, next_scale, scale);
        offset = select(better, next_offset, offset);
        next_scale = nearest_scale<Scale>(detail::quotient(sx * oo - ox * so, ss * oo - so * so), unit);
        next_offset = nearest_scale<Scale>(detail::quotient(next_scale * so - ox, oo), unit);  // the one that suits the rounded scale
    }
    scale.store(found.scale);
    offset.store(found.offset);
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
