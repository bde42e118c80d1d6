// Super-blocks of sixteen sub-blocks of 16 that have a signed scale: codes of three and of six bits.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
struct layout_decoder<F, layout::three_bit_super_block> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 4;

    /// Sixteen signed bytes.
    NIBBLE_INLINE static __m128i sub_scales(const std::byte* run) noexcept {
        std::uint64_t low;
        std::uint32_t high;
        __builtin_memcpy(&low, run + 96, 8);
        __builtin_memcpy(&high, run + 104, 4);
        const __m128i nibbles = _mm_and_si128(_mm_set_epi64x(static_cast<long long>(low >> 4), static_cast<long long>(low)), _mm_set1_epi8(15));
        const __m128i pairs = _mm_and_si128(_mm_srlv_epi32(_mm_set1_epi32(static_cast<int>(high)), _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi8(3));
        return _mm_sub_epi8(_mm_or_si128(nibbles, _mm_slli_epi16(pairs, 4)), _mm_set1_epi8(32));
    }
    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        const __m128i apart = even_bytes_first(sub_scales(run));
        const __m256 scale = broadcast_half(run + 108);
        const auto scaled = [&](__m128i first) NIBBLE_LAMBDA_INLINE { return _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(first))); };
        return centered<zero>(scaled(apart), scaled(_mm_unpackhi_epi64(apart, apart)));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 108)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return _mm256_or_si256(stacked<2, Group>(run + 32), stacked_bit<Group, 2>(run));
    }
};

template <class F>
struct layout_decoder<F, layout::six_bit_super_block> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 32;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        const __m256 s = broadcast_half(run + 208);
        const __m128i sub_scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 192));
        const auto scaled = [&](__m128i first) NIBBLE_LAMBDA_INLINE { return _mm256_mul_ps(s, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(first))); };
        const __m128i apart = even_bytes_first(sub_scales);
        return centered<zero>(scaled(apart), scaled(_mm_unpackhi_epi64(apart, apart)));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 208)}; }
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
