// Products with rows of plain floats of 32 or 16 bits, with AVX2: weights become floats in registers, and nothing is rounded. A tile of three
// packed by four float rows, or four by one, shares its loads; columns come in stretches whose activations stay in the L2 cache.
#pragma once

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Eight weights of a layout as floats.
template <class Layout>
struct float_weights {};
template <>
struct float_weights<layout::float32> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept { return _mm256_loadu_ps(reinterpret_cast<const float*>(from)); }
};
template <>
struct float_weights<layout::float16> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
};
template <>
struct float_weights<layout::bfloat16> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept {
        const __m256i upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        return _mm256_castsi256_ps(_mm256_slli_epi32(upper, 16));
    }
};

template <class F>
concept has_float_weights = requires(const std::byte* from) { float_weights<typename F::layout>::load(from); };

/// Floats of a prepared row, zeros at its end included.
NIBBLE_INLINE constexpr std::size_t padded_floats(std::size_t cols) noexcept { return divide_up(cols, std::size_t{8}) * 8; }

/// Some columns of float rows.
struct float_columns {
    const float* x;
    std::size_t stride, cols;
};

/// y[c * stride + r] = dot(packed row r, float row c), or += if this is not the `first` stretch of columns.
template <class F, int Rows, int Cols>
NIBBLE_INLINE void multiply_floats(const std::byte* packed, std::size_t row_stride, const float_columns& x, bool first, float* y,
                                   std::size_t stride) noexcept {
    constexpr int tile = Rows * Cols;
    constexpr std::size_t steps = tile <= 3 ? 4 : tile <= 6 ? 2 : 1, size = sizeof(typename F::block);  // latency takes eight sums
    __m256 sums[steps][Rows][Cols];
#pragma GCC unroll 4
    for (std::size_t s = 0; s < steps; ++s) {
#pragma GCC unroll 4
        for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) sums[s][r][c] = _mm256_setzero_ps();
        }
    }
    // Eight columns from k on.
    const auto add = [&](std::size_t s, const std::byte* weights, std::size_t distance, std::size_t k) NIBBLE_LAMBDA_INLINE {
        __m256 w[Rows];
#pragma GCC unroll 4
        for (int r = 0; r < Rows; ++r) w[r] = float_weights<typename F::layout>::load(weights + static_cast<std::size_t>(r) * distance);
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
            const __m256 v = _mm256_loadu_ps(x.x + static_cast<std::size_t>(c) * x.stride + k);
#pragma GCC unroll 4
            for (int r = 0; r < Rows; ++r) sums[s][r][c] = _mm256_fmadd_ps(w[r], v, sums[s][r][c]);
        }
    };
    std::size_t k = 0;
    for (; k + 8 * steps <= x.cols; k += 8 * steps) {
#pragma GCC unroll 4
        for (std::size_t s = 0; s < steps; ++s) add(s, packed + (k + 8 * s) * size, row_stride, k + 8 * s);
    }
    for (; k + 8 <= x.cols; k += 8) add(0, packed + k * size, row_stride, k);
    if (k < x.cols) {
        std::byte padded[Rows][8 * size] = {};
        for (std::size_t r = 0; r < Rows; ++r) __builtin_memcpy(padded[r], packed + r * row_stride + k * size, (x.cols - k) * size);
        add(0, padded[0], sizeof padded[0], k);
    }
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
#pragma GCC unroll 4
            for (std::size_t s = 1; s < steps; ++s) sums[0][r][c] = _mm256_add_ps(sums[0][r][c], sums[s][r][c]);
            float& to = y[static_cast<std::size_t>(c) * stride + static_cast<std::size_t>(r)];
            to = sum_of(sums[0][r][c]) + (first ? 0.0f : to);
        }
    }
}

}  // namespace avx2

template <class F>
    requires avx2::has_float_weights<F>
struct kernel<op::linear, F, isa::avx2> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return count * avx2::padded_floats(cols) * sizeof(float); }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t, std::size_t cols, std::byte* workspace) noexcept {
        const std::size_t padded = avx2::padded_floats(cols);
        for (std::size_t i = first; i < last; ++i) {
            auto* row = reinterpret_cast<float*>(workspace) + i * padded;
            __builtin_memcpy(row, x + i * cols, cols * sizeof(float));
            for (std::size_t k = cols; k < padded; ++k) row[k] = 0.0f;
        }
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        constexpr std::size_t cached = 65536, least = 256;  // floats of activations in a stretch, columns of it
        const std::size_t wanted = cached / count / 8 * 8, length = wanted < least ? least : wanted, padded = avx2::padded_floats(cols);
        const std::size_t size = row_bytes<F>(cols);
        for (std::size_t at = 0; at < cols; at += length) {
            const auto* from = packed + at * sizeof(typename F::block);
            const avx2::float_columns x{reinterpret_cast<const float*>(workspace) + at, padded, cols - at < length ? cols - at : length};
            std::size_t r = 0;
            if (count == 1) {
                for (; r + 4 <= rows; r += 4) avx2::multiply_floats<F, 4, 1>(from + r * size, size, x, at == 0, y + r, stride);
            } else {
                for (; r + 3 <= rows; r += 3) multiply_rows<3>(from + r * size, size, x, count, at == 0, y + r, stride);
            }
            for (; r < rows; ++r) multiply_rows<1>(from + r * size, size, x, count, at == 0, y + r, stride);
        }
    }
    static constexpr op::linear::entry entry{&workspace, &prepare, &run};

private:
    template <int Rows>
    static void multiply_rows(const std::byte* packed, std::size_t row_stride, avx2::float_columns x, std::size_t count, bool first, float* y,
                              std::size_t stride) noexcept {
        for (; count >= 4; count -= 4, x.x += 4 * x.stride, y += 4 * stride) {
            avx2::multiply_floats<F, Rows, 4>(packed, row_stride, x, first, y, stride);
        }
        if (count == 1) avx2::multiply_floats<F, Rows, 1>(packed, row_stride, x, first, y, stride);
        if (count == 2) avx2::multiply_floats<F, Rows, 2>(packed, row_stride, x, first, y, stride);
        if (count == 3) avx2::multiply_floats<F, Rows, 3>(packed, row_stride, x, first, y, stride);
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
