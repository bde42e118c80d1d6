// Quantize to blocks of 32 codes of 4 or 5 bits with AVX2, without importance. The rules are small_block's (format/small_block.hpp), eight blocks at
// once, so that what is one number a block is a lane. Rare blocks are left to the search in lanes: several values of the largest magnitude, scales
// without an inverse.
#pragma once

#include <concepts>

#include "nibble/format/small_block.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Codes of 4 or 5 bits, with and without an offset.
template <class F>
concept centered_small = searched_format<F> && std::derived_from<F, centered_block<F, F::code_bits>>;
template <class F>
concept shifted_small = searched_format<F> && std::derived_from<F, shifted_block<F, F::code_bits>>;

/// What eight blocks decide before their codes are written, one a lane: code = inverse * (value - low) + rounding, cut off.
struct small_rules {
    __m256 scale, inverse, low;  ///< low: the offset; 0 without one
    bool rare;                   ///< a block is not of this kind
};

/// What the scale is divided by: the last code, or minus the middle one.
template <class F>
consteval float small_span() noexcept {
    if constexpr (shifted_small<F>) return static_cast<float>(F::max_code);
    else return -static_cast<float>(F::middle);
}

/// @param low, high the least and the largest value of each block
template <class F>
NIBBLE_INLINE small_rules small_rules_between(__m256 low, __m256 high) noexcept {
    const __m256 zero = _mm256_setzero_ps(), span = _mm256_set1_ps(small_span<F>());
    small_rules rules;
    __m256 rare;
    if constexpr (shifted_small<F>) {
        // Zeros of both signs are equal, and the first one counts.
        rare = _mm256_or_ps(_mm256_cmp_ps(low, zero, _CMP_EQ_OQ), _mm256_cmp_ps(high, zero, _CMP_EQ_OQ));
        rules.low = low;
        rules.scale = (high - low) / span;
    } else {
        const __m256 opposite = _mm256_xor_ps(low, _mm256_set1_ps(-0.0f));
        rare = _mm256_cmp_ps(high, opposite, _CMP_EQ_OQ);  // the first one counts
        rules.low = zero;
        rules.scale = _mm256_blendv_ps(low, high, _mm256_cmp_ps(high, opposite, _CMP_GT_OQ)) / span;
    }
    rules.inverse = _mm256_set1_ps(1.0f) / rules.scale;  // the intrinsic is an estimate under -ffast-math
    // Neither scales so small that they have no inverse, zero among them, nor such that are not finite.
    const __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), rules.scale);
    rare = _mm256_or_ps(rare, _mm256_cmp_ps(magnitude, _mm256_set1_ps(1e-37f), _CMP_NGT_UQ));
    rare = _mm256_or_ps(rare, _mm256_cmp_ps(magnitude, _mm256_set1_ps(1e37f), _CMP_NLT_UQ));
    rules.rare = _mm256_movemask_ps(rare) != 0;
    return rules;
}

template <class F>
NIBBLE_INLINE small_rules small_rules_of(const float* values) noexcept {
    const auto smaller = [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE {
        return _mm256_castps_si256(_mm256_min_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
    };
    const auto larger = [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE {
        return _mm256_castps_si256(_mm256_max_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
    };
    // Pair by pair, because sixteen extremes leave no register.
    __m256i least[4], most[4];
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
        __m256i low[2], high[2];
#pragma GCC unroll 2
        for (int b = 0; b < 2; ++b) {
            const auto* from = reinterpret_cast<const __m256i*>(values + 64 * p + 32 * b);
            const __m256i v0 = _mm256_loadu_si256(from), v1 = _mm256_loadu_si256(from + 1), v2 = _mm256_loadu_si256(from + 2);
            const __m256i v3 = _mm256_loadu_si256(from + 3);
            low[b] = smaller(smaller(v0, v1), smaller(v2, v3));
            high[b] = larger(larger(v0, v1), larger(v2, v3));
        }
        least[p] = across_pair(low[0], low[1], smaller);
        most[p] = across_pair(high[0], high[1], larger);
    }
    return small_rules_between<F>(_mm256_castsi256_ps(across_pairs(least, smaller)), _mm256_castsi256_ps(across_pairs(most, larger)));
}

template <class F>
NIBBLE_INLINE void encode_small(const float* values, const small_rules& rules, typename F::block* blocks) noexcept {
    constexpr int last = (1 << F::code_bits) - 1;
    constexpr bool shifted = shifted_small<F>;
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
        const __m256 factor = _mm256_broadcast_ss(inverse + b), rounding = _mm256_set1_ps(shifted ? 0.5f : 0.5f * static_cast<float>(last) + 1.0f);
        const auto code = [&](int i) NIBBLE_LAMBDA_INLINE {
            __m256 value = _mm256_loadu_ps(values + 32 * b + 8 * i);
            if constexpr (shifted) value = _mm256_sub_ps(value, _mm256_broadcast_ss(low + b));
            return _mm256_cvttps_epi32(_mm256_add_ps(_mm256_mul_ps(value, factor), rounding));
        };
        __m256i codes = in_order(to_bytes(code(0), code(1), code(2), code(3)));
        if constexpr (!shifted) codes = _mm256_min_epu8(codes, _mm256_set1_epi8(last));
        blocks[b].scale.set(scales[b]);
        if constexpr (shifted) blocks[b].offset.set(offsets[b]);
        std::uint8_t* nibbles;
        if constexpr (F::code_bits == 5) {
            blocks[b].codes.high.set(static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(codes, 3))));
            codes = _mm256_and_si256(codes, _mm256_set1_epi8(15));
            nibbles = blocks[b].codes.low.low;
        } else {
            nibbles = blocks[b].codes.low;
        }
        const __m128i second = _mm_slli_epi16(_mm256_extracti128_si256(codes, 1), 4);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(nibbles), _mm_or_si128(_mm256_castsi256_si128(codes), second));
    }
}

}  // namespace avx2

template <searched_format F>
    requires avx2::centered_small<F> || avx2::shifted_small<F>
struct kernel<op::quantize, F, isa::avx2> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        if (importance != nullptr) return search(values, rows, cols, importance, out);
        auto* blocks = reinterpret_cast<typename F::block*>(out);
        std::size_t left = rows * (cols / 32);
        // The next rules are found before the codes are written: their divisions take long, but no place.
        avx2::small_rules next{};
        if (left >= 8) next = avx2::small_rules_of<F>(values);
        for (; left >= 8; left -= 8, values += 256, blocks += 8) {
            const avx2::small_rules rules = next;
            if (left >= 16) next = avx2::small_rules_of<F>(values + 256);
            if (rules.rare) search(values, 1, 256, nullptr, reinterpret_cast<std::byte*>(blocks));
            else avx2::encode_small<F>(values, rules, blocks);
        }
        if (left != 0) search(values, 1, 32 * left, nullptr, reinterpret_cast<std::byte*>(blocks));
    }
    static constexpr op::quantize::entry entry = &run;

private:
    NIBBLE_NOINLINE static void search(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        quantize_rows<F, 8, strands_of<F>>(values, rows, cols, importance, out);
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
