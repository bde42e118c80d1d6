// Points of -1, 0 and 1 that are shifted by an eighth up or down: the codebook layouts of 1 bit. Their codes count eighths.
#pragma once

#include "nibble/format/codebook/layout.hpp"
#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/points.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// 16 and eight times the coordinates of four points.
template <class Book>
NIBBLE_INLINE __m256i load_eighths(std::size_t a, std::size_t b, std::size_t c, std::size_t d) noexcept {
    const __m256i levels =
        _mm256_setr_epi64x(load_point8<Book>(a), load_point8<Book>(b), load_point8<Book>(c), load_point8<Book>(d));
    const __m256i eight = _mm256_set1_epi8(8);
    return _mm256_add_epi8(_mm256_sign_epi8(eight, levels), _mm256_set1_epi8(16));
}

template <class F, class Book>
struct layout_decoder<F, layout::shifted_points<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 16;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        const __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block_of<F>(run).high)));
        // Bits 12 to 14: 2 * code, and 1 below it.
        const __m256i odd = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(high, 11), _mm256_set1_epi32(14)), _mm256_set1_epi32(1));
        return centered<zero>(_mm256_mul_ps(_mm256_mul_ps(broadcast_half(run), _mm256_set1_ps(0.125f)), _mm256_cvtepi32_ps(odd)));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {0.125f * load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const std::uint32_t high = block.high[Group].get();
        const auto index = [&](int k) NIBBLE_LAMBDA_INLINE { return block.index[4 * Group + k] | ((high >> (3 * k) << 8) & 0x700u); };
        const auto shift = static_cast<char>(1 - static_cast<int>(high >> 15 << 1));
        return _mm256_add_epi8(load_eighths<Book>(index(0), index(1), index(2), index(3)), _mm256_set1_epi8(shift));
    }
};

template <class F, class Book>
struct layout_decoder<F, layout::singly_shifted_points<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 16;

    /// The scale is in the top nibbles of the four words with sub-scales.
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept {
        std::uint64_t words;
        __builtin_memcpy(&words, block_of<F>(run).scales, 8);
        const std::uint64_t top = words & 0xF000F000F000F000u;
        const auto bits = static_cast<std::uint16_t>((top >> 12) | (top >> 24) | (top >> 36) | (top >> 48));
        return {0.125f * load_half(reinterpret_cast<const std::byte*>(&bits))};
    }
    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        std::uint64_t words;
        __builtin_memcpy(&words, block_of<F>(run).scales, 8);
        const __m256 scale = _mm256_set1_ps(units(run).scale);
        // Two groups a word: bits 0, 3, 6 and 9 begin the sub-scales of their four parts. Odd numbers: twice the code, and 1.
        const __m256i pairs = _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(_mm_cvtsi64_si128(static_cast<long long>(words)),
                                                                       _mm_cvtsi64_si128(static_cast<long long>(words))));
        const auto part = [&](int bit) NIBBLE_LAMBDA_INLINE {
            const __m256i shift = _mm256_setr_epi32(bit, bit + 6, bit, bit + 6, bit, bit + 6, bit, bit + 6);
            const __m256i twice = _mm256_and_si256(_mm256_srlv_epi32(_mm256_slli_epi32(pairs, 1), shift), _mm256_set1_epi32(14));
            return _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_or_si256(twice, _mm256_set1_epi32(1))));
        };
        return centered<zero>(part(0), part(3));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        std::uint16_t high;
        __builtin_memcpy(&high, block.high + 2 * Group, 2);
        const auto index = [&](int k) NIBBLE_LAMBDA_INLINE { return block.index[4 * Group + k] | ((std::uint32_t{high} >> (4 * k) << 8) & 0x700u); };
        // The top bit of each nibble, on all bytes of its point: the shift is 1 or -1.
        const __m256i bit = _mm256_setr_epi64x(0x0008, 0x0080, 0x0800, 0x8000);
        const __m256i clear = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(high), bit), _mm256_setzero_si256());
        const __m256i shift = _mm256_blendv_epi8(_mm256_set1_epi8(-1), _mm256_set1_epi8(1), clear);
        return _mm256_add_epi8(load_eighths<Book>(index(0), index(1), index(2), index(3)), shift);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
