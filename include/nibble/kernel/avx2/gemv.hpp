// Products of packed rows in file order with one or a few float rows, with AVX2: decode in registers, nothing is written but y.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avx2/decode.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Sum of eight floats.
NIBBLE_INLINE float sum_of(__m256 v) noexcept {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/// Eight int32 sums of products of four codes each. Unsigned codes of up to 7 bits cannot saturate the 16-bit pairs of vpmaddubsw;
/// 8-bit codes become signed and lend their sign to the activations.
template <int Bits>
NIBBLE_INLINE __m256i multiply_codes(__m256i codes, __m256i activations) noexcept {
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (Bits <= 7) {
        return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, activations), ones);
    } else {
        const __m256i level = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
        return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(level), _mm256_sign_epi8(activations, level)), ones);
    }
}

/// Rows packed rows by Cols float rows.
template <class F, int Rows, int Cols>
NIBBLE_INLINE void gemv_tile(const std::byte* packed, std::size_t row_stride, std::size_t cols, const std::byte* workspace, float* y,
                             std::size_t stride) noexcept {
    using decoder = avx2::decoder<F>;
    constexpr std::size_t parts = F::parts;
    const std::size_t runs = divide_up(cols, run_size), groups = 8 * runs;
    tile x[Cols];
#pragma GCC unroll 8
    for (int c = 0; c < Cols; ++c) x[c] = tile_at<parts>(workspace, static_cast<std::size_t>(c), 1, cols);
    __m256 sum_f32x8[Rows][Cols];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
        for (int c = 0; c < Cols; ++c) sum_f32x8[r][c] = _mm256_setzero_ps();
    }
    for (std::size_t i = 0; i < runs; ++i) {
        std::byte padded[Rows][run_bytes<F>];
        const std::byte* run[Rows];
        alignas(32) float factor[Rows][Cols][parts][8];
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
            run[r] = run_at<F>(packed + static_cast<std::size_t>(r) * row_stride, i, cols, padded[r]);
            _mm_prefetch(reinterpret_cast<const char*>(run[r]) + 1024, _MM_HINT_T0);
            const run_scales<parts> scales = decoder::scales(run[r]);
#pragma GCC unroll 2
            for (std::size_t part = 0; part < parts; ++part) {
                const __m256 s = scales.scale[part];
                __m256 o = scales.offset[part];
                if constexpr (F::code_bits == 8) o = _mm256_fmadd_ps(s, _mm256_set1_ps(128.0f), o);
#pragma GCC unroll 8
                for (int c = 0; c < Cols; ++c) {
                    _mm256_store_ps(factor[r][c][part], _mm256_mul_ps(s, _mm256_loadu_ps(x[c].scales + 8 * i)));
                    sum_f32x8[r][c] = _mm256_fmadd_ps(o, _mm256_loadu_ps(x[c].sums + part * groups + 8 * i), sum_f32x8[r][c]);
                }
            }
        }
        for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
            __m256i activations[Cols];
#pragma GCC unroll 8
            for (int c = 0; c < Cols; ++c) {
                activations[c] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x[c].codes + 256 * i + 32 * Group));
            }
#pragma GCC unroll 8
            for (int r = 0; r < Rows; ++r) {
                const __m256i codes = decoder::template codes<Group>(run[r]);
#pragma GCC unroll 8
                for (int c = 0; c < Cols; ++c) {
                    const __m256 product = _mm256_cvtepi32_ps(multiply_codes<F::code_bits>(codes, activations[c]));
                    __m256 f = _mm256_broadcast_ss(&factor[r][c][0][Group]);
                    if constexpr (parts == 2) f = _mm256_insertf128_ps(f, _mm_broadcast_ss(&factor[r][c][1][Group]), 1);
                    sum_f32x8[r][c] = _mm256_fmadd_ps(product, f, sum_f32x8[r][c]);
                }
            }
        });
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
        for (int c = 0; c < Cols; ++c) y[static_cast<std::size_t>(c) * stride + static_cast<std::size_t>(r)] = sum_of(sum_f32x8[r][c]);
    }
}

template <class F, int Cols>
inline void gemv_rows(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    // Rows that share loads of activations; more streams of weights than two are slower from memory than they save.
    constexpr int together = Cols == 2 ? 2 : 1;
    const std::size_t row_stride = row_bytes<F>(cols);
    std::size_t r = 0;
    for (; r + together <= rows; r += together) gemv_tile<F, together, Cols>(packed + r * row_stride, row_stride, cols, workspace, y + r, stride);
    if constexpr (together > 1) {
        for (; r < rows; ++r) gemv_tile<F, 1, Cols>(packed + r * row_stride, row_stride, cols, workspace, y + r, stride);
    }
}

/// Few float rows: four at a time.
template <class F>
NIBBLE_INLINE void multiply_few(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                                std::size_t stride) noexcept {
    while (count != 0) {
        const std::size_t here = count < 4 ? count : 4;
        if (here == 4) gemv_rows<F, 4>(packed, rows, cols, workspace, y, stride);
        else if (here == 3) gemv_rows<F, 3>(packed, rows, cols, workspace, y, stride);
        else if (here == 2) gemv_rows<F, 2>(packed, rows, cols, workspace, y, stride);
        else gemv_rows<F, 1>(packed, rows, cols, workspace, y, stride);
        count -= here;
        workspace += here * activation_bytes<F::parts>(cols);
        y += here * stride;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
