// Codes of 32 elements whose nibbles are split: byte j holds element j in its low and element j + 16 in its high nibble.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/bits.hpp"
#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
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
    /// @param code_at  the codes of elements i .. i + N - 1 as i32x<N>
    template <int N>
    NIBBLE_INLINE void set(std::uint32_t, auto code_at) noexcept {
        for (std::size_t j = 0; j < 16; j += N) store_bytes(code_at(j) | (code_at(j + 16) << 4), low + j);
    }
};

/// 20 bytes: 4 whose bit i is the fifth bit of element i, then the nibbles.
template <>
struct split_codes<5> {
    stored<std::uint32_t> high;
    std::uint8_t low[16];

    NIBBLE_INLINE constexpr void get(std::uint8_t (&codes)[32]) const noexcept {
        const std::uint32_t fifth = high.get();
        for (std::size_t j = 0; j < 16; ++j) {
            codes[j] = static_cast<std::uint8_t>((low[j] & 15) | (((fifth >> j) & 1) << 4));
            codes[j + 16] = static_cast<std::uint8_t>((low[j] >> 4) | (((fifth >> (j + 16)) & 1) << 4));
        }
    }
    /// @param fifth    bit i is the fifth bit of element i
    /// @param code_at  the codes of elements i .. i + N - 1 as i32x<N>
    template <int N>
    NIBBLE_INLINE void set(std::uint32_t fifth, auto code_at) noexcept {
        high.set(fifth);
        for (std::size_t j = 0; j < 16; j += N) store_bytes((code_at(j) & i32x<N>::set(15)) | (code_at(j + 16) << 4), low + j);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
