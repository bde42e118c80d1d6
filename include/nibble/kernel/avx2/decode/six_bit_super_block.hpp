// Super-blocks of sixteen sub-blocks of 16 with codes of six bits.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
struct layout_decoder<F, layout::six_bit_super_block> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 32;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        const __m256 s = broadcast_half(run + 208);
        const __m128i sub_scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 192));
        const auto scaled = [&](__m128i first) NIBBLE_LAMBDA_INLINE { return _mm256_mul_ps(s, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(first))); };
        const __m128i apart = _mm_shuffle_epi8(sub_scales, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
        return centered<zero>(scaled(apart), scaled(_mm_unpackhi_epi64(apart, apart)));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        constexpr int half = Group / 4, quarter = Group % 4;
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 64 * half + 32 * (quarter % 2)));
        const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 128 + 32 * half));
        const __m256i low_codes = _mm256_and_si256(quarter < 2 ? low : _mm256_srli_epi16(low, 4), _mm256_set1_epi8(15));
        const __m256i moved = quarter == 0   ? _mm256_slli_epi16(high, 4)
                              : quarter == 1 ? _mm256_slli_epi16(high, 2)
                              : quarter == 2 ? high
                                             : _mm256_srli_epi16(high, 2);
        return _mm256_or_si256(low_codes, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
