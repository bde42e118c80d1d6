// Floats of 8 bits: E4M3 and E5M2 (OCP 8-bit floating point, 2023), their FNUZ variants, and E8M0, a scale that is a power of two
// (OCP microscaling, 2023); of 4 bits: E2M1. Integer arithmetic, so that no flag can change a bit of them.
#pragma once

#include <bit>
#include <cstdint>

#include "nibble/base/config.hpp"
#include "nibble/base/float16.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Largest finite E4M3; there is no infinity.
inline constexpr float float8_e4m3_max = 448.0f;
/// Largest finite E5M2.
inline constexpr float float8_e5m2_max = 57344.0f;

namespace detail {
/// A sign, four or five bits of exponent and the rest mantissa; no special values. Exact.
template <int MantissaBits, int Bias>
NIBBLE_INLINE constexpr float small_float(std::uint8_t bits) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
    std::uint32_t mantissa = bits & ((1u << MantissaBits) - 1u);
    std::uint32_t exponent = (bits & 0x7Fu) >> MantissaBits;
    if (exponent == 0) {
        if (mantissa == 0) return bit_cast<float>(sign);
        const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - static_cast<std::uint32_t>(31 - MantissaBits);
        mantissa = (mantissa << shift) & ((1u << MantissaBits) - 1u);
        return bit_cast<float>(sign | ((static_cast<std::uint32_t>(128 - Bias) - shift) << 23) | (mantissa << (23 - MantissaBits)));
    }
    return bit_cast<float>(sign | ((exponent + static_cast<std::uint32_t>(127 - Bias)) << 23) | (mantissa << (23 - MantissaBits)));
}

/// Nearest even, subnormals kept, saturated at `largest` (bits of the format); NaN becomes sign | nan.
template <int MantissaBits, int Bias>
NIBBLE_INLINE constexpr std::uint8_t to_small_float(float value, std::uint32_t largest, std::uint32_t nan) noexcept {
    const auto bits = bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<std::uint8_t>(sign | nan);
    constexpr std::uint32_t cut = 23 - MantissaBits, normal = static_cast<std::uint32_t>(128 - Bias) << 23;
    std::uint32_t code = 0;
    if (magnitude >= normal) {
        code = (magnitude + (1u << (cut - 1)) - 1u + ((magnitude >> cut) & 1u) - (normal - (1u << 23))) >> cut;
    } else {
        // Counted in steps of the smallest subnormal: how far the mantissa with its leading one has to move.
        const std::uint32_t shift = cut + (normal >> 23) - (magnitude >> 23);
        if (shift < 25 && magnitude >= (1u << 23)) {
            const std::uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u, middle = 1u << (shift - 1);
            const std::uint32_t rest = mantissa & ((1u << shift) - 1u);
            code = mantissa >> shift;
            code += (rest > middle || (rest == middle && (code & 1u) != 0)) ? 1u : 0u;
        }
    }
    return static_cast<std::uint8_t>(sign | (code > largest ? largest : code));
}
}  // namespace detail

/// E4M3 bits to float; exact. 0x7F and 0xFF are NaN, and there is no infinity.
NIBBLE_INLINE constexpr float float8_e4m3_to_float(std::uint8_t bits) noexcept {
    if ((bits & 0x7Fu) == 0x7Fu) return bit_cast<float>((static_cast<std::uint32_t>(bits & 0x80u) << 24) | 0x7FC00000u);
    return detail::small_float<3, 7>(bits);
}
/// float to E4M3 bits: nearest even, saturated at 448, infinities too; NaN stays NaN.
NIBBLE_INLINE constexpr std::uint8_t float_to_float8_e4m3(float value) noexcept {
    return detail::to_small_float<3, 7>(value, 0x7Eu, 0x7Fu);
}

/// E5M2 bits to float; exact. They are the upper byte of a binary16.
NIBBLE_INLINE constexpr float float8_e5m2_to_float(std::uint8_t bits) noexcept {
    return float16_to_float(static_cast<std::uint16_t>(bits << 8));
}
/// float to E5M2 bits: nearest even, saturated at 57344, infinities too; NaN stays NaN.
NIBBLE_INLINE constexpr std::uint8_t float_to_float8_e5m2(float value) noexcept {
    return detail::to_small_float<2, 15>(value, 0x7Bu, 0x7Fu);
}

/// E4M3 FNUZ bits (bias 8, one NaN at 0x80, no negative zero) to float; exact.
NIBBLE_INLINE constexpr float float8_e4m3fnuz_to_float(std::uint8_t bits) noexcept {
    return bits == 0x80u ? bit_cast<float>(0x7FC00000u) : detail::small_float<3, 8>(bits);
}
/// E5M2 FNUZ bits (bias 16, one NaN at 0x80, no negative zero) to float; exact.
NIBBLE_INLINE constexpr float float8_e5m2fnuz_to_float(std::uint8_t bits) noexcept {
    return bits == 0x80u ? bit_cast<float>(0x7FC00000u) : detail::small_float<2, 16>(bits);
}

/// E8M0 bits to float: 2^(bits - 127), 255 is NaN; exact, the smallest is subnormal.
NIBBLE_INLINE constexpr float float8_e8m0_to_float(std::uint8_t bits) noexcept {
    if (bits == 0xFFu) return bit_cast<float>(0x7FC00000u);
    return bit_cast<float>(bits == 0 ? 0x400000u : static_cast<std::uint32_t>(bits) << 23);
}
/// float to E8M0 bits: the nearest power of two, the larger of two that are equally near, saturated at 2^-127 (zero too) and 2^127. The
/// sign is dropped; NaN and infinities become NaN, as in ONNX.
NIBBLE_INLINE constexpr std::uint8_t float_to_float8_e8m0(float value) noexcept {
    const std::uint32_t magnitude = bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu;
    if (magnitude >= 0x7F800000u) return 0xFF;
    // One half or more in the mantissa carries into the exponent; among subnormals 2^-127 is 0x400000, and 0 the same code.
    const std::uint32_t code = magnitude < 0x800000u ? (magnitude >= 0x600000u ? 1u : 0u) : (magnitude + 0x400000u) >> 23;
    return static_cast<std::uint8_t>(code < 0xFEu ? code : 0xFEu);
}

/// Largest E2M1; there are no special values.
inline constexpr float float4_e2m1_max = 6.0f;

/// E2M1 in the low four bits (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) to float.
NIBBLE_INLINE constexpr float float4_e2m1_to_float(std::uint8_t bits) noexcept {
    return detail::small_float<1, 1>(static_cast<std::uint8_t>(((bits & 8u) << 4) | (bits & 7u)));
}
/// float to E2M1 bits: nearest even, saturated at 6, infinities too. NaN becomes 6, as in ONNX, with its sign.
NIBBLE_INLINE constexpr std::uint8_t float_to_float4_e2m1(float value) noexcept {
    const std::uint32_t bits = detail::to_small_float<1, 1>(value, 7u, 7u);
    return static_cast<std::uint8_t>((bits >> 4) | (bits & 7u));
}

NIBBLE_NAMESPACE_END
