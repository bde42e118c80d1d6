// fp32 to floats of 16 bits with AVX-512, 32 at once.
#pragma once

#include "nibble/kernel/avx2/short_floats.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// As avx2::short_floats.
template <class Layout>
struct short_floats;

template <>
struct short_floats<layout::float16> {
    NIBBLE_INLINE static __m512i shorten(__m512i first, __m512i second, __m512i& most) noexcept {
        const __m256i low = _mm512_cvtps_ph(_mm512_castsi512_ps(first), _MM_FROUND_TO_NEAREST_INT);
        const __m256i high = _mm512_cvtps_ph(_mm512_castsi512_ps(second), _MM_FROUND_TO_NEAREST_INT);
        const __m512i halves = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        most = _mm512_max_epi16(most, _mm512_and_si512(halves, _mm512_set1_epi16(0x7FFF)));
        return halves;
    }
    NIBBLE_INLINE static bool fits(__m512i most) noexcept { return _mm512_cmpgt_epi16_mask(most, _mm512_set1_epi16(0x7BFF)) == 0; }
};

template <>
struct short_floats<layout::bfloat16> {
    NIBBLE_INLINE static __m512i shorten(__m512i first, __m512i second, __m512i& most) noexcept {
        const __m512i upper = _mm512_permutex2var_epi16(first, words(1), second), lower = _mm512_permutex2var_epi16(first, words(0), second);
        most = _mm512_max_epi16(most, _mm512_and_si512(upper, _mm512_set1_epi16(0x7FFF)));
        // To nearest: up from the middle on if the upper half is odd, above it if it is even.
        const __m512i middle = _mm512_sub_epi16(_mm512_set1_epi16(-0x8000), _mm512_and_si512(upper, _mm512_set1_epi16(1)));
        return _mm512_mask_sub_epi16(upper, _mm512_cmpgt_epu16_mask(lower, middle), upper, _mm512_set1_epi16(-1));
    }
    /// 0x7F7F may be rounded to infinity; who looks closer finds out.
    NIBBLE_INLINE static bool fits(__m512i most) noexcept { return _mm512_cmpgt_epi16_mask(most, _mm512_set1_epi16(0x7F7E)) == 0; }

private:
    /// The indices of the lower (0) or upper words (1) of two vectors.
    NIBBLE_INLINE static __m512i words(short half) noexcept {
        const __m512i count = _mm512_setr_epi32(0x00020000, 0x00060004, 0x000A0008, 0x000E000C, 0x00120010, 0x00160014, 0x001A0018, 0x001E001C,
                                                0x00220020, 0x00260024, 0x002A0028, 0x002E002C, 0x00320030, 0x00360034, 0x003A0038, 0x003E003C);
        return _mm512_add_epi16(count, _mm512_set1_epi16(half));
    }
};

}  // namespace avx512

template <avx2::short_float F>
struct kernel<op::quantize_checked, F, isa::avx512> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        using floats = avx512::short_floats<typename F::layout>;
        __m512i most = _mm512_setzero_si512();
        std::size_t i = 0;
        for (; i + 32 <= count; i += 32) {
            const __m512i first = _mm512_loadu_si512(values + i), second = _mm512_loadu_si512(values + i + 16);
            // In halves: stores of 64 bytes that touch two lines each were slower where lines come from memory.
            const __m512i both = floats::shorten(first, second, most);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i), _mm512_castsi512_si256(both));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i) + 1, _mm512_extracti64x4_epi64(both, 1));
        }
        return avx2::shorten_rest<F>(values + i, count - i, out + 2 * i) && floats::fits(most);
    }
    static constexpr op::quantize_checked::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
