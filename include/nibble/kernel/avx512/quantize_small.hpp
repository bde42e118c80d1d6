// Quantize to blocks of 32 codes of 4 or 5 bits with AVX-512, without importance. The rules are small_block's (format/small_block.hpp), eight blocks
// at once, so that what is one number a block is a lane. Rare blocks are left to AVX2's kernel: several values of the largest magnitude, scales
// without an inverse.
#pragma once

#include <concepts>

#include "nibble/format/small_block.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx512/activation.hpp"
#include "nibble/kernel/avx512/quantize.hpp"

#if defined(NIBBLE_X86) && (defined(__clang__) || defined(__OPTIMIZE__))
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// What eight blocks decide before their codes are written, one a lane: code = inverse * (value - low) + rounding, cut off.
template <bool Shifted>
struct small_rules {
    __m256 scale, inverse, low;  ///< low: the offset; not used without one
    bool rare;                   ///< a block is not of this kind
};

/// @tparam Span  what the scale is divided by: the last code, or minus the middle one
template <bool Shifted, int Span>
NIBBLE_INLINE small_rules<Shifted> small_rules_of(const float* values) noexcept {
    __m512i least[8], most[8];
#pragma GCC unroll 8
    for (int b = 0; b < 8; ++b) {
        __m512 first = _mm512_loadu_ps(values + 32 * b), second = _mm512_loadu_ps(values + 32 * b + 16);
        __asm__("" : "+v"(first), "+v"(second));  // GCC would load what is used twice twice
        least[b] = _mm512_castps_si512(_mm512_min_ps(first, second));
        most[b] = _mm512_castps_si512(_mm512_max_ps(first, second));
    }
    const auto smaller = [](__m512i a, __m512i b) NIBBLE_LAMBDA_INLINE {
        return _mm512_castps_si512(_mm512_min_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
    };
    const auto larger = [](__m512i a, __m512i b) NIBBLE_LAMBDA_INLINE {
        return _mm512_castps_si512(_mm512_max_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
    };
    const __m256 low = _mm256_castsi256_ps(across(least, smaller)), high = _mm256_castsi256_ps(across(most, larger)), zero = _mm256_setzero_ps();
    small_rules<Shifted> rules;
    __mmask8 rare;
    if constexpr (Shifted) {
        // Zeros of both signs are equal, and the first one counts.
        rare = _mm256_cmp_ps_mask(low, zero, _CMP_EQ_OQ) | _mm256_cmp_ps_mask(high, zero, _CMP_EQ_OQ);
        rules.low = low;
        rules.scale = (high - low) / _mm256_set1_ps(static_cast<float>(Span));
    } else {
        const __m256 opposite = _mm256_xor_ps(low, _mm256_set1_ps(-0.0f));
        rare = _mm256_cmp_ps_mask(high, opposite, _CMP_EQ_OQ);  // the first one counts
        const __m256 extreme = _mm256_mask_mov_ps(low, _mm256_cmp_ps_mask(high, opposite, _CMP_GT_OQ), high);
        rules.scale = extreme / _mm256_set1_ps(static_cast<float>(Span));
    }
    rules.inverse = _mm256_set1_ps(1.0f) / rules.scale;  // the intrinsic is an estimate under -ffast-math
    // Neither scales so small that they have no inverse, zero among them, nor such that are not finite.
    const __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), rules.scale);
    rules.rare = (rare | _mm256_cmp_ps_mask(magnitude, _mm256_set1_ps(1e-37f), _CMP_NGT_UQ) |
                  _mm256_cmp_ps_mask(magnitude, _mm256_set1_ps(1e37f), _CMP_NLT_UQ)) != 0;
    return rules;
}

