// binary16 and bfloat16: exact conversions, round to nearest even. Integer arithmetic, so that FTZ, DAZ and -ffast-math cannot
// change a bit of them.
#pragma once

#include <bit>
#include <cstdint>

#include "nibble/base/bits.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Largest finite binary16.
inline constexpr float float16_max = 65504.0f;
/// Largest finite bfloat16; floats above it may round to infinity.
inline constexpr float bfloat16_max = 3.38953139e38f;

/// binary16 bits to float; exact. NaN keeps its payload.
NIBBLE_INLINE constexpr float float16_to_float(std::uint16_t bits) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 31u;
    std::uint32_t mantissa = bits & 0x3FFu;
    if (exponent == 31) return bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
    if (exponent != 0) return bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
    if (mantissa == 0) return bit_cast<float>(sign);
    // A subnormal half is a normal float: move its leading one to bit 10.
    const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21u;
    mantissa = (mantissa << shift) & 0x3FFu;
    return bit_cast<float>(sign | ((113u - shift) << 23) | (mantissa << 13));
}

/// float to binary16 bits: nearest even, subnormals kept, infinity from 65520, every NaN becomes sign | 0x7E00 (as ggml's
/// reference does; F16C hardware keeps the payload's top bits instead).
NIBBLE_INLINE constexpr std::uint16_t float_to_float16(float value) noexcept {
    const auto bits = bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65520
    if (magnitude >= 0x38800000u) {                                                    // 2^-14: a normal half
        const std::uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
        return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
    }
    if (magnitude <= 0x33000000u) return static_cast<std::uint16_t>(sign);  // up to 2^-25, whose tie goes to even: 0
    const std::uint32_t shift = 126u - (magnitude >> 23);                   // 14 .. 24
    const std::uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u;
    const std::uint32_t half = mantissa >> shift;
    const std::uint32_t rest = mantissa & ((1u << shift) - 1u);
    const std::uint32_t middle = 1u << (shift - 1u);
    return static_cast<std::uint16_t>(sign | (half + ((rest > middle || (rest == middle && (half & 1u) != 0)) ? 1u : 0u)));
}

/// Neither NaN nor infinity.
NIBBLE_INLINE constexpr bool is_finite_float16(std::uint16_t bits) noexcept { return (bits & 0x7C00u) != 0x7C00u; }

/// bfloat16 bits to float; exact.
NIBBLE_INLINE constexpr float bfloat16_to_float(std::uint16_t bits) noexcept {
    return bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// float to bfloat16 bits: nearest even, subnormals kept, NaN made quiet (bit 6 set) so that truncation cannot turn it into infinity.
NIBBLE_INLINE constexpr std::uint16_t float_to_bfloat16(float value) noexcept {
    const auto bits = bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 64u);
    return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

NIBBLE_NAMESPACE_END
