// f8_e4m3 and f8_e5m2: floats of 8 bits (OCP 8-bit floating point, 2023), rounded to nearest even. GGUF has no number for them, so they are not in
// the list of formats.
//
// A value that is rounded beyond the largest one is errc::out_of_range, as it is for f16: OCP's conversion without saturation, whose result would be
// NaN or infinity. nonfinite::clamp is the one with saturation.
#pragma once

#include <span>
#include <string_view>

#include "nibble/base/lane_float8.hpp"
#include "nibble/base/lane_order.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 1 byte: [sign, 4 bits of exponent with bias 7, 3 bits of mantissa]; 0x7F and 0xFF are NaN, there is no infinity
struct f8_e4m3 {
    static constexpr std::string_view name = "f8_e4m3";
    static constexpr std::size_t block_size = 1;
    using layout = nibble::layout::float8<3>;

    struct block {
        std::uint8_t bits;
    };

    static constexpr float safe_magnitude = float8_e4m3_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return (packed.bits & 0x7F) != 0x7F; }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 1> values) noexcept {
        values[0] = float8_e4m3_to_float(packed.bits);
    }
    NIBBLE_INLINE static constexpr void encode(std::span<const float, 1> values, block& packed) noexcept {
        const std::uint32_t bits = bit_cast<std::uint32_t>(values[0]);
        const bool fits = (bits & 0x7FFFFFFFu) <= bit_cast<std::uint32_t>(464.0f);  // half a step above 448, which is even
        packed.bits = fits ? float_to_float8_e4m3(values[0]) : static_cast<std::uint8_t>((bits >> 24) | 0x7Fu);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        store_bytes(to_float8<N, 3, 7>(f32x<N>::load(values), 0x7E, 0x7F), &out->bits);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> unpack(const i32x<N>& code) noexcept {
        const auto nan = float_of_bits(i32x<N>::set(0x7FC00000) | (code & i32x<N>::set(0x80)) << 24);
        return select((code & i32x<N>::set(0x7F)) > i32x<N>::set(0x7E), nan, from_float8<N, 3, 7>(code));
    }
};

/// 1 byte: [sign, 5 bits of exponent with bias 15, 2 bits of mantissa], the upper byte of a binary16, with its infinities and NaNs
struct f8_e5m2 {
    static constexpr std::string_view name = "f8_e5m2";
    static constexpr std::size_t block_size = 1;
    using layout = nibble::layout::float8<2>;

    struct block {
        std::uint8_t bits;
    };

    static constexpr float safe_magnitude = float8_e5m2_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return (packed.bits & 0x7C) != 0x7C; }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 1> values) noexcept {
        values[0] = float8_e5m2_to_float(packed.bits);
    }
    NIBBLE_INLINE static constexpr void encode(std::span<const float, 1> values, block& packed) noexcept {
        const std::uint32_t bits = bit_cast<std::uint32_t>(values[0]), magnitude = bits & 0x7FFFFFFFu;
        // Half a step above 57344, which is odd.
        const bool infinite = magnitude >= bit_cast<std::uint32_t>(61440.0f) && magnitude <= 0x7F800000u;
        packed.bits = infinite ? static_cast<std::uint8_t>(((bits >> 24) & 0x80u) | 0x7Cu) : float_to_float8_e5m2(values[0]);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        store_bytes(to_float8<N, 2, 15>(f32x<N>::load(values), 0x7B, 0x7C), &out->bits);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static f32x<N> unpack(const i32x<N>& code) noexcept {
        const auto value = from_float8<N, 2, 15>(code);
        const auto special = float_of_bits(bits_of(value) | i32x<N>::set(0x7F800000));
        return select((code & i32x<N>::set(0x7F)) > i32x<N>::set(0x7B), special, value);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
