// Quantize to super-blocks of signed bytes with sums of sixteen with AVX-512, which is what prepares activations. The rule is that of the format
// (format/q8_k.hpp).
#pragma once

#include "nibble/kernel/avx2/quantize_sums.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <avx2::bytes_with_sums F>
struct kernel<op::quantize_checked, F, isa::avx512> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        auto* packed = reinterpret_cast<typename F::block*>(out);
        std::size_t left = count / 256;
        std::uint32_t most = 0;
        // The next extremes are found before these codes are written, so that nothing waits for them.
        avx2::extremes next{};
        if (left > 0) next = extremes_of(values);
        for (; left > 0; --left, values += 256, ++packed) {
            const avx2::extremes found = next;
            if (left > 1) next = extremes_of(values + 256);
            most = most > found.magnitude() ? most : found.magnitude();
            const float extreme = found.value();
            if (extreme == 0.0f) kernel<op::quantize, F, isa::reference>::entry(values, 1, 256, nullptr, reinterpret_cast<std::byte*>(packed));
            else encode(values, extreme, *packed);
        }
        return most <= bit_cast<std::uint32_t>(F::safe_magnitude);
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    NIBBLE_INLINE static avx2::extremes extremes_of(const float* values) noexcept {
        // As AVX2 does it.
        __m512i positive = _mm512_setzero_si512(), negative = _mm512_set1_epi32(static_cast<int>(0x80000000u));
#pragma GCC unroll 16
        for (int i = 0; i < 256; i += 16) {
            const __m512i bits = _mm512_loadu_si512(values + i);
            positive = _mm512_max_epi32(positive, bits);
            negative = _mm512_max_epu32(negative, bits);
        }
        // Both at once, in half a register each.
        const __m512i low = _mm512_and_si512(negative, _mm512_set1_epi32(0x7FFFFFFF));
        __m512i both = _mm512_max_epi32(_mm512_shuffle_i32x4(positive, low, 0x44), _mm512_shuffle_i32x4(positive, low, 0xEE));
        both = _mm512_max_epi32(both, _mm512_shuffle_i32x4(both, both, 0xB1));
        both = _mm512_max_epi32(both, _mm512_shuffle_epi32(both, _MM_PERM_BADC));
        both = _mm512_max_epi32(both, _mm512_shuffle_epi32(both, _MM_PERM_CDAB));
        return {static_cast<std::uint32_t>(_mm512_cvtsi512_si32(both)),
                static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm512_extracti32x4_epi32(both, 2)))};
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

template <avx2::bytes_with_sums F>
struct kernel<op::quantize, F, isa::avx512> : internal::quantize_as_checked<F, isa::avx512> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
