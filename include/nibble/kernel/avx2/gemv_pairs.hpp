// gemv with AVX2 for codes of up to 6 bits: two groups of 32 a step, one in each half of a register. The first halves of both groups meet the
// first 16 of their activations, the second halves the last 16; both products fit in 16 bits together, so that two groups share one widening,
// one conversion and one multiply-add. One row at a time: a single stream of weights is what the hardware prefetches best.
#pragma once

#include "nibble/kernel/avx2/gemv.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// A decoder that can give two groups at once: pair_codes<P>(run, first, second) with the first 16 codes of groups 2 P and 2 P + 1 in the
/// halves of `first`, and their last 16 in those of `second`.
template <class F>
concept decodes_pairs = F::parts == 1 && F::code_bits <= 6 && requires(const std::byte* run, __m256i& codes) {
    decoder<F>::template pair_codes<0>(run, codes, codes);
};

/// One packed row by one float row.
template <class F>
NIBBLE_INLINE float gemv_row_in_pairs(const std::byte* row, std::size_t cols, const tile& x) noexcept {
    const std::size_t runs = divide_up(cols, run_size);
    __m256 sum_f32x8 = _mm256_setzero_ps(), offset_f32x8 = sum_f32x8;
    for (std::size_t i = 0; i < runs; ++i) {
        std::byte padded[run_bytes<F>];
        const std::byte* run = run_at<F>(row, i, cols, padded);
        // The next rows follow in memory; a prefetch past the end of the tensor is harmless.
        for (std::size_t line = 0; line < run_bytes<F>; line += 64) _mm_prefetch(reinterpret_cast<const char*>(run) + 2048 + line, _MM_HINT_T0);
        const run_scales<1> scales = decoder<F>::scales(run);
        const __m256 factor = _mm256_mul_ps(scales.scale[0], _mm256_loadu_ps(x.scales + 8 * i));
        offset_f32x8 = _mm256_fmadd_ps(scales.offset[0], _mm256_loadu_ps(x.sums + 8 * i), offset_f32x8);
        const __m256 even = _mm256_permute2f128_ps(factor, factor, 0x00), odd = _mm256_permute2f128_ps(factor, factor, 0x11);
        const auto pair = [&]<int Pair>() NIBBLE_LAMBDA_INLINE {
            const auto* codes = reinterpret_cast<const __m256i*>(x.codes + 256 * i + 64 * Pair);
            const __m256i a = _mm256_loadu_si256(codes), b = _mm256_loadu_si256(codes + 1);
            __m256i first, second;
            decoder<F>::template pair_codes<Pair>(run, first, second);
            const __m256i low = _mm256_maddubs_epi16(first, _mm256_permute2x128_si256(a, b, 0x20));
            const __m256i high = _mm256_maddubs_epi16(second, _mm256_permute2x128_si256(a, b, 0x31));
            const __m256 product = _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1)));
            constexpr int p = 2 * Pair % 4, q = p + 1;
            const __m256 f = _mm256_permutevar_ps(Pair < 2 ? even : odd, _mm256_setr_epi32(p, p, p, p, q, q, q, q));
            sum_f32x8 = _mm256_fmadd_ps(product, f, sum_f32x8);
        };
        pair.template operator()<0>();
        pair.template operator()<1>();
        pair.template operator()<2>();
        pair.template operator()<3>();
    }
    return sum_of(_mm256_add_ps(sum_f32x8, offset_f32x8));
}

template <class F>
inline void gemv_in_pairs(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y) noexcept {
    const tile x = tile_at<1>(workspace, 0, 1, cols);
    for (std::size_t r = 0; r < rows; ++r) y[r] = gemv_row_in_pairs<F>(packed + r * row_bytes<F>(cols), cols, x);
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
