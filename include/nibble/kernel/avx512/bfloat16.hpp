// Floats as bfloat16, rounded to nearest even, with AVX512_BF16: part of the amx level, and of some processors of the avx512 level.
#pragma once

#include "nibble/base/target.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512BF16
NIBBLE_BASELINE_BEGIN
namespace avx512bf16 {

/// Two registers of floats as one of bfloat16.
NIBBLE_INLINE __m512i to_bfloat16(__m512 low, __m512 high) noexcept { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

/// Up to 16 floats. Finite ones that would round to infinity lose their last bits instead, which is within the same error.
NIBBLE_INLINE __m512 load_finite(const float* x, std::size_t count) noexcept {
    const auto mask = static_cast<__mmask16>(count < 16 ? (1u << count) - 1 : 0xFFFFu);
    const __m512i bits = _mm512_maskz_loadu_epi32(mask, x);
    const __m512i upper = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFF0000));
    const __mmask16 largest = _mm512_cmpeq_epi32_mask(upper, _mm512_set1_epi32(0x7F7F0000));
    return _mm512_castsi512_ps(_mm512_mask_and_epi32(bits, largest, bits, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

}  // namespace avx512bf16
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
