// Quantize to blocks of 32 signed bytes with AVX2, which is what prepares activations. The rule is byte_block's (format/byte_block.hpp), eight
// blocks at once, so that their magnitudes, scales and sums are the lanes of one register.
#pragma once

#include <concepts>

#include "nibble/format/byte_block.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

namespace avx2 {

template <class F>
concept byte_blocks = searched_format<F> && (std::derived_from<F, byte_block<F, false>> || std::derived_from<F, byte_block<F, true>>);

/// The scales of eight blocks; `largest` takes part in their magnitudes, as bits.
NIBBLE_INLINE __m256 byte_scales(const float* values, __m256i& largest) noexcept {
    const __m256i of_each = eight_magnitudes<32>(values);
    largest = _mm256_max_epi32(largest, of_each);
    return _mm256_castsi256_ps(of_each) / _mm256_set1_ps(127.0f);  // the intrinsic is an estimate under -ffast-math
}

/// What the scales of eight blocks are multiplied with and stored as.
struct eight_scales {
    alignas(32) float inverse[8];
    alignas(16) std::uint16_t halves[8];

    NIBBLE_INLINE explicit eight_scales(__m256 scale) noexcept {
        const __m256 quotient = _mm256_set1_ps(1.0f) / scale;
        // code_rule: a scale without a finite inverse has codes of 0. Neither is negative.
        const __m256 usable = _mm256_cmp_ps(quotient, _mm256_set1_ps(3.402823466e38f), _CMP_LE_OQ);
        _mm256_store_ps(inverse, _mm256_and_ps(usable, quotient));
        _mm_store_si128(reinterpret_cast<__m128i*>(halves), _mm256_cvtps_ph(scale, _MM_FROUND_TO_NEAREST_INT));
    }
};

/// Whether blocks have the sum of their codes too.
template <byte_blocks F>
inline constexpr bool with_sum = std::derived_from<F, byte_block<F, true>>;

/// The sums of eight blocks, from registers that add up to those of their codes.
NIBBLE_INLINE void set_sums(const __m256i (&totals)[8], __m256 scale, auto* blocks) noexcept {
    alignas(16) std::uint16_t halves[8];
    const __m256 sums = _mm256_mul_ps(_mm256_cvtepi32_ps(total_across(totals)), scale);
    _mm_store_si128(reinterpret_cast<__m128i*>(halves), _mm256_cvtps_ph(sums, _MM_FROUND_TO_NEAREST_INT));
#pragma GCC unroll 8
    for (int b = 0; b < 8; ++b) blocks[b].sum.set(halves[b]);
}

}  // namespace avx2

template <avx2::byte_blocks F>
struct kernel<op::quantize_checked, F, isa::avx2> {
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
        const __m256 sign = _mm256_set1_ps(-0.0f), below_half = _mm256_castsi256_ps(_mm256_set1_epi32(0x3EFFFFFF));
        const avx2::eight_scales scales(scale);
        [[maybe_unused]] __m256i totals[8];
#pragma GCC unroll 8
        for (int b = 0; b < 8; ++b) {
            const __m256 factor = _mm256_broadcast_ss(scales.inverse + b);
            const auto code = [&](int i) NIBBLE_LAMBDA_INLINE {
                const __m256 value = _mm256_mul_ps(_mm256_loadu_ps(values + 32 * b + 8 * i), factor);
                // Half away from zero (round_away in base/lanes.hpp).
                return _mm256_cvttps_epi32(_mm256_add_ps(value, _mm256_or_ps(_mm256_and_ps(value, sign), below_half)));
            };
            const __m256i first = _mm256_packs_epi32(code(0), code(1)), second = _mm256_packs_epi32(code(2), code(3));
            const __m256i codes = avx2::in_order(_mm256_packs_epi16(first, second));
            blocks[b].scale.set(scales.halves[b]);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(blocks[b].codes), codes);
            if constexpr (avx2::with_sum<F>) totals[b] = _mm256_madd_epi16(_mm256_add_epi16(first, second), _mm256_set1_epi16(1));
        }
        if constexpr (avx2::with_sum<F>) avx2::set_sums(totals, scale, blocks);
    }
};

template <avx2::byte_blocks F>
struct kernel<op::quantize, F, isa::avx2> : internal::quantize_as_checked<F, isa::avx2> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
