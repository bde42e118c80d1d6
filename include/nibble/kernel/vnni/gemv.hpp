// Products of packed rows in file order with few float rows, with vpdpbusd: a run of a row is decoded into registers, which then meet every
// float row. Registers have 256 bits: lane g is group g of a run, with one scale, and decoding gains nothing from wider ones.
//
// A text without #pragma once: every level that has the instruction includes it in its own region and namespace, which NIBBLE_TARGET_BEGIN_LEVEL
// and NIBBLE_LEVEL name (docs/decisions/0006-one-text-for-two-levels.md). The level provides decoder<F> and add_products.
#if defined(NIBBLE_LEVEL)
NIBBLE_TARGET_BEGIN_LEVEL
NIBBLE_BASELINE_BEGIN
namespace NIBBLE_LEVEL {

/// Products of a run and Cols runs of activations, all in strips: for part Part of each group, in its lane.
template <std::size_t Parts, int Part, int Cols>
NIBBLE_INLINE void multiply_strips(const __m256i (&v)[8], const activation_run<Parts>* const (&x)[Cols], std::size_t i,
                                   __m256i (&product)[Cols]) noexcept {
    constexpr int count = 4 / static_cast<int>(Parts);
    __m256i sum[2][Cols];  // of even and of odd groups
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) sum[0][c] = sum[1][c] = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int j = Part * count; j < (Part + 1) * count; ++j) {
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; ++odd) {
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) {
                const auto* codes = reinterpret_cast<const __m256i*>(x[c][i].codes + 32 * (j + 4 * odd));
                sum[odd][c] = add_products(sum[odd][c], v[j + 4 * odd], _mm256_loadu_si256(codes));
            }
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) product[c] = avx2::join_strips<32>(sum[0][c], sum[1][c]);
}

/// One packed row by Cols float rows.
template <class F, int Cols>
NIBBLE_INLINE void multiply_row(const std::byte* row, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    constexpr std::size_t parts = F::parts;
    constexpr bool offsets = decoder<F>::zero < 0;
    const activation_run<parts>* x[Cols];
    __m256 sum[Cols];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
        x[c] = reinterpret_cast<const activation_run<parts>*>(workspace + static_cast<std::size_t>(c) * activation_bytes<parts>(cols));
        sum[c] = _mm256_setzero_ps();
    }
    for (std::size_t i = 0; i < avx2::runs_of(cols); ++i) {
        std::byte padded[avx2::run_bytes<F>];
        const std::byte* run = avx2::run_at<F>(row, i, cols, padded);
        if constexpr (Cols > 1) {  // one float row alone is fetched better by the core itself: see avx2/gemv.hpp
#pragma GCC unroll 8
            for (std::size_t line = 0; line < avx2::run_bytes<F>; line += 64)
                _mm_prefetch(reinterpret_cast<const char*>(run) + 2048 + line, _MM_HINT_T0);
        }
        const auto scales = decoder<F>::scales(run);
        __m256i v[8];
        avx2::load_strips<F>(run, v);
        if constexpr (F::code_bits == 8) {  // signed in strips, but vpdpbusd wants its first factor unsigned
#pragma GCC unroll 8
            for (int j = 0; j < 8; ++j) v[j] = _mm256_xor_si256(v[j], _mm256_set1_epi8(-128));
        }
        __m256 total[Cols];
        const auto add = [&]<int Part>() NIBBLE_LAMBDA_INLINE {
            __m256i product[Cols];
            multiply_strips<parts, Part, Cols>(v, x, i, product);
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) {
                const std::int32_t* kept = x[c][i].sums[Part];
                if constexpr (offsets) {
                    sum[c] = _mm256_fmadd_ps(scales.offset[Part], _mm256_loadu_ps(reinterpret_cast<const float*>(kept)), sum[c]);
                } else {
                    product[c] = _mm256_add_epi32(product[c], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kept)));
                }
            }
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) {
                const __m256 value = _mm256_cvtepi32_ps(product[c]);
                total[c] = Part == 0 ? _mm256_mul_ps(value, scales.scale[0]) : _mm256_fmadd_ps(value, scales.scale[Part], total[c]);
            }
        };
        add.template operator()<0>();
        if constexpr (parts == 2) add.template operator()<1>();
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) sum[c] = _mm256_fmadd_ps(total[c], _mm256_loadu_ps(x[c][i].scales), sum[c]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) y[static_cast<std::size_t>(c) * stride] = avx2::sum_of(sum[c]);
}

template <class F, int Cols>
NIBBLE_INLINE void multiply_rows(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y,
                                 std::size_t stride) noexcept {
    for (std::size_t r = 0; r < rows; ++r) multiply_row<F, Cols>(packed + r * row_bytes<F>(cols), cols, workspace, y + r, stride);
}

/// Up to four float rows at a time.
template <class F>
NIBBLE_INLINE void multiply_few(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                                std::size_t stride) noexcept {
    while (count != 0) {
        const std::size_t here = count < 4 ? count : count < 7 && count != 4 ? 3 : 4;
        switch (here) {
            case 1: multiply_rows<F, 1>(packed, rows, cols, workspace, y, stride); break;
            case 2: multiply_rows<F, 2>(packed, rows, cols, workspace, y, stride); break;
            case 3: multiply_rows<F, 3>(packed, rows, cols, workspace, y, stride); break;
            default: multiply_rows<F, 4>(packed, rows, cols, workspace, y, stride); break;
        }
        count -= here;
        workspace += here * activation_bytes<F::parts>(cols);
        y += here * stride;
    }
}

}  // namespace NIBBLE_LEVEL
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
