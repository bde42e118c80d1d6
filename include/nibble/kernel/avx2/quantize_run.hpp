// Floats to codes: a run of 256 at once, so that what is one number a group, the largest magnitude, the scale, the sum, is computed for
// eight groups side by side.
#pragma once

#include <cstdint>

#include "nibble/kernel/avx2/decode/decoder.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// 256 quantized floats: value = scale * code, a scale for each group of 32, and sums of scale * code for each part of a group.
template <class Code, std::size_t Parts>
struct activation_run {
    Code codes[run_size];
    float scales[8];
    float sums[Parts][8];
};

/// Run r of a row of `cols` floats, completed with zeros in `padded` if it is not whole.
NIBBLE_INLINE const float* floats_at(const float* row, std::size_t cols, std::size_t r, float (&padded)[run_size]) noexcept {
    if ((r + 1) * run_size <= cols) return row + r * run_size;
    const std::size_t here = r * run_size < cols ? cols - r * run_size : 0;
    __builtin_memset(padded, 0, sizeof padded);
    if (here != 0) __builtin_memcpy(padded, row + r * run_size, here * sizeof(float));
    return padded;
}

/// 32 numbers as bytes, those that do not fit cut off, in the order that the instructions for packing leave: fours of elements 0, 2, 4, 6, then 1, 3,
/// 5, 7.
NIBBLE_INLINE __m256i to_bytes(__m256i first, __m256i second, __m256i third, __m256i fourth) noexcept {
    return _mm256_packs_epi16(_mm256_packs_epi32(first, second), _mm256_packs_epi32(third, fourth));
}
/// Bytes in the order of to_bytes in that of the elements.
NIBBLE_INLINE __m256i in_order(__m256i bytes) noexcept { return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); }

/// Elements of two registers in turn, combined by `join`.
template <class Join>
NIBBLE_INLINE __m256i across_pair(__m256i a, __m256i b, Join join) noexcept {
    return join(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}
template <class Join>
NIBBLE_INLINE __m256i across_pairs(const __m256i (&pairs)[4], Join join) noexcept {
    __m256i quads[2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        quads[i] = join(_mm256_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]), _mm256_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
    }
    return join(_mm256_permute2x128_si256(quads[0], quads[1], 0x20), _mm256_permute2x128_si256(quads[0], quads[1], 0x31));
}
/// Lane i: all elements of v[i], combined by `join`.
template <class Join>
NIBBLE_INLINE __m256i across(const __m256i (&v)[8], Join join) noexcept {
    __m256i pairs[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) pairs[i] = across_pair(v[2 * i], v[2 * i + 1], join);
    return across_pairs(pairs, join);
}
NIBBLE_INLINE __m256i total_across(const __m256i (&v)[8]) noexcept {
    return across(v, [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE { return _mm256_add_epi32(a, b); });
}

/// Lane i: the largest magnitude of the i-th Size floats, as bits: those order like magnitudes, NaN above infinity, so that neither is lost.
template <int Size>
NIBBLE_INLINE __m256i eight_magnitudes(const float* values) noexcept {
    const auto larger = [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE { return _mm256_max_epi32(a, b); };
    // Pair by pair, which leaves registers to others.
    __m256i pairs[4];
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) {
        __m256i most[2];
#pragma GCC unroll 2
        for (int b = 0; b < 2; ++b) {
            const auto bits = [&](int i) NIBBLE_LAMBDA_INLINE {
                const auto* from = reinterpret_cast<const __m256i*>(values + Size * (2 * p + b) + i);
                return _mm256_and_si256(_mm256_loadu_si256(from), _mm256_set1_epi32(0x7FFFFFFF));
            };
            most[b] = larger(bits(0), bits(8));
            if constexpr (Size == 32) most[b] = larger(most[b], larger(bits(16), bits(24)));
        }
        pairs[p] = across_pair(most[0], most[1], larger);
    }
    return across_pairs(pairs, larger);
}

/// Quantizes 256 floats; codes in the order of the elements.
/// @tparam OneScale  all groups have the same scale
/// @param zero       what sums are multiplied with, negated; 0: nothing
template <bool OneScale = false, class Code, std::size_t Parts>
NIBBLE_INLINE void quantize_run(const float* x, int zero, activation_run<Code, Parts>& out) noexcept {
    constexpr float last_code = sizeof(Code) == 2 ? 2047.0f : 127.0f;
    __m256i largest_bits = eight_magnitudes<32>(x);
    if constexpr (OneScale) {
        largest_bits = _mm256_max_epi32(largest_bits, _mm256_permute2x128_si256(largest_bits, largest_bits, 1));
        largest_bits = _mm256_max_epi32(largest_bits, _mm256_shuffle_epi32(largest_bits, 0b01'00'11'10));
        largest_bits = _mm256_max_epi32(largest_bits, _mm256_shuffle_epi32(largest_bits, 0b10'11'00'01));
    }
    const __m256 largest = _mm256_castsi256_ps(largest_bits);
    // Below 2^-115 an inverse could overflow; such a group is zero for every purpose.
    const __m256 usable = _mm256_castsi256_ps(_mm256_cmpgt_epi32(largest_bits, _mm256_set1_epi32(12 << 23)));
    const __m256 step = _mm256_and_ps(usable, _mm256_mul_ps(largest, _mm256_set1_ps(1.0f / last_code)));
    alignas(32) float inverse[8];
    _mm256_store_ps(inverse, _mm256_and_ps(usable, _mm256_div_ps(_mm256_set1_ps(last_code), largest)));
    _mm256_storeu_ps(out.scales, step);
    const __m256 per_code = zero == 0 ? step : _mm256_mul_ps(step, _mm256_set1_ps(-static_cast<float>(zero)));
    __m256i total[Parts][8];
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
        const __m256 factor = _mm256_broadcast_ss(inverse + g);
        const auto code = [&](int i) NIBBLE_LAMBDA_INLINE { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 32 * g + 8 * i), factor)); };
        // Lanes of these are out of order by 64 bits.
        const __m256i first = _mm256_packs_epi32(code(0), code(1)), second = _mm256_packs_epi32(code(2), code(3));
        if constexpr (sizeof(Code) == 2) {
            auto* to = reinterpret_cast<__m256i*>(out.codes + 32 * g);
            _mm256_storeu_si256(to, _mm256_permute4x64_epi64(first, 0b11'01'10'00));
            _mm256_storeu_si256(to + 1, _mm256_permute4x64_epi64(second, 0b11'01'10'00));
        } else {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes + 32 * g), in_order(_mm256_packs_epi16(first, second)));
        }
        const __m256i ones = _mm256_set1_epi16(1);
        if constexpr (Parts == 1) {
            total[0][g] = _mm256_madd_epi16(_mm256_add_epi16(first, second), ones);
        } else {
            total[0][g] = _mm256_madd_epi16(first, ones);
            total[1][g] = _mm256_madd_epi16(second, ones);
        }
    }
#pragma GCC unroll 2
    for (std::size_t part = 0; part < Parts; ++part)
        _mm256_storeu_ps(out.sums[part], _mm256_mul_ps(per_code, _mm256_cvtepi32_ps(total_across(total[part]))));
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
