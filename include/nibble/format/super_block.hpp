// What the K-quants share: 256 elements, and pairs of sub-scales and sub-offsets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Elements of a super-block.
inline constexpr std::size_t super_block_size = 256;

/// Eight 6-bit sub-scales and sub-offsets: bytes 0..3 hold sub-scales 0..3, bytes 4..7 sub-offsets 0..3, both in their low six bits;
/// bytes 8..11 the low nibbles of sub-scales 4..7 (low) and sub-offsets 4..7 (high), whose top two bits are in bytes 0..7.
struct sub_scales_6bit {
    std::uint8_t bytes[12];

    NIBBLE_INLINE constexpr int scale(std::size_t j) const noexcept {
        return j < 4 ? bytes[j] & 63 : (bytes[j + 4] & 15) | ((bytes[j - 4] >> 6) << 4);
    }
    NIBBLE_INLINE constexpr int offset(std::size_t j) const noexcept {
        return j < 4 ? bytes[j + 4] & 63 : (bytes[j + 4] >> 4) | ((bytes[j] >> 6) << 4);
    }
    NIBBLE_INLINE constexpr void set(const std::uint8_t (&scales)[8], const std::uint8_t (&offsets)[8]) noexcept {
        for (std::size_t j = 0; j < 4; ++j) {
            bytes[j] = static_cast<std::uint8_t>(scales[j] | ((scales[j + 4] >> 4) << 6));
            bytes[j + 4] = static_cast<std::uint8_t>(offsets[j] | ((offsets[j + 4] >> 4) << 6));
            bytes[j + 8] = static_cast<std::uint8_t>((scales[j + 4] & 15) | ((offsets[j + 4] & 15) << 4));
        }
    }
};

/// Sixteen 4-bit sub-scales (low nibble) and sub-offsets (high nibble).
struct sub_scales_4bit {
    std::uint8_t bytes[16];

    NIBBLE_INLINE constexpr int scale(std::size_t j) const noexcept { return bytes[j] & 15; }
    NIBBLE_INLINE constexpr int offset(std::size_t j) const noexcept { return bytes[j] >> 4; }
    NIBBLE_INLINE constexpr void set(const std::uint8_t (&scales)[16], const std::uint8_t (&offsets)[16]) noexcept {
        for (std::size_t j = 0; j < 16; ++j) bytes[j] = static_cast<std::uint8_t>(scales[j] | (offsets[j] << 4));
    }
};

/// The variance term of importance for most super-block formats.
NIBBLE_INLINE float doubled_mean(float sum_of_squares, std::size_t count) noexcept { return 2.0f * sum_of_squares / static_cast<float>(count); }

/// weights = importance * sqrt(sigma + x * x) in each lane, and their sum in order.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> weigh(const float (&x)[Count][N], const float (&importance)[Count][N], const f32x<N>& sigma,
                            float (&weights)[Count][N]) noexcept {
    auto sum = f32x<N>::set(0.0f);
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = f32x<N>::load(x[i]);
        const auto w = f32x<N>::load(importance[i]) * sqrt(sigma + v * v);
        w.store(weights[i]);
        sum = sum + w;
    }
    return sum;
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
