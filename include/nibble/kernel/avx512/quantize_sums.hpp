// Quantize to super-blocks of signed bytes with sums of sixteen with AVX-512, which is what prepares activations. The rule is that of the format
// (format/q8_k.hpp).
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/quantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <searched_format F>
    requires std::same_as<typename F::layout, layout::signed_bytes_with_sums>
struct kernel<op::quantize, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float*, std::byte* out) noexcept {
        std::size_t left = rows * (cols / 256);
        auto* packed = reinterpret_cast<typename F::block*>(out);
        // The next extreme is found before these codes are written, so that nothing waits for it.
        float next = left > 0 ? extreme_of(values) : 0.0f;
        for (; left > 0; --left, values += 256, ++packed) {
            const float extreme = next;
            if (left > 1) next = extreme_of(values + 256);
            if (extreme == 0.0f) kernel<op::quantize, F, isa::avx2>::entry(values, 1, 256, nullptr, reinterpret_cast<std::byte*>(packed));
            else encode(values, extreme, *packed);
        }
    }
    static constexpr op::quantize::entry entry = &run;

private:
    /// The value of largest magnitude; 0 if that is rare: both signs have it, or it has no inverse.
    NIBBLE_INLINE static float extreme_of(const float* values) noexcept {
        __m512 least = _mm512_loadu_ps(values), most = least;
#pragma GCC unroll 16
        for (int i = 16; i < 256; i += 16) {
            least = _mm512_min_ps(_mm512_loadu_ps(values + i), least);
            most = _mm512_max_ps(_mm512_loadu_ps(values + i), most);
        }
        // Both at once, in half a register each.
        const __m512 opposite = _mm512_xor_ps(least, _mm512_set1_ps(-0.0f));
        __m512 both = _mm512_max_ps(_mm512_shuffle_f32x4(most, opposite, 0x44), _mm512_shuffle_f32x4(most, opposite, 0xEE));
        both = _mm512_max_ps(both, _mm512_shuffle_f32x4(both, both, 0xB1));
        both = _mm512_max_ps(both, _mm512_permute_ps(both, 0x4E));
        both = _mm512_max_ps(both, _mm512_permute_ps(both, 0xB1));
        const float high = _mm512_cvtss_f32(both), low = -_mm_cvtss_f32(_mm512_extractf32x4_ps(both, 2));
        const float extreme = high > -low ? high : low;
        return high != -low && __builtin_fabsf(extreme) > 1e-30f ? extreme : 0.0f;
    }
    NIBBLE_INLINE static void encode(const float* values, float extreme, typename F::block& packed) noexcept {
        const float inverse = -127.0f / extreme;
        packed.scale.set(1.0f / inverse);
        const __m512 factor = _mm512_set1_ps(inverse);
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        __m512i totals[4];
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) {
            const auto code = [&](int i) NIBBLE_LAMBDA_INLINE {
                return _mm512_cvtps_epi32(_mm512_mul_ps(factor, _mm512_loadu_ps(values + 64 * q + 16 * i)));
            };
            // Each 128 bits have four codes of each of four sixteens. 128 becomes 127, as it should.
            const __m512i codes = _mm512_packs_epi16(_mm512_packs_epi32(code(0), code(1)), _mm512_packs_epi32(code(2), code(3)));
            _mm512_storeu_si512(packed.codes + 64 * q, _mm512_permutexvar_epi32(order, codes));
            totals[q] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), codes);
        }
        const auto halves = [](__m512i a, __m512i b) NIBBLE_LAMBDA_INLINE {
            return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
        };
        const __m512i sums = halves(halves(totals[0], totals[1]), halves(totals[2], totals[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed.sums), _mm512_cvtepi32_epi16(sums));
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
