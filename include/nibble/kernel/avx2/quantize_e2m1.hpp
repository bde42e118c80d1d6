// Quantize to floats of 4 bits with AVX2: 256 floats in blocks of 32 with a power of two as scale, 128 in sixteens with a float of 8 bits. The rules
// are those of the formats with these layouts; a scale that is out of the ordinary leaves its blocks to them.
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/format/search/e2m1.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
concept e2m1_blocks_of_32 = searched_format<F> && std::same_as<typename F::layout, layout::nibble_levels_with_exponent<e2m1_levels>> &&
                            requires(const f32x<8>& magnitude) { F::template exponent_of<8>(magnitude); };
template <class F>
concept e2m1_blocks_of_16 = searched_format<F> && std::same_as<typename F::layout, layout::nibble_levels_with_float8_scales<e2m1_levels>> &&
                            requires(const f32x<8>& magnitude) { F::template scale_of<8>(magnitude); };

/// The nibbles of 32 values: those of `low` below those of `high`, first pair and then second.
/// @param at  where on the scale the values are, in quarters of it: whole numbers toward zero, less one if nothing was cut off
NIBBLE_INLINE __m128i e2m1_nibbles(__m256i first_low, __m256i first_high, __m256i second_low, __m256i second_high) noexcept {
    const __m256i at = to_bytes(first_low, first_high, second_low, second_high);
    // The middles of the levels are at 1, 3, 5, 7, 10, 14 and 20 quarters; who is beyond one, even a little, gets the next code.
    const __m256i code_of = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6));
    const __m256i distance = _mm256_abs_epi8(at);
    __m256i code = _mm256_shuffle_epi8(code_of, _mm256_min_epu8(distance, _mm256_set1_epi8(15)));
    code = _mm256_sub_epi8(code, _mm256_cmpgt_epi8(distance, _mm256_set1_epi8(19)));
    code = _mm256_or_si256(code, _mm256_srli_epi16(_mm256_and_si256(at, _mm256_set1_epi8(-0x80)), 4));
    const __m256i pairs = _mm256_or_si256(code, _mm256_srli_epi64(code, 28));
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 4, 2, 6, 0, 4, 2, 6)));
}

/// One step of a float below 1: what is exactly on a middle is cut off below it.
inline constexpr float barely_less = 0.99999994f;

NIBBLE_INLINE f32x<8> as_lanes(__m256i bits) noexcept { return {__builtin_bit_cast(raw_lanes<float, 8>, bits)}; }

/// What eight scales decide before codes are written.
struct e2m1_scales {
    __m256i codes;   ///< as they are stored
    __m256 quarter;  ///< a quarter of each scale
    __m256 inverse;  ///< 1 / quarter, 0 if there is nothing to find
    bool rare;       ///< one is out of the ordinary
};

/// Eight scales at a time: `find` takes the largest magnitudes, `put` writes codes, and scales are found before the codes of those before them are
/// written, so that nothing waits for divisions. What is rare or left over is encoded block by block.
template <class F, std::size_t Floats>
NIBBLE_INLINE bool quantize_e2m1(const float* values, std::size_t count, std::byte* out, auto find, auto put) noexcept {
    constexpr std::size_t together = Floats / F::block_size;
    auto* blocks = reinterpret_cast<typename F::block*>(out);
    __m256i most = _mm256_setzero_si256();
    const auto find_at = [&](const float* from) NIBBLE_LAMBDA_INLINE {
        const __m256i magnitudes = eight_magnitudes<Floats / 8>(from);
        most = _mm256_max_epi32(most, magnitudes);
        return find(magnitudes);
    };
    std::size_t left = count / Floats;
    e2m1_scales next{};
    if (left > 0) next = find_at(values);
    for (; left > 0; --left, values += Floats, blocks += together) {
        const e2m1_scales scales = next;
        if (left > 1) next = find_at(values + Floats);
        if (scales.rare) internal::encode_one_by_one<F>(values, together, blocks);
        else put(values, scales, blocks);
    }
    return encode_rest<F>(values, count % Floats / F::block_size, most, bit_cast<std::uint32_t>(3.402823466e38f), blocks);
}

}  // namespace avx2

