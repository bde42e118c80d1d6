// The search for a scale and an offset: x is near scale * code - offset, codes 0 .. max_code. Q2_K, Q4_K, Q5_K, and Q4_1 and Q5_1
// with importance. Source of the steps and constants: ggml's make_qkx2_quants and make_qkx3_quants, which are the same search.
#pragma once

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The candidates for the inverse scale: (first + step * t + max_code) / (high - low), t = 0 .. last.
struct offset_trials {
    float first;
    float step;
    int last;
    bool absolute_error;  ///< minimise |e| instead of e * e
};

/// What the search found in each lane. `inverse` and `low` reproduce the codes it chose: round_even(inverse * (x - low)), clamped.
template <lane_count auto N>
struct offset_fit {
    f32x<N> scale, offset, inverse, low;
};

namespace detail {

/// The search in lanes.
/// @param certain  receives whether the result is right. With many lanes codes are rounded in a way that is only right near them; a single lane is
///                 always right.
template <int MaxCode, lane_count auto N, std::size_t Count>
NIBBLE_INLINE offset_fit<N> search_with_offset(const float (&x)[Count][N], const float (&weights)[Count][N], const offset_trials trials,
                                               mask32<N>& certain) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f), max_code = floats::set(static_cast<float>(MaxCode));

    auto low = floats::load(x[0]), high = low;
    auto sum_w = floats::load(weights[0]), sum_wx = sum_w * low;
    for (std::size_t i = 1; i < Count; ++i) {
        const auto v = floats::load(x[i]), w = floats::load(weights[i]);
        low = select(v < low, v, low);
        high = select(v > high, v, high);
        sum_w = sum_w + w;
        sum_wx = sum_wx + w * v;
    }
    const auto least = low;
    low = select(low > zero, zero, low);
    const auto flat = high <= low;  // all values equal and not positive: no scale, the offset is the value

    const auto code_of = [&](const floats& inverse, const floats& from, std::size_t i) NIBBLE_LAMBDA_INLINE {
        const auto level = inverse * (floats::load(x[i]) - from);
        if constexpr (N == 1) return to_float(clamp(round_even(level), 0, MaxCode));
        else return round_within(level, 0, MaxCode);
    };
    const auto error_of = [&](const floats& scale, const floats& code, const floats& from, std::size_t i) NIBBLE_LAMBDA_INLINE {
        const auto e = scale * code + from - floats::load(x[i]);
        return floats::load(weights[i]) * (trials.absolute_error ? abs(e) : e * e);
    };

    offset_fit<N> best;
    best.inverse = max_code / (high - low);
    best.scale = floats::set(1.0f) / best.inverse;
    best.low = low;
    auto best_error = zero;
    for (std::size_t i = 0; i < Count; ++i) best_error = best_error + error_of(best.scale, code_of(best.inverse, low, i), low, i);

    const auto flat_low = low;
    auto lowest = low, highest = low;
    for (int t = 0; t <= trials.last; ++t) {
        // `low` is the incumbent's from the moment it is accepted; `high` stays.
        const auto inverse = floats::set(trials.first + trials.step * static_cast<float>(t) + static_cast<float>(MaxCode)) / (high - low);
        alignas(64) float codes[Count][N];
        auto sum_c = zero, sum_cc = zero, sum_cx = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto code = code_of(inverse, low, i);
            code.store(codes[i]);
            const auto weighted = floats::load(weights[i]) * code;
            sum_c = sum_c + weighted;
            sum_cc = sum_cc + weighted * code;
            sum_cx = sum_cx + weighted * floats::load(x[i]);
        }
        const auto determinant = sum_w * sum_cc - sum_c * sum_c;
        auto scale = (sum_w * sum_cx - sum_wx * sum_c) / determinant;
        auto from = (sum_cc * sum_wx - sum_c * sum_cx) / determinant;
        const auto positive = from > zero;
        from = select(positive, zero, from);
        scale = select(positive, sum_cx / sum_cc, scale);
        auto error = zero;
        for (std::size_t i = 0; i < Count; ++i) error = error + error_of(scale, floats::load(codes[i]), from, i);
        const auto better = (determinant > zero) & (error < best_error);
        best_error = select(better, error, best_error);
        best.scale = select(better, scale, best.scale);
        best.inverse = select(better, inverse, best.inverse);
        best.low = select(better, low, best.low);
        low = select(better, from, low);
        lowest = select(low < lowest, low, lowest);
        highest = select(low > highest, low, highest);
    }

    best.scale = select(flat, zero, best.scale);
    best.inverse = select(flat, zero, best.inverse);
    best.offset = -select(flat, flat_low, low);
    // No x - low was above high - low, nor further below 0 than 1e5 times that: then no product with `inverse` was beyond 4e6.
    const auto narrowest = high - highest;
    certain =
        flat | ((narrowest >= floats::set(1e-36f)) & (high - lowest <= floats::set(1e38f)) & (highest - least <= floats::set(1e5f) * narrowest));
    return best;
}

}  // namespace detail
NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN
namespace internal {
/// The search in lane `lane` alone, out of line because it is hardly ever needed.
template <int MaxCode, lane_count auto N, std::size_t Count>
NIBBLE_NOINLINE offset_fit<1> search_lane(const float (&x)[Count][N], const float (&weights)[Count][N], const offset_trials& trials,
                                          std::size_t lane) noexcept {
    float own_x[Count][1], own_weights[Count][1];
    for (std::size_t i = 0; i < Count; ++i) {
        own_x[i][0] = x[i][lane];
        own_weights[i][0] = weights[i][lane];
    }
    mask32<1> certain;
    return detail::search_with_offset<MaxCode, 1>(own_x, own_weights, trials, certain);
}
}  // namespace internal
NIBBLE_BASELINE_END

NIBBLE_NAMESPACE_BEGIN

/// @param x       Count values of N sub-blocks, one a lane
/// @param weights their weights, same order
template <int MaxCode, lane_count auto N, std::size_t Count>
NIBBLE_INLINE offset_fit<N> find_scale_and_offset(const float (&x)[Count][N], const float (&weights)[Count][N], const offset_trials trials) noexcept {
    mask32<N> certain;
    auto fit = detail::search_with_offset<MaxCode, N>(x, weights, trials, certain);
    if constexpr (N > 1) {
        if (!any(!certain)) return fit;
        alignas(64) float lanes[4][N];
        alignas(64) std::int32_t wanted[N];
        f32x<N>* const parts[] = {&fit.scale, &fit.offset, &fit.inverse, &fit.low};
        for (std::size_t part = 0; part < 4; ++part) parts[part]->store(lanes[part]);
        ones_where(!certain).store(wanted);
        for (std::size_t lane = 0; lane < N; ++lane) {
            if (wanted[lane] == 0) continue;
            const auto own = internal::search_lane<MaxCode, N>(x, weights, trials, lane);
            lanes[0][lane] = own.scale.raw;
            lanes[1][lane] = own.offset.raw;
            lanes[2][lane] = own.inverse.raw;
            lanes[3][lane] = own.low.raw;
        }
        for (std::size_t part = 0; part < 4; ++part) *parts[part] = f32x<N>::load(lanes[part]);
    }
    return fit;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
