// Quantize to blocks of 32 codes of 4 or 5 bits with AVX-512, without importance. The rules are small_block's (format/small_block.hpp), eight blocks
// at once, so that what is one number a block is a lane. Rare blocks are left to AVX2's kernel: several values of the largest magnitude, scales
// without an inverse.
#pragma once

#include "nibble/kernel/avx2/quantize_small.hpp"
#include "nibble/kernel/avx512/quantize.hpp"

#if defined(NIBBLE_X86) && (defined(__clang__) || defined(__OPTIMIZE__))
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

template <class F>
NIBBLE_INLINE void encode_small(const float* values, const avx2::small_rules& rules, typename F::block* blocks) noexcept {
    constexpr int last = (1 << F::code_bits) - 1;
    constexpr bool shifted = avx2::shifted_small<F>;
    alignas(32) float inverse[8], low[8];
    alignas(16) std::uint16_t scales[8], offsets[8];
    _mm256_store_ps(inverse, rules.inverse);
    _mm_store_si128(reinterpret_cast<__m128i*>(scales), _mm256_cvtps_ph(rules.scale, _MM_FROUND_TO_NEAREST_INT));
    if constexpr (shifted) {
        _mm256_store_ps(low, rules.low);
        _mm_store_si128(reinterpret_cast<__m128i*>(offsets), _mm256_cvtps_ph(rules.low, _MM_FROUND_TO_NEAREST_INT));
    }
#pragma GCC unroll 8
    for (int b = 0; b < 8; ++b) {
        const __m512 factor = _mm512_set1_ps(inverse[b]), rounding = _mm512_set1_ps(shifted ? 0.5f : 0.5f * static_cast<float>(last) + 1.0f);
        const auto codes_of = [&](const float* from) NIBBLE_LAMBDA_INLINE {
            __m512 value = _mm512_loadu_ps(from);
            if constexpr (shifted) value = _mm512_sub_ps(value, _mm512_set1_ps(low[b]));
            const __m512i code = _mm512_cvttps_epi32(_mm512_add_ps(_mm512_mul_ps(value, factor), rounding));
            return shifted ? code : _mm512_min_epi32(code, _mm512_set1_epi32(last));
        };
        const __m512i first = codes_of(values + 32 * b), second = codes_of(values + 32 * b + 16);
        blocks[b].scale.set(scales[b]);
        if constexpr (shifted) blocks[b].offset.set(offsets[b]);
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

}  // namespace avx512

template <searched_format F>
    requires avx2::centered_small<F> || avx2::shifted_small<F>
struct kernel<op::quantize, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        if (importance != nullptr) return quantize_rows_avx512<F>(values, rows, cols, importance, out);
        constexpr auto avx2_entry = kernel<op::quantize, F, isa::avx2>::entry;
        auto* blocks = reinterpret_cast<typename F::block*>(out);
        std::size_t left = rows * (cols / 32);
        // The next rules are found before the codes are written: their divisions take long, but no place.
        avx2::small_rules next{};
        if (left >= 8) next = avx2::small_rules_of<F>(values);
        for (; left >= 8; left -= 8, values += 256, blocks += 8) {
            const avx2::small_rules rules = next;
            if (left >= 16) next = avx2::small_rules_of<F>(values + 256);
            if (rules.rare) avx2_entry(values, 1, 256, nullptr, reinterpret_cast<std::byte*>(blocks));
            else avx512::encode_small<F>(values, rules, blocks);
        }
        if (left != 0) avx2_entry(values, 1, 32 * left, nullptr, reinterpret_cast<std::byte*>(blocks));
    }
    static constexpr op::quantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
