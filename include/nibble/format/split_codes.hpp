// Codes of 32 elements whose nibbles are split: byte j holds element j in its low and element j + 16 in its high nibble.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/bits.hpp"
#include "nibble/base/lane_order.hpp"

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
    /// @param code_at  the codes of elements i .. i + N - 1 as i32x<N>, 0 .. 15
    template <lane_count auto N>
    NIBBLE_INLINE void set(auto code_at) noexcept {
        const auto pair_at = [&](std::size_t j) NIBBLE_LAMBDA_INLINE { return code_at(j) | code_at(j + 16) << 4; };
        if constexpr (N == 8) {
            const i32x<N> pairs[2] = {pair_at(0), pair_at(8)};
            store_bytes(pairs, low);
        } else {
            store_bytes<N, 16>(low, pair_at);
        }
    }
};

/// 20 bytes: 4 whose bit i is the fifth bit of element i, then the nibbles.
template <>
struct split_codes<5> {
    stored<std::uint32_t> high;
    split_codes<4> low;

    NIBBLE_INLINE constexpr void get(std::uint8_t (&codes)[32]) const noexcept {
        const std::uint32_t fifth = high.get();
        low.get(codes);
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(codes[i] | (((fifth >> i) & 1) << 4));
    }
    /// @param code_at  the codes of elements i .. i + N - 1 as i32x<N>, 0 .. 31
    template <lane_count auto N>
    NIBBLE_INLINE void set(auto code_at) noexcept {
        i32x<N> codes[32 / N];
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 32; i += N) codes[i / N] = code_at(i);
        low.set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return codes[i / N] & i32x<N>::set(15); });
        auto fifth = codes[0] >> 4;
#pragma GCC unroll 8
        for (std::size_t i = N; i < 32; i += N) fifth = fifth | (codes[i / N] >> 4) << static_cast<int>(i);
        high.set(static_cast<std::uint32_t>(join_bits(fifth)));
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