template <avx2::e2m1_blocks_of_32 F>
struct kernel<op::quantize_checked, F, isa::avx2> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        return avx2::quantize_e2m1<F, 256>(
            values, count, out, [](__m256i magnitudes) NIBBLE_LAMBDA_INLINE { return find_scales(magnitudes); },
            [](const float* from, const avx2::e2m1_scales& scales, auto* blocks) NIBBLE_LAMBDA_INLINE { encode_eight(from, scales, blocks); });
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    NIBBLE_INLINE static avx2::e2m1_scales find_scales(__m256i magnitudes) noexcept {
        const __m256i zero = _mm256_cmpeq_epi32(magnitudes, _mm256_setzero_si256());
        // So large or so small that a quarter or its inverse might not be a normal float.
        const __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(27 << 23), magnitudes);
        const __m256i large = _mm256_cmpgt_epi32(magnitudes, _mm256_set1_epi32(227 << 23));
        const __m256i exponents = __builtin_bit_cast(__m256i, F::template exponent_of<8>(avx2::as_lanes(magnitudes)).raw);
        // 4 / 2^(exponent - 127)
        const __m256 inverse = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_sub_epi32(_mm256_set1_epi32(256), exponents), 23));
        return {_mm256_andnot_si256(zero, exponents), _mm256_setzero_ps(), _mm256_andnot_ps(_mm256_castsi256_ps(zero), inverse),
                _mm256_movemask_epi8(_mm256_or_si256(_mm256_andnot_si256(zero, tiny), large)) != 0};
    }
    NIBBLE_INLINE static void encode_eight(const float* values, const avx2::e2m1_scales& scales, typename F::block* blocks) noexcept {
        alignas(32) std::int32_t exponent[8];
        alignas(32) float inverse[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(exponent), scales.codes);
        _mm256_store_ps(inverse, _mm256_mul_ps(scales.inverse, _mm256_set1_ps(avx2::barely_less)));
#pragma GCC unroll 8
        for (int b = 0; b < 8; ++b) {
            const __m256 quarters = _mm256_broadcast_ss(inverse + b);
            const auto at = [&](int i) NIBBLE_LAMBDA_INLINE {
                return _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_loadu_ps(values + 32 * b + 8 * i), quarters));
            };
            blocks[b].exponent = static_cast<std::uint8_t>(exponent[b]);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].codes.low), avx2::e2m1_nibbles(at(0), at(2), at(1), at(3)));
        }
    }
};

template <avx2::e2m1_blocks_of_16 F>
struct kernel<op::quantize_checked, F, isa::avx2> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        return avx2::quantize_e2m1<F, 128>(
            values, count, out, [](__m256i magnitudes) NIBBLE_LAMBDA_INLINE { return find_scales(magnitudes); },
            [](const float* from, const avx2::e2m1_scales& scales, auto* blocks) NIBBLE_LAMBDA_INLINE { encode_two(from, scales, blocks); });
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    NIBBLE_INLINE static avx2::e2m1_scales find_scales(__m256i magnitudes) noexcept {
        const __m256i scales = __builtin_bit_cast(__m256i, F::template scale_of<8>(avx2::as_lanes(magnitudes)).raw);
        // Its bits moved to where a float has them are too small by 2^120, which makes subnormals normal.
        const __m256 quarter = _mm256_mul_ps(_mm256_castsi256_ps(_mm256_slli_epi32(scales, 20)), _mm256_set1_ps(0x1p118f));
        const __m256 empty = _mm256_cmp_ps(quarter, _mm256_setzero_ps(), _CMP_EQ_OQ);
        // A block with the last scale may have values anywhere above it.
        const __m256i last = _mm256_cmpgt_epi32(scales, _mm256_set1_epi32(F::last_scale - 1));
        return {scales, quarter, _mm256_andnot_ps(empty, _mm256_set1_ps(1.0f) / quarter), _mm256_movemask_epi8(last) != 0};
    }
    NIBBLE_INLINE static void encode_two(const float* values, const avx2::e2m1_scales& scales, typename F::block* blocks) noexcept {
        alignas(32) float quarter[8], inverse[8];
        alignas(16) std::uint8_t bytes[16];
        _mm256_store_ps(quarter, scales.quarter);
        _mm256_store_ps(inverse, scales.inverse);
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(scales.codes), _mm256_extracti128_si256(scales.codes, 1));
        _mm_store_si128(reinterpret_cast<__m128i*>(bytes), _mm_packus_epi16(words, words));
#pragma GCC unroll 2
        for (int b = 0; b < 2; ++b) {
            __builtin_memcpy(blocks[b].scale, bytes + 4 * b, 4);
#pragma GCC unroll 2
            for (int s = 0; s < 4; s += 2) {
                const auto at = [&](int i) NIBBLE_LAMBDA_INLINE {
                    const int of = 4 * b + s + i / 2;
                    const __m256 value = _mm256_loadu_ps(values + 64 * b + 16 * s + 8 * i), quarters = _mm256_broadcast_ss(inverse + of);
                    // The quotient as a division would round it, which says on which side of a middle the value is.
                    __m256 about = _mm256_mul_ps(value, quarters);
                    __asm__("" : "+x"(about));  // -ffast-math would find a shorter way
                    __m256 quotient = _mm256_fmadd_ps(_mm256_fnmadd_ps(about, _mm256_broadcast_ss(quarter + of), value), quarters, about);
                    __asm__("" : "+x"(quotient));
                    return _mm256_cvttps_epi32(_mm256_mul_ps(quotient, _mm256_set1_ps(avx2::barely_less)));
                };
                _mm_storeu_si128(reinterpret_cast<__m128i*>(blocks[b].codes[s]), avx2::e2m1_nibbles(at(0), at(1), at(2), at(3)));
            }
        }
    }
};

template <class F>
    requires avx2::e2m1_blocks_of_32<F> || avx2::e2m1_blocks_of_16<F>
struct kernel<op::quantize, F, isa::avx2> : internal::quantize_as_checked<F, isa::avx2> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
