// Codebook points: what their decoders share. An index becomes a load of the eight or four bytes of a point; signs come as bits.
#pragma once

#include "nibble/base/target.hpp"
#include "nibble/format/codebook/books.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// A point of eight coordinates.
template <class Book>
NIBBLE_INLINE long long load_point8(std::size_t index) noexcept {
    long long bytes;
    __builtin_memcpy(&bytes, points<Book>.values[index], 8);
    return bytes;
}
/// A point of four coordinates.
template <class Book>
NIBBLE_INLINE int load_point4(std::size_t index) noexcept {
    int bytes;
    __builtin_memcpy(&bytes, points<Book>.values[index], 4);
    return bytes;
}

/// Eight points of four coordinates, in pairs: Clang otherwise inserts one after the other.
NIBBLE_INLINE __m256i join_points(auto point) noexcept {
    const auto four = [&](int k) NIBBLE_LAMBDA_INLINE {
        const auto two = [&](int i) NIBBLE_LAMBDA_INLINE { return _mm_insert_epi32(_mm_cvtsi32_si128(point(i)), point(i + 1), 1); };
        return _mm_unpacklo_epi64(two(k), two(k + 2));
    };
    return _mm256_inserti128_si256(_mm256_castsi128_si256(four(0)), four(4), 1);
}

/// The eighth sign of four times seven, in the low bits of each byte: it makes their number even.
NIBBLE_INLINE std::uint32_t complete_signs(std::uint32_t sevens) noexcept {
    std::uint32_t parity = sevens ^ (sevens >> 4);
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return sevens | ((parity & 0x01010101u) << 7);
}
/// Four times seven bits from the lowest on, a byte each, completed.
NIBBLE_INLINE std::uint32_t spread_signs(std::uint32_t packed) noexcept {
    return complete_signs((packed & 0x7Fu) | ((packed & 0x3F80u) << 1) | ((packed & 0x1FC000u) << 2) | ((packed & 0xFE00000u) << 3));
}

/// Zero plus magnitudes, or minus them where a bit of `signs` is set.
template <int Zero>
NIBBLE_INLINE __m256i with_signs(__m256i magnitudes, std::uint32_t signs) noexcept {
    const __m256i mask = mask_of_bits(signs);
    return _mm256_add_epi8(_mm256_sub_epi8(_mm256_xor_si256(magnitudes, mask), mask), _mm256_set1_epi8(Zero));
}

/// Sixteen nibbles as floats: the low ones of eight bytes, then the high ones.
NIBBLE_INLINE void nibbles_to_floats(const std::uint8_t* from, __m256& low, __m256& high) noexcept {
    const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    low = _mm256_cvtepi32_ps(_mm256_and_si256(bytes, _mm256_set1_epi32(15)));
    high = _mm256_cvtepi32_ps(_mm256_srli_epi32(bytes, 4));
}

/// scale * (0.5 + code); exact.
NIBBLE_INLINE __m256 half_more(__m256 scale, __m256 code) noexcept { return _mm256_mul_ps(scale, _mm256_add_ps(code, _mm256_set1_ps(0.5f))); }

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
