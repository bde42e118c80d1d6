// The search for a scale alone: x is near scale * code, codes -half .. half - 1. Q6_K, Q3_K with importance, Q4_0 and Q5_0 with
// importance. Source of the steps and constants: ggml's make_qx_quants with rmse_type 1.
#pragma once

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// What the search found in each lane. The codes it chose are clamp(round_even(inverse * x), -half, half - 1); both are 0 in a
/// lane without a value of at least 1e-15.
template <lane_count auto N>
struct symmetric_fit {
    f32x<N> scale, inverse;
    mask32<N> empty;  ///< the reference then stores code 0, which is not the middle code
};

/// The signed value of largest magnitude; the first of equals wins.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_extreme(const float (&x)[Count][N]) noexcept {
    using floats = f32x<N>;
    auto magnitude = floats::set(0.0f), extreme = magnitude;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]);
        const auto larger = abs(v) > magnitude;
        magnitude = select(larger, abs(v), magnitude);
        extreme = select(larger, v, extreme);
    }
    return extreme;
}

/// The same of some numbers.
NIBBLE_INLINE float find_extreme(const float* values, std::size_t count) noexcept {
    // The magnitude in a variable of its own: Clang 19 compiles |value| > |extreme| ? value : extreme into wrong code.
    float magnitude = 0.0f, extreme = 0.0f;
    for (std::size_t i = 0; i < count; ++i) {
        if (!(__builtin_fabsf(values[i]) > magnitude)) continue;
        magnitude = __builtin_fabsf(values[i]);
        extreme = values[i];
    }
    return extreme;
}

/// The code that a search chose for a value, as it is stored.
template <int Half, lane_count auto N>
NIBBLE_INLINE i32x<N> stored_code(const symmetric_fit<N>& fit, const f32x<N>& value) noexcept {
    return select(fit.empty, i32x<N>::set(0), clamp(round_even(fit.inverse * value), -Half, Half - 1) + i32x<N>::set(Half));
}

/// @param weights the weight of each value, same order as x; null: the square of the value
template <int Half, lane_count auto N, std::size_t Count>
NIBBLE_INLINE symmetric_fit<N> find_scale(const float (&x)[Count][N], const float (*weights)[N]) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    const auto extreme = find_extreme<N>(x);
    symmetric_fit<N> best;
    best.empty = abs(extreme) < floats::set(1e-15f);

    alignas(64) float w[Count][N], wx[Count][N];
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]), weight = weights != nullptr ? floats::load(weights[i]) : v * v;
        weight.store(w[i]);
        (weight * v).store(wx[i]);
    }
    floats sum_cx, sum_cc;
    const auto measure = [&](const floats& inverse) NIBBLE_LAMBDA_INLINE {
        sum_cx = sum_cc = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            // Where no value reaches 1e-15 the code may be wrong, and is not used.
            const auto code = round_within(inverse * floats::load(x[i]), -Half, Half - 1);
            sum_cx = sum_cx + floats::load(wx[i]) * code;
            sum_cc = sum_cc + floats::load(w[i]) * code * code;
        }
    };

    best.inverse = floats::set(-static_cast<float>(Half)) / extreme;
    measure(best.inverse);
    best.scale = select(sum_cc != zero, sum_cx / sum_cc, zero);
    auto score = best.scale * sum_cx;
    for (int t = -9; t <= 9; ++t) {
        if (t == 0) continue;
        const auto inverse = -(floats::set(static_cast<float>(Half) + 0.1f * static_cast<float>(t))) / extreme;
        measure(inverse);
        const auto better = (sum_cc > zero) & (sum_cx * sum_cx > score * sum_cc);
        best.scale = select(better, sum_cx / sum_cc, best.scale);
        best.inverse = select(better, inverse, best.inverse);
        score = select(better, best.scale * sum_cx, score);
    }
    best.scale = select(best.empty, zero, best.scale);
    best.inverse = select(best.empty, zero, best.inverse);
    return best;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
