// The search for the scale of sub-block scales: non-negative values near scale * code, codes 0 .. max_code. K-quants with importance.
// Source of the steps and constants: ggml's make_qp_quants.
#pragma once

#include <cstdint>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// @param x       Count non-negative values of N blocks, one a lane
/// @param weights their weights
/// @param codes   receives codes 0 .. MaxCode
/// @return the scale of each lane; 0 (and codes 0) if no value reaches 1e-15
template <int MaxCode, lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_sub_scales(const float (&x)[Count][N], const float (&weights)[Count][N], std::int32_t (&codes)[Count][N]) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto zero = floats::set(0.0f), one = floats::set(1.0f);
    const auto cut = [](const ints& code) NIBBLE_LAMBDA_INLINE {
        return select(code > ints::set(MaxCode), ints::set(MaxCode), code);  // a negative one stays, and is stored in a byte
    };
    auto largest = zero;
    for (std::size_t i = 0; i < Count; ++i) largest = select(floats::load(x[i]) > largest, floats::load(x[i]), largest);
    const auto empty = largest < floats::set(1e-15f);

    auto inverse = floats::set(static_cast<float>(MaxCode)) / largest;
    auto best_error = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]);
        const auto e = v - one / inverse * to_float(round_even(inverse * v) & ints::set(255));
        best_error = best_error + floats::load(weights[i]) * e * e;
    }
    for (int t = -4; t <= 4; ++t) {
        if (t == 0) continue;
        const auto candidate = floats::set(0.1f * static_cast<float>(t) + static_cast<float>(MaxCode)) / largest, scale = one / candidate;
        auto error = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]);
            const auto e = v - scale * to_float(cut(round_even(candidate * v)));
            error = error + floats::load(weights[i]) * e * e;
        }
        const auto better = error < best_error;
        best_error = select(better, error, best_error);
        inverse = select(better, candidate, inverse);
    }
    auto sum_cx = zero, sum_cc = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]), w = floats::load(weights[i]);
        const auto code = cut(round_even(inverse * v));
        (code & ints::set(255)).store(codes[i]);
        sum_cx = sum_cx + w * v * to_float(code);
        sum_cc = sum_cc + w * to_float(code) * to_float(code);
    }
    for (int round = 0; round < 5; ++round) {
        auto changed = zero != zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), w = floats::load(weights[i]);
            const auto old_code = ints::load(codes[i]);
            const auto old = to_float(old_code);
            auto rest_cx = sum_cx - w * v * old, rest_cc = sum_cc - w * old * old;
            const auto usable = (rest_cx > zero) & (rest_cc > zero);
            const auto code = cut(round_even(v * rest_cc / rest_cx));
            const auto c = to_float(code);
            rest_cx = rest_cx + w * v * c;
            rest_cc = rest_cc + w * c * c;
            const auto better = usable & !(code == old_code) & (rest_cx * rest_cx * sum_cc > sum_cx * sum_cx * rest_cc);
            const auto now = select(better, code & ints::set(255), old_code);
            now.store(codes[i]);
            sum_cx = select(better, rest_cx, sum_cx);
            sum_cc = select(better, rest_cc, sum_cc);
            changed = changed | better;
        }
        if (!any(changed)) break;
    }
    for (std::size_t i = 0; i < Count; ++i) select(empty, ints::set(0), ints::load(codes[i])).store(codes[i]);
    return select(empty, zero, select(sum_cc > zero, sum_cx / sum_cc, zero));
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
