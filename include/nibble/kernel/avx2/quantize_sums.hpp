// Quantize to super-blocks of signed bytes with sums of sixteen with AVX2, which is what prepares activations. The rule is that of the format
// (format/q8_k.hpp).
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// The largest magnitudes of each sign in a super-block, as bits: NaN is larger than anything.
struct extremes {
    std::uint32_t positive, negative;
    NIBBLE_INLINE std::uint32_t magnitude() const noexcept { return positive > negative ? positive : negative; }
    /// The value of largest magnitude; 0 if that is rare: both signs have it, or it has no inverse.
    NIBBLE_INLINE float value() const noexcept {
        if (positive == negative || magnitude() <= bit_cast<std::uint32_t>(1e-30f)) return 0.0f;
        return bit_cast<float>(positive > negative ? positive : negative | 0x80000000u);
    }
};

template <class F>
concept bytes_with_sums = searched_format<F> && std::same_as<typename F::layout, layout::signed_bytes_with_sums>;

}  // namespace avx2

template <avx2::bytes_with_sums F>
struct kernel<op::quantize_checked, F, isa::avx2> {
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
        // Bits of positive floats order like signed integers above 0, those of negative ones like unsigned integers above -0.
        __m256i positive[2], negative[2];
        positive[0] = positive[1] = _mm256_setzero_si256();
        negative[0] = negative[1] = _mm256_set1_epi32(static_cast<int>(0x80000000u));
#pragma GCC unroll 32
        for (int i = 0; i < 32; ++i) {
            const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + 8 * i));
            positive[i % 2] = _mm256_max_epi32(positive[i % 2], bits);
            negative[i % 2] = _mm256_max_epu32(negative[i % 2], bits);
        }
        const __m256i high = _mm256_max_epi32(positive[0], positive[1]);
        const __m256i low = _mm256_and_si256(_mm256_max_epu32(negative[0], negative[1]), _mm256_set1_epi32(0x7FFFFFFF));
        // Both at once, in half a register each.
        __m256i both = _mm256_max_epi32(_mm256_permute2x128_si256(high, low, 0x20), _mm256_permute2x128_si256(high, low, 0x31));
        both = _mm256_max_epi32(both, _mm256_shuffle_epi32(both, 0b01'00'11'10));
        both = _mm256_max_epi32(both, _mm256_shuffle_epi32(both, 0b10'11'00'01));
        return {static_cast<std::uint32_t>(_mm256_cvtsi256_si32(both)),
                static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm256_extracti128_si256(both, 1)))};
    }
    NIBBLE_INLINE static void encode(const float* values, float extreme, typename F::block& packed) noexcept {
        const float inverse = -127.0f / extreme;
        packed.scale.set(1.0f / inverse);
        const __m256 factor = _mm256_set1_ps(inverse);
        __m256i totals[8];
#pragma GCC unroll 8
        for (int g = 0; g < 8; ++g) {
            const auto code = [&](int i) NIBBLE_LAMBDA_INLINE {
                return _mm256_cvtps_epi32(_mm256_mul_ps(factor, _mm256_loadu_ps(values + 32 * g + 8 * i)));
            };
            // 128 becomes 127, as it should.
            const __m256i codes = avx2::in_order(avx2::to_bytes(code(0), code(1), code(2), code(3)));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed.codes + 32 * g), codes);
            totals[g] = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), codes), _mm256_set1_epi16(1));
        }
        const auto four = [&](int g) NIBBLE_LAMBDA_INLINE {
            return _mm256_hadd_epi32(_mm256_hadd_epi32(totals[g], totals[g + 1]), _mm256_hadd_epi32(totals[g + 2], totals[g + 3]));
        };
        // The sums of the first sixteen of each group, and those of the second.
        const __m256i sums = _mm256_packs_epi32(four(0), four(4));
        const __m128i first = _mm256_castsi256_si128(sums), second = _mm256_extracti128_si256(sums, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.sums), _mm_unpacklo_epi16(first, second));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.sums) + 1, _mm_unpackhi_epi16(first, second));
    }
};

template <avx2::bytes_with_sums F>
struct kernel<op::quantize, F, isa::avx2> : internal::quantize_as_checked<F, isa::avx2> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
