// What the formats with E2M1 codes share: their levels, and which is nearest. MXFP4 and NVFP4.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The values of E2M1 codes, doubled so that they are integers; what they are multiplied with is therefore half the scale. Code 8, minus
/// zero, decodes to plus zero, as in ggml.
struct e2m1_levels {
    static constexpr int zero = 12;
    static constexpr std::int8_t values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
};

/// The code whose level times `unit` is nearest to each value; of two that are equally near the smaller magnitude, and never code 8.
/// Errors are compared as they round: where a value is so far out that they are all equal, the code is 0, as in the reference.
template <int N>
NIBBLE_INLINE i32x<N> find_nearest_e2m1(const f32x<N>& value, const f32x<N>& unit) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto magnitude = abs(value), zero = floats::set(0.0f);
    const auto sign = select(value < zero, ints::set(8), ints::set(0));
    auto least = magnitude;
    auto code = ints::set(0);
#pragma GCC unroll 7
    for (int i = 1; i < 8; ++i) {
        const auto error = abs(floats::set(e2m1_levels::values[i]) * unit - magnitude);
        const auto nearer = error < least;
        least = select(nearer, error, least);
        code = select(nearer, ints::set(i) + sign, code);
    }
    return code;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
