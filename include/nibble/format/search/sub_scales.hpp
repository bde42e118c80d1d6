// The search for the scale of sub-block scales: non-negative values near scale * code, codes 0 .. max_code. K-quants with importance.
// Source of the steps and constants: ggml's make_qp_quants. Few values, so this one is scalar.
#pragma once

#include <cstdint>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// @param x       Count non-negative values
/// @param weights their weights
/// @param codes   receives Count codes 0 .. MaxCode
/// @return the scale; 0 (and codes 0) if no value reaches 1e-15
template <int MaxCode, int Count>
NIBBLE_INLINE float find_sub_scales(const float* x, const float* weights, std::uint8_t* codes) noexcept {
    using floats = f32x<1>;
    const auto code_of = [](float v) NIBBLE_LAMBDA_INLINE { return round_even(floats{v}).raw; };
    float largest = 0.0f;
    for (int i = 0; i < Count; ++i) largest = x[i] > largest ? x[i] : largest;
    if (largest < 1e-15f) {
        for (int i = 0; i < Count; ++i) codes[i] = 0;
        return 0.0f;
    }
    float inverse = static_cast<float>(MaxCode) / largest;
    float best_error = 0.0f;
    for (int i = 0; i < Count; ++i) {
        codes[i] = static_cast<std::uint8_t>(code_of(inverse * x[i]));
        const float e = x[i] - 1.0f / inverse * static_cast<float>(codes[i]);
        best_error = best_error + weights[i] * e * e;
    }
    for (int t = -4; t <= 4; ++t) {
        if (t == 0) continue;
        const float candidate = (0.1f * static_cast<float>(t) + static_cast<float>(MaxCode)) / largest;
        const float scale = 1.0f / candidate;
        float error = 0.0f;
        for (int i = 0; i < Count; ++i) {
            const int code = code_of(candidate * x[i]);
            const float e = x[i] - scale * static_cast<float>(code > MaxCode ? MaxCode : code);
            error = error + weights[i] * e * e;
        }
        if (error < best_error) {
            best_error = error;
            inverse = candidate;
        }
    }
    float sum_cx = 0.0f, sum_cc = 0.0f;
    for (int i = 0; i < Count; ++i) {
        const int rounded = code_of(inverse * x[i]);
        const int code = rounded > MaxCode ? MaxCode : rounded;
        codes[i] = static_cast<std::uint8_t>(code);
        sum_cx = sum_cx + weights[i] * x[i] * static_cast<float>(code);
        sum_cc = sum_cc + weights[i] * static_cast<float>(code) * static_cast<float>(code);
    }
    for (int round = 0; round < 5; ++round) {
        bool changed = false;
        for (int i = 0; i < Count; ++i) {
            const float w = weights[i], old = static_cast<float>(codes[i]);
            float rest_cx = sum_cx - w * x[i] * old, rest_cc = sum_cc - w * old * old;
            if (!(rest_cx > 0.0f && rest_cc > 0.0f)) continue;
            const int rounded = code_of(x[i] * rest_cc / rest_cx);
            const int code = rounded > MaxCode ? MaxCode : rounded;
            if (code == codes[i]) continue;
            rest_cx = rest_cx + w * x[i] * static_cast<float>(code);
            rest_cc = rest_cc + w * static_cast<float>(code) * static_cast<float>(code);
            if (rest_cx * rest_cx * sum_cc > sum_cx * sum_cx * rest_cc) {
                codes[i] = static_cast<std::uint8_t>(code);
                sum_cx = rest_cx;
                sum_cc = rest_cc;
                changed = true;
            }
        }
        if (!changed) break;
    }
    return sum_cc > 0.0f ? sum_cx / sum_cc : 0.0f;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
