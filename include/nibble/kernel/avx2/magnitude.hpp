// The largest magnitude with AVX2.
#pragma once

#include "nibble/kernel/reference/magnitude.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::magnitude, F, isa::avx2> {
    static std::uint32_t run(const float* values, std::size_t count) noexcept {
        const __m256i mask = _mm256_set1_epi32(0x7FFFFFFF);
        __m256i most[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        std::size_t i = 0;
        for (; i + 32 <= count; i += 32) {
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) {
                const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i + 8 * k));
                most[k] = _mm256_max_epi32(most[k], _mm256_and_si256(bits, mask));
            }
        }
        std::uint32_t lanes[8];
        const __m256i all = _mm256_max_epi32(_mm256_max_epi32(most[0], most[1]), _mm256_max_epi32(most[2], most[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), all);
        std::uint32_t largest = 0;
        for (const std::uint32_t lane : lanes) largest = lane > largest ? lane : largest;
        for (; i < count; ++i) {
            std::uint32_t bits;
            __builtin_memcpy(&bits, values + i, sizeof bits);
            bits &= 0x7FFFFFFFu;
            largest = bits > largest ? bits : largest;
        }
        return largest;
    }
    static constexpr op::magnitude::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
