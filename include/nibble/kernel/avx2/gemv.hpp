// Products of packed rows in file order with up to four float rows, with AVX2: a run of a row is decoded into registers, which then meet
// every float row. Float sums stay in registers until the row ends.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"

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

/// Sums of products in strips First .. First + Count - 1, a lane for each group.
template <int Bits, int First, int Count>
NIBBLE_INLINE __m256i multiply_strips(const __m256i (&v)[8], const std::int8_t* codes) noexcept {
    constexpr int together = fit_in_words(Bits) < Count ? fit_in_words(Bits) : Count;
    const auto product = [&](int j) NIBBLE_LAMBDA_INLINE {
        return _mm256_maddubs_epi16(v[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 32 * j)));
    };
    __m256i total_i32x8 = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int from = First; from < First + Count; from += together) {
        __m256i some_i16x16 = product(from);
#pragma GCC unroll 8
        for (int j = from + 1; j < from + together; ++j) some_i16x16 = _mm256_add_epi16(some_i16x16, product(j));
        const __m256i some_i32x8 = _mm256_madd_epi16(some_i16x16, _mm256_set1_epi16(1));
        total_i32x8 = from == First ? some_i32x8 : _mm256_add_epi32(total_i32x8, some_i32x8);
    }
    return total_i32x8;
}

/// A run times the same run of Cols float rows, for codes of up to 7 bits: in strips.
template <class F, int Cols>
NIBBLE_INLINE void multiply_run(const std::byte* run, const run_scales<F::parts>& scales, const activation_run<F>* const (&x)[Cols], std::size_t i,
                                __m256 (&sum_f32x8)[Cols][2]) noexcept
    requires(!needs_words<F>)
{
    constexpr int parts = static_cast<int>(F::parts), strips = 8 / parts;
    __m256i v[8];
    load_strips<F>(run, v);
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
        const __m256 step = _mm256_loadu_ps(x[c][i].scales);
        const auto add = [&]<int Part>() NIBBLE_LAMBDA_INLINE {
            const __m256 product = _mm256_cvtepi32_ps(multiply_strips<F::code_bits, Part * strips, strips>(v, x[c][i].codes));
            const __m256 sums = _mm256_loadu_ps(x[c][i].sums[Part]);
            __m256& total = sum_f32x8[c][0];
            if constexpr (is_centered<F>) {
                total = _mm256_fmadd_ps(scales.scale[Part], _mm256_fmadd_ps(product, step, sums), total);
            } else {
                total = _mm256_fmadd_ps(scales.offset[Part], sums, total);
                total = _mm256_fmadd_ps(product, _mm256_mul_ps(scales.scale[Part], step), total);
            }
        };
        add.template operator()<0>();
        if constexpr (parts == 2) add.template operator()<1>();
    }
}

/// The same for codes of 8 bits, which become int16 levels: group by group, each with its scale in all lanes.
template <class F, int Cols>
NIBBLE_INLINE void multiply_run(const std::byte* run, const run_scales<F::parts>& scales, const activation_run<F>* const (&x)[Cols], std::size_t i,
                                __m256 (&sum_f32x8)[Cols][2]) noexcept
    requires(needs_words<F>)
{
    if constexpr (decoder<F>::zero != 128) {
#pragma GCC unroll 2
        for (std::size_t part = 0; part < F::parts; ++part) {
            const __m256 offset = _mm256_fmadd_ps(scales.scale[part], _mm256_set1_ps(128.0f), scales.offset[part]);
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) sum_f32x8[c][0] = _mm256_fmadd_ps(offset, _mm256_loadu_ps(x[c][i].sums[part]), sum_f32x8[c][0]);
        }
    }
    alignas(32) float factor[Cols][F::parts][8];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
#pragma GCC unroll 2
        for (std::size_t part = 0; part < F::parts; ++part) {
            _mm256_store_ps(factor[c][part], _mm256_mul_ps(scales.scale[part], _mm256_loadu_ps(x[c][i].scales)));
        }
    }
    for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
        const __m256i level_i8x32 = _mm256_xor_si256(decoder<F>::template codes<Group>(run), _mm256_set1_epi8(-128));
        const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(level_i8x32)), high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(level_i8x32, 1));
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
            const auto* codes = reinterpret_cast<const __m256i*>(x[c][i].codes + 32 * Group);
            const __m256i first = _mm256_madd_epi16(low, _mm256_loadu_si256(codes)), second = _mm256_madd_epi16(high, _mm256_loadu_si256(codes + 1));
            __m256& sum = sum_f32x8[c][Group % 2];
            if constexpr (F::parts == 1) {
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(first, second)), _mm256_broadcast_ss(&factor[c][0][Group]), sum);
            } else {
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(first), _mm256_broadcast_ss(&factor[c][0][Group]), sum);
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(second), _mm256_broadcast_ss(&factor[c][1][Group]), sum);
            }
        }
    });
}

/// One packed row by Cols float rows.
template <class F, int Cols>
NIBBLE_INLINE void multiply_row(const std::byte* row, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    const activation_run<F>* x[Cols];
    __m256 sum_f32x8[Cols][2];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
        x[c] = reinterpret_cast<const activation_run<F>*>(workspace + static_cast<std::size_t>(c) * row_workspace<F>(cols));
        sum_f32x8[c][0] = sum_f32x8[c][1] = _mm256_setzero_ps();
    }
    for (std::size_t i = 0; i < runs_of(cols); ++i) {
        std::byte padded[run_bytes<F>];
        const std::byte* run = run_at<F>(row, i, cols, padded);
        // The next rows follow in memory; a prefetch past the end of the tensor is harmless.
        for (std::size_t line = 0; line < run_bytes<F>; line += 64) _mm_prefetch(reinterpret_cast<const char*>(run) + 2048 + line, _MM_HINT_T0);
        multiply_run<F, Cols>(run, decoder<F>::scales(run), x, i, sum_f32x8);
    }
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) y[static_cast<std::size_t>(c) * stride] = sum_of(_mm256_add_ps(sum_f32x8[c][0], sum_f32x8[c][1]));
}

template <class F, int Cols>
inline void multiply_rows(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    for (std::size_t r = 0; r < rows; ++r) multiply_row<F, Cols>(packed + r * row_bytes<F>(cols), cols, workspace, y + r, stride);
}

/// Few float rows, up to four at a time.
template <class F>
NIBBLE_INLINE void multiply_few(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                                std::size_t stride) noexcept {
    while (count != 0) {
        const std::size_t here = count < 4 ? count : count == 5 || count == 6 || count == 9 ? 3 : 4;
        switch (here) {
            case 1: multiply_rows<F, 1>(packed, rows, cols, workspace, y, stride); break;
            case 2: multiply_rows<F, 2>(packed, rows, cols, workspace, y, stride); break;
            case 3: multiply_rows<F, 3>(packed, rows, cols, workspace, y, stride); break;
            default: multiply_rows<F, 4>(packed, rows, cols, workspace, y, stride); break;
        }
        count -= here;
        workspace += here * row_workspace<F>(cols);
        y += here * stride;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
