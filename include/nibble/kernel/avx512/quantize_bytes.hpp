// Quantize to blocks of 32 signed bytes with AVX-512, which is what prepares activations. The rule is byte_block's (format/byte_block.hpp), eight
// blocks at once, so that their scales and sums are the lanes of one register. Magnitudes are AVX2's: wider registers take longer to look across.
#pragma once

#include "nibble/kernel/avx2/quantize_bytes.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <avx2::byte_blocks F>
struct kernel<op::quantize_checked, F, isa::avx512> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        auto* blocks = reinterpret_cast<typename F::block*>(out);
        std::size_t left = count / 32;
        __m256i most = _mm256_setzero_si256();
        // The next scales are found before the codes are written: their divisions take long, but no place.
        __m256 next = left >= 8 ? avx2::byte_scales(values, most) : _mm256_setzero_ps();
        for (; left >= 8; left -= 8, values += 256, blocks += 8) {
            const __m256 scale = next;
            if (left >= 16) next = avx2::byte_scales(values + 256, most);
            encode_eight(values, scale, blocks);
        }
        return avx2::encode_rest<F>(values, left, most, bit_cast<std::uint32_t>(F::safe_magnitude), blocks);
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    NIBBLE_INLINE static void encode_eight(const float* values, __m256 scale, typename F::block* blocks) noexcept {
        const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF), below_half = _mm512_set1_epi32(0x3EFFFFFF);
        const avx2::eight_scales scales(scale);
        // The lowest byte of each of 32 codes.
        const __m512i bytes = _mm512_castsi256_si512(_mm256_setr_epi8(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80,
                                                                      84, 88, 92, 96, 100, 104, 108, 112, 116, 120, 124));
        [[maybe_unused]] __m256i totals[8];
#pragma GCC unroll 8
        for (int b = 0; b < 8; ++b) {
            const auto code = [&](const float* from) NIBBLE_LAMBDA_INLINE {
                const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(from), _mm512_set1_ps(scales.inverse[b]));
                // Half away from zero: the sign of the value, and the bits of what is added (round_away in base/lanes.hpp).
                const __m512i rounding = _mm512_ternarylogic_epi32(magnitude, _mm512_castps_si512(value), below_half, 0xAE);
                return _mm512_cvttps_epi32(_mm512_add_ps(value, _mm512_castsi512_ps(rounding)));
            };
            const __m256i codes = _mm512_castsi512_si256(_mm512_permutex2var_epi8(code(values + 32 * b), bytes, code(values + 32 * b + 16)));
            blocks[b].scale.set(scales.halves[b]);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(blocks[b].codes), codes);
            if constexpr (avx2::with_sum<F>) totals[b] = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), codes);
        }
        if constexpr (avx2::with_sum<F>) avx2::set_sums(totals, scale, blocks);
    }
};

template <avx2::byte_blocks F>
struct kernel<op::quantize, F, isa::avx512> : internal::quantize_as_checked<F, isa::avx512> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
