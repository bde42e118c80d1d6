// float to and from floats of 8 bits in lanes, where subnormals are neither flushed nor taken for zeros (base/float_mode.hpp).
#pragma once

#include "nibble/base/float8.hpp"
#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The code of each lane, to nearest even; codes above `largest` become `overflow`, NaN 0x7F with its sign.
template <lane_count auto N, int MantissaBits, int Bias>
NIBBLE_INLINE i32x<N> to_float8(const f32x<N>& value, int largest, int overflow) noexcept {
    using ints = i32x<N>;
    constexpr int cut = 23 - MantissaBits, normal = (128 - Bias) << 23;
    // Adding this rounds to multiples of the least subnormal.
    constexpr int magic = (127 + 24 - Bias - MantissaBits) << 23;
    const auto bits = bits_of(value), magnitude = bits & ints::set(0x7FFFFFFF);
    const auto shifted = magnitude - ints::set(normal - (1 << 23));
    const auto rounded = (shifted + ints::set((1 << (cut - 1)) - 1) + ((magnitude >> cut) & ints::set(1))) >> cut;
    const auto subnormal = bits_of(float_of_bits(magnitude) + float_of_bits(ints::set(magic))) - ints::set(magic);
    auto code = select(magnitude < ints::set(normal), subnormal, rounded);
    code = select(code > ints::set(largest), ints::set(overflow), code);
    code = select(magnitude > ints::set(0x7F800000), ints::set(0x7F), code);
    return code | ((bits >> 24) & ints::set(0x80));
}

/// The float of each code; what lies above `largest` is left to the caller.
template <lane_count auto N, int MantissaBits, int Bias>
NIBBLE_INLINE f32x<N> from_float8(const i32x<N>& code) noexcept {
    using ints = i32x<N>;
    // As exponent and mantissa of a float it is too small by a power of two; multiplying makes subnormals normal.
    const auto scaled = float_of_bits((code & ints::set(0x7F)) << (23 - MantissaBits));
    const auto value = scaled * float_of_bits(ints::set((254 - Bias) << 23));
    return float_of_bits(bits_of(value) | (code & ints::set(0x80)) << 24);
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
