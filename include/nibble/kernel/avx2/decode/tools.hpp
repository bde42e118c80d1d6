// Small pieces that decoders share.
#pragma once

#include "nibble/base/target.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Eight fp16 numbers that lie `Stride` bytes apart, as floats. Reads 16 bytes at multiples of Stride - 2, up to Stride * 7 + 2 at most.
///
/// Where Stride - 2 is 16 or 32, number g is word g of the g-th piece of that many bytes: blends, which run on every port, gather them.
template <std::size_t Stride>
NIBBLE_INLINE __m256 load_halves(const std::byte* from) noexcept {
    if constexpr (Stride == 18) {
        const auto pieces = [from](std::size_t i) NIBBLE_LAMBDA_INLINE { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32 * i)); };
        const __m256i a = _mm256_blend_epi32(pieces(0), pieces(1), 0x22), b = _mm256_blend_epi32(pieces(2), pieces(3), 0x88);
        const __m256i all = _mm256_blend_epi32(a, b, 0xCC);
        return _mm256_cvtph_ps(_mm_blend_epi16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1), 0xAA));
    } else if constexpr (Stride == 34) {
        const auto piece = [from](std::size_t i) NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 32 * i)); };
        const auto every_second = [piece](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return _mm_blend_epi32(_mm_blend_epi32(piece(i), piece(i + 2), 0x2), _mm_blend_epi32(piece(i + 4), piece(i + 6), 0x8), 0xC);
        };
        return _mm256_cvtph_ps(_mm_blend_epi16(every_second(0), every_second(1), 0xAA));
    } else {
        const auto half = [from](std::size_t i) NIBBLE_LAMBDA_INLINE {
            std::uint16_t bits;
            __builtin_memcpy(&bits, from + i * Stride, sizeof bits);
            return static_cast<short>(bits);
        };
        return _mm256_cvtph_ps(_mm_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5), half(6), half(7)));
    }
}

/// One fp16 number in all lanes.
NIBBLE_INLINE __m256 broadcast_half(const std::byte* from) noexcept {
    std::uint16_t bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

/// Low nibbles of 16 bytes, then their high nibbles.
NIBBLE_INLINE __m256i split_nibbles(const std::byte* from) noexcept {
    const __m128i pairs_u8x16 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs_u8x16), _mm_srli_epi16(pairs_u8x16, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/// From eight pieces of 16 bytes, `Stride` bytes apart: lane g of v[j] has bytes 4 j .. 4 j + 3 of piece g.
template <std::size_t Stride>
NIBBLE_INLINE void load_strips_of_16(const std::byte* from, __m256i (&v)[4]) noexcept {
    __m256i piece[4], pair[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const auto at = [from](int g) NIBBLE_LAMBDA_INLINE {
            return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + static_cast<std::size_t>(g) * Stride));
        };
        piece[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(at(i)), at(i + 4), 1);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        pair[i] = _mm256_unpacklo_epi32(piece[2 * i], piece[2 * i + 1]);
        pair[i + 2] = _mm256_unpackhi_epi32(piece[2 * i], piece[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        v[2 * i] = _mm256_unpacklo_epi64(pair[2 * i], pair[2 * i + 1]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(pair[2 * i], pair[2 * i + 1]);
    }
}

/// Eight bytes as floats.
NIBBLE_INLINE __m256 bytes_to_floats(std::uint32_t low, std::uint32_t high) noexcept {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(low | (static_cast<std::uint64_t>(high) << 32)));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