template <class F, bool Shifted>
NIBBLE_INLINE void encode_small(const float* values, const small_rules<Shifted>& rules, typename F::block* blocks) noexcept {
    constexpr int last = (1 << F::code_bits) - 1;
    alignas(32) float inverse[8], low[8];
    alignas(16) std::uint16_t scales[8], offsets[8];
    _mm256_store_ps(inverse, rules.inverse);
    _mm_store_si128(reinterpret_cast<__m128i*>(scales), _mm256_cvtps_ph(rules.scale, _MM_FROUND_TO_NEAREST_INT));
    if constexpr (Shifted) {
        _mm256_store_ps(low, rules.low);
        _mm_store_si128(reinterpret_cast<__m128i*>(offsets), _mm256_cvtps_ph(rules.low, _MM_FROUND_TO_NEAREST_INT));
    }
#pragma GCC unroll 8
    for (int b = 0; b < 8; ++b) {
        const __m512 factor = _mm512_set1_ps(inverse[b]), rounding = _mm512_set1_ps(Shifted ? 0.5f : 0.5f * static_cast<float>(last) + 1.0f);
        const auto codes_of = [&](const float* from) NIBBLE_LAMBDA_INLINE {
            __m512 value = _mm512_loadu_ps(from);
            if constexpr (Shifted) value = _mm512_sub_ps(value, _mm512_set1_ps(low[b]));
            const __m512i code = _mm512_cvttps_epi32(_mm512_add_ps(_mm512_mul_ps(value, factor), rounding));
            return Shifted ? code : _mm512_min_epi32(code, _mm512_set1_epi32(last));
        };
        const __m512i first = codes_of(values + 32 * b), second = codes_of(values + 32 * b + 16);
        blocks[b].scale.set(scales[b]);
        if constexpr (Shifted) blocks[b].offset.set(offsets[b]);
        // The low nibble of the first half, below that of the second.
        const __m128i pairs = _mm512_cvtepi32_epi8(_mm512_ternarylogic_epi32(_mm512_slli_epi32(second, 4), first, _mm512_set1_epi32(15), 0xF8));
        if constexpr (F::code_bits == 5) {
            const __m512i fifth = _mm512_set1_epi32(16);
            blocks[b].codes.high.set(static_cast<std::uint32_t>(_mm512_test_epi32_mask(first, fifth)) |
                                     static_cast<std::uint32_t>(_mm512_test_epi32_mask(second, fifth)) << 16);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].codes.low.low), pairs);
        } else {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].codes.low), pairs);
        }
    }
}

template <class F, bool Shifted, int Span>
NIBBLE_INLINE void quantize_small(const float* values, std::size_t blocks_left, std::byte* out) noexcept {
    constexpr auto avx2 = kernel<op::quantize, F, isa::avx2>::entry;
    auto* blocks = reinterpret_cast<typename F::block*>(out);
    // The next rules are found before the codes are written: their divisions take long, but no place.
    small_rules<Shifted> next{};
    if (blocks_left >= 8) next = small_rules_of<Shifted, Span>(values);
    for (; blocks_left >= 8; blocks_left -= 8, values += 256, blocks += 8) {
        const auto rules = next;
        if (blocks_left >= 16) next = small_rules_of<Shifted, Span>(values + 256);
        if (rules.rare) avx2(values, 1, 256, nullptr, reinterpret_cast<std::byte*>(blocks));
        else encode_small<F>(values, rules, blocks);
    }
    if (blocks_left != 0) avx2(values, 1, 32 * blocks_left, nullptr, reinterpret_cast<std::byte*>(blocks));
}

/// Codes of 4 or 5 bits, with and without an offset.
template <class F>
concept centered_small = searched_format<F> && std::derived_from<F, centered_block<F, F::code_bits>>;
template <class F>
concept shifted_small = searched_format<F> && std::derived_from<F, shifted_block<F, F::code_bits>>;

}  // namespace avx512

template <searched_format F>
    requires avx512::centered_small<F> || avx512::shifted_small<F>
struct kernel<op::quantize, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        if (importance != nullptr) return quantize_rows_avx512<F>(values, rows, cols, importance, out);
        const std::size_t blocks = rows * (cols / 32);
        if constexpr (avx512::shifted_small<F>) avx512::quantize_small<F, true, F::max_code>(values, blocks, out);
        else avx512::quantize_small<F, false, -F::middle>(values, blocks, out);
    }
    static constexpr op::quantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
