// Quantize to ternary codes with AVX2, 256 floats at once: one block, or four. The rule is ternary_block's (format/ternary_block.hpp).
#pragma once

#include <concepts>

#include "nibble/format/ternary_block.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Packs the codes 0 .. 2 of one block: a register for 32 elements, in the order of to_bytes.
template <class Layout>
struct ternary_codes;

template <>
struct ternary_codes<layout::consecutive_pairs> {
    NIBBLE_INLINE static void store(const __m256i* codes, std::uint8_t* bytes) noexcept {
        const auto fours = [&](int g) NIBBLE_LAMBDA_INLINE {
            return _mm256_madd_epi16(_mm256_maddubs_epi16(codes[g], _mm256_set1_epi32(0x40100401)), _mm256_set1_epi16(1));
        };
        const __m256i words = _mm256_packs_epi32(fours(0), fours(1));
        const __m128i even = _mm256_castsi256_si128(words), odd = _mm256_extracti128_si256(words, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), _mm_or_si128(even, _mm_slli_epi16(odd, 8)));
    }
};

template <>
struct ternary_codes<layout::ternary_super_block> {
    NIBBLE_INLINE static void store(const __m256i* codes, std::uint8_t* bytes) noexcept {
#pragma GCC unroll 2
        for (int run = 0; run < 2; ++run, codes += 4) {
            const __m256i low = _mm256_or_si256(codes[0], _mm256_slli_epi16(codes[1], 2));
            const __m256i high = _mm256_or_si256(codes[2], _mm256_slli_epi16(codes[3], 2));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(bytes) + run, in_order(_mm256_or_si256(low, _mm256_slli_epi16(high, 4))));
        }
    }
};

template <>
struct ternary_codes<layout::trit_super_block> {
    NIBBLE_INLINE static void store(const __m256i* codes, std::uint8_t* bytes) noexcept {
        __m256i number = codes[0];
#pragma GCC unroll 4
        for (int n = 1; n < 5; ++n) number = _mm256_add_epi8(_mm256_add_epi8(number, _mm256_add_epi8(number, number)), codes[n]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(bytes), scaled(in_order(number)));

        // Five sixteens, and four fours that have no fifth.
        const __m256i rest[3] = {in_order(codes[5]), in_order(codes[6]), in_order(codes[7])};
        __m128i sixteens = _mm256_castsi256_si128(rest[0]);
#pragma GCC unroll 4
        for (int n = 1; n < 5; ++n) {
            const __m128i code = n % 2 == 0 ? _mm256_castsi256_si128(rest[n / 2]) : _mm256_extracti128_si256(rest[n / 2], 1);
            sixteens = _mm_add_epi8(_mm_add_epi8(sixteens, _mm_add_epi8(sixteens, sixteens)), code);
        }
        const __m128i fours_side_by_side = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        const __m128i fours = _mm_shuffle_epi8(_mm256_extracti128_si256(rest[2], 1), fours_side_by_side);
        __m128i last = _mm_madd_epi16(_mm_maddubs_epi16(fours, _mm_set1_epi32(3 << 24 | 9 << 16 | 27 << 8 | 81)), _mm_set1_epi16(1));
        last = _mm_packus_epi16(_mm_packs_epi32(last, last), last);
        const __m256i both = scaled(_mm256_set_m128i(last, sixteens));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + 32), _mm256_castsi256_si128(both));
        _mm_storeu_si32(bytes + 48, _mm256_extracti128_si256(both, 1));
    }

private:
    /// 256 / 243 of each number, rounded up: the number and 13 / 243 of it.
    NIBBLE_INLINE static __m256i scaled(__m256i numbers) noexcept {
        const auto more = [](__m256i words) NIBBLE_LAMBDA_INLINE {
            // A multiplication by 270 / 65536 divides these by 243.
            const __m256i product = _mm256_add_epi16(_mm256_mullo_epi16(words, _mm256_set1_epi16(13)), _mm256_set1_epi16(242));
            return _mm256_mulhi_epu16(product, _mm256_set1_epi16(270));
        };
        const __m256i even = more(_mm256_and_si256(numbers, _mm256_set1_epi16(0xFF))), odd = more(_mm256_srli_epi16(numbers, 8));
        return _mm256_add_epi8(numbers, _mm256_or_si256(even, _mm256_slli_epi16(odd, 8)));
    }
};

template <class F>
concept ternary_blocks = searched_format<F> && std::derived_from<F, ternary_block<F, typename F::block, F::block_size>> &&
                         requires { ternary_codes<typename F::layout>{}; };

