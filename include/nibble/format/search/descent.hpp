// The search for a scale alone that improves one code after the other: x is near scale * code, codes -half .. half - 1. Q3_K without
// importance. Source of the steps and constants: ggml's make_q3_quants.
#pragma once

#include "nibble/base/lanes.hpp"
#include "nibble/format/search/symmetric.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// @param x      Count values of N sub-blocks, one a lane; their weights are their squares
/// @param codes  receives the codes 0 .. 2 * Half - 1 as integers in the same order; 0, which is not the middle code, in a lane without a
///               value of at least 1e-15
/// @return the scale of each lane; 0 in such a lane
template <int Half, int N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_scale_by_descent(const float (&x)[Count][N], std::int32_t (&codes)[Count][N]) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    const auto extreme = find_extreme<N>(x);
    const auto empty = abs(extreme) < floats::set(1e-15f);
    const auto code_of = [](const floats& v) NIBBLE_LAMBDA_INLINE { return to_float(clamp(round_even(v), -Half, Half - 1)); };

    const auto inverse = floats::set(-static_cast<float>(Half)) / extreme;
    alignas(64) float code[Count][N];
    auto sum_cx = zero, sum_cc = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(x[i]), w = v * v, c = code_of(inverse * v);
        c.store(code[i]);
        sum_cx = sum_cx + w * v * c;
        sum_cc = sum_cc + w * c * c;
    }
    for (int round = 0; round < 5; ++round) {
        auto changed = zero != zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]), w = v * v, old = floats::load(code[i]);
            auto rest_cx = sum_cx - w * v * old, rest_cc = sum_cc - w * old * old;
            const auto usable = rest_cx > zero;
            const auto c = code_of(v * rest_cc / rest_cx);
            rest_cx = rest_cx + w * v * c;
            rest_cc = rest_cc + w * c * c;
            const auto better = usable & (c != old) & (rest_cc > zero) & (rest_cx * rest_cx * sum_cc > sum_cx * sum_cx * rest_cc);
            select(better, c, old).store(code[i]);
            sum_cx = select(better, rest_cx, sum_cx);
            sum_cc = select(better, rest_cc, sum_cc);
            changed = changed | better;
        }
        if (!any(changed)) break;
    }
    for (std::size_t i = 0; i < Count; ++i) {
        select(empty, i32x<N>::set(0), truncate(floats::load(code[i])) + i32x<N>::set(Half)).store(codes[i]);
    }
    return select(empty, zero, select(sum_cc > zero, sum_cx / sum_cc, zero));
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
