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

/// The code whose level times `unit` is nearest to a value; of two that are equally near the smaller magnitude, and never code 8. The unit
/// has few bits, so that multiples of it and the middles between them are exact, and to compare a magnitude with a middle is to compare
/// the two distances. Only far outside, from about 2^24 units on, distances round to the same: see `find_nearest_e2m1_anywhere`.
class e2m1_rounding {
public:
    NIBBLE_INLINE explicit e2m1_rounding(float unit) noexcept {
        // A level that overflows is never nearer; without a unit none is.
        using floats = f32x<8>;
        const floats low = {{0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 8.0f, 12.0f}}, high = {{1.0f, 2.0f, 3.0f, 4.0f, 6.0f, 8.0f, 12.0f, 12.0f}};
        const auto units = floats::set(unit), half = floats::set(0.5f);
        const auto middles = half * (low * units) + half * (high * units);
        select(units > floats::set(0.0f), middles, floats::set(3.402823466e38f)).store(middles_);
    }
    template <lane_count auto N>
    NIBBLE_INLINE i32x<N> code(const f32x<N>& value) const noexcept {
        using floats = f32x<N>;
        const auto magnitude = abs(value);
        auto code = ones_where(magnitude > floats::set(middles_[0]));
        const auto sign = select(value < floats::set(0.0f), code << 3, i32x<N>::set(0));
#pragma GCC unroll 6
        for (int i = 1; i < 7; ++i) code = code + ones_where(magnitude > floats::set(middles_[i]));
        return code + sign;
    }

private:
    float middles_[8];
};

/// The same wherever the value is: errors are compared as they round. Where they are all equal the code is 0, as in the reference.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> find_nearest_e2m1_anywhere(const f32x<N>& value, float unit) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto magnitude = abs(value);
    const auto sign = select(value < floats::set(0.0f), ints::set(8), ints::set(0));
    auto least = magnitude;
    auto code = ints::set(0);
    for (int i = 1; i < 8; ++i) {
        const auto error = abs(floats::set(e2m1_levels::values[i] * unit) - magnitude);
        const auto nearer = error < least;
        least = select(nearer, error, least);
        code = select(nearer, ints::set(i) + sign, code);
    }
    return code;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
