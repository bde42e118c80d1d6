// Codes of 32 elements whose nibbles are split: byte j holds element j in its low and element j + 16 in its high nibble.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

template <int Bits>
struct split_codes;

/// 16 bytes: the nibbles.
template <>
struct split_codes<4> {
    std::uint8_t low[16];

    NIBBLE_INLINE constexpr void get(std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t j = 0; j < 16; ++j) {
            codes[j] = low[j] & 15;
            codes[j + 16] = low[j] >> 4;
        }
    }
    NIBBLE_INLINE void set(const std::uint8_t (&codes)[32]) noexcept {
        for (std::size_t j = 0; j < 16; ++j) low[j] = static_cast<std::uint8_t>((codes[j] & 15) | (codes[j + 16] << 4));
    }
};

/// 20 bytes: 4 whose bit i is the fifth bit of element i, then the nibbles.
template <>
struct split_codes<5> {
    std::uint8_t high[4];
    split_codes<4> low;

    NIBBLE_INLINE constexpr void get(std::uint8_t (&codes)[32]) const noexcept {
        low.get(codes);
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(codes[i] | (((high[i / 8] >> (i % 8)) & 1) << 4));
    }
    NIBBLE_INLINE void set(const std::uint8_t (&codes)[32]) noexcept {
        for (std::size_t k = 0; k < 4; ++k) {
            std::uint64_t eight = 0;
            for (std::size_t i = 0; i < 8; ++i) eight |= static_cast<std::uint64_t>(codes[8 * k + i]) << (8 * i);
            // The product moves bit 0 of byte i to bit 56 + i; no two of its terms meet.
            high[k] = static_cast<std::uint8_t>((((eight >> 4) & 0x0101010101010101u) * 0x0102040810204080u) >> 56);
        }
        low.set(codes);
    }
};

NIBBLE_NAMESPACE_END