/// The scales of the four quarters of 256 floats, which may be those of one block.
struct ternary_scales {
    __m128 scale, inverse;
};

template <std::size_t Size>
NIBBLE_INLINE ternary_scales ternary_scales_of(const float* values) noexcept {
    __m256i most[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
        most[q] = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (int i = 0; i < 64; i += 8) {
            const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + 64 * q + i));
            most[q] = _mm256_max_epi32(most[q], _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF)));
        }
    }
    const auto halved = [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE {
        return _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    };
    const __m256i low = halved(most[0], most[1]), high = halved(most[2], most[3]);
    const __m256i both = _mm256_max_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
    __m128i largest = _mm_max_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    if constexpr (Size == 256) {
        largest = _mm_max_epi32(largest, _mm_shuffle_epi32(largest, 0b01'00'11'10));
        largest = _mm_max_epi32(largest, _mm_shuffle_epi32(largest, 0b10'11'00'01));
    }
    const __m128 scale = _mm_castsi128_ps(largest), inverse = _mm_set1_ps(1.0f) / scale;  // the intrinsic is an estimate under -ffast-math
    // code_rule: a scale without a finite inverse has codes of 0.
    return {scale, _mm_and_ps(inverse, _mm_cmple_ps(inverse, _mm_set1_ps(3.402823466e38f)))};
}

template <ternary_blocks F>
NIBBLE_INLINE void encode_ternary(const float* values, const ternary_scales& scales, typename F::block* blocks) noexcept {
    alignas(16) float inverse[4];
    alignas(16) std::uint16_t halves[8];
    _mm_store_ps(inverse, scales.inverse);
    _mm_store_si128(reinterpret_cast<__m128i*>(halves), _mm_cvtps_ph(scales.scale, _MM_FROUND_TO_NEAREST_INT));
    __m256i codes[8];
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
        const __m256 factor = _mm256_broadcast_ss(inverse + g / 2);
        const auto code = [&](int i) NIBBLE_LAMBDA_INLINE {
            // Half away from zero: of all positions, which are at most 1, only one half gets beyond it, by one step of a float.
            __m256 position = _mm256_mul_ps(_mm256_loadu_ps(values + 32 * g + 8 * i), factor);
            __asm__("" : "+x"(position));  // -ffast-math would multiply the factors first
            return _mm256_cvtps_epi32(_mm256_mul_ps(position, _mm256_set1_ps(1.00000012f)));
        };
        codes[g] = _mm256_add_epi8(to_bytes(code(0), code(1), code(2), code(3)), _mm256_set1_epi8(1));
    }
    constexpr int count = 256 / F::block_size;
#pragma GCC unroll 4
    for (int b = 0; b < count; ++b) {
        blocks[b].scale.set(halves[b]);
        ternary_codes<typename F::layout>::store(codes + 8 / count * b, blocks[b].codes.bytes);
    }
}

}  // namespace avx2

template <avx2::ternary_blocks F>
struct kernel<op::quantize_checked, F, isa::avx2> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        constexpr std::size_t together = 256 / F::block_size;
        auto* blocks = reinterpret_cast<typename F::block*>(out);
        std::size_t left = count / 256;
        __m128i most = _mm_setzero_si128();
        // The next scales are found before the codes are written, so that nothing waits for them.
        avx2::ternary_scales next{};
        if (left > 0) next = avx2::ternary_scales_of<F::block_size>(values);
        for (; left > 0; --left, values += 256, blocks += together) {
            const avx2::ternary_scales scales = next;
            if (left > 1) next = avx2::ternary_scales_of<F::block_size>(values + 256);
            most = _mm_max_epi32(most, _mm_castps_si128(scales.scale));
            if (is_rare(scales)) internal::encode_one_by_one<F>(values, together, blocks);
            else avx2::encode_ternary<F>(values, scales, blocks);
        }
        return avx2::encode_rest<F>(values, count % 256 / F::block_size, _mm256_zextsi128_si256(most), bit_cast<std::uint32_t>(F::safe_magnitude),
                                    blocks);
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    /// A scale too small for an inverse, though not zero, where that has a code of its own.
    NIBBLE_INLINE static bool is_rare(const avx2::ternary_scales& scales) noexcept {
        if constexpr (F::code_without_inverse == 1) return false;
        const __m128 zero = _mm_setzero_ps();
        return _mm_movemask_ps(_mm_andnot_ps(_mm_cmpeq_ps(scales.scale, zero), _mm_cmpeq_ps(scales.inverse, zero))) != 0;
    }
};

template <avx2::ternary_blocks F>
struct kernel<op::quantize, F, isa::avx2> : internal::quantize_as_checked<F, isa::avx2> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
