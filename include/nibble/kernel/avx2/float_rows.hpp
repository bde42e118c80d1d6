// Products with rows of plain floats of 32 or 16 bits, with AVX2: weights become floats in registers, and nothing is rounded. Many float rows meet
// panels (float_panel.hpp); for few, a tile of three packed by four float rows, or four by one, shares its loads, and the packed rows that come
// next are on their way to the L2 cache meanwhile. Columns come in stretches, so that these and the float rows stay there.
#pragma once

#include <type_traits>

#include "nibble/kernel/avx2/decode/tools.hpp"
#include "nibble/kernel/avx2/float_panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Floats of a prepared row, zeros at its end included.
NIBBLE_INLINE constexpr std::size_t padded_floats(std::size_t cols) noexcept { return divide_up(cols, std::size_t{8}) * 8; }

/// Float rows up to which packed rows are read in their own order.
inline constexpr std::size_t few_float_rows = 48;

/// Columns of a stretch: whole cache lines, of 384 kB of float rows, or of as much of the packed rows that come next.
NIBBLE_INLINE constexpr std::size_t stretch_of(std::size_t count) noexcept { return std::size_t{98304} / (count < 4 ? 4 : count) / 32 * 32; }

/// Some columns of float rows.
struct float_columns {
    const float* x;
    std::size_t stride, cols;
};

/// The packed rows that come next, which are fetched into the L2 cache: so many bytes of each for every line that is read, because several
/// passes over the same rows share the work.
struct rows_ahead {
    const std::byte* from;
    std::size_t step;
};

/// y[c * stride + r] = dot(packed row r, float row c), or += if this is not the `first` stretch of columns.
template <class F, int Rows, int Cols>
NIBBLE_INLINE void multiply_floats(const std::byte* packed, std::size_t row_stride, const float_columns& x, bool first, const rows_ahead& next,
                                   float* y, std::size_t stride) noexcept {
    constexpr std::size_t size = sizeof(typename F::block), steps = 64 / (8 * size);  // of a cache line
    constexpr std::size_t chains = Rows * Cols <= 6 ? 2 : 1;                          // latency takes eight sums
    // GCC may keep one of twelve sums of f16 on the stack; bf16 and fewer sums wait for memory, and then longer if their order is fixed.
    constexpr bool pinned = Rows * Cols == 12 && std::is_same_v<typename F::layout, layout::float16>;
    __m256 sums[chains][Rows][Cols];
#pragma GCC unroll 2
    for (std::size_t s = 0; s < chains; ++s) {
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
            for (int r = 0; r < Rows; ++r) {
                sums[s][r][c] = _mm256_fmadd_ps(w[r], v, sums[s][r][c]);
                if constexpr (pinned) pin(sums[s][r][c]);
            }
        }
    };
    std::size_t k = 0;
    const std::byte* ahead = next.from;
    for (; k + 8 * steps <= x.cols; k += 8 * steps, ahead += next.step) {
#pragma GCC unroll 4
        for (std::size_t r = 0; r < Rows; ++r) {
            const std::byte* line = packed + r * row_stride + k * size;
            _mm_prefetch(reinterpret_cast<const char*>(ahead + r * row_stride), _MM_HINT_T1);
            if constexpr (Cols == 1) {  // waits for memory, which serves one line after the other better than all rows in turn
#pragma GCC unroll 4
                for (std::size_t s = 0; s < steps; ++s) {
                    __m256& sum = sums[s % chains][r][0];
                    sum = _mm256_fmadd_ps(float_weights<typename F::layout>::load(line + 8 * s * size), _mm256_loadu_ps(x.x + k + 8 * s), sum);
                    pin(sum);  // Clangs load all rows first, and keep sums on the stack
                }
            }
        }
        if constexpr (Cols > 1) {
#pragma GCC unroll 4
            for (std::size_t s = 0; s < steps; ++s) add(s % chains, packed + (k + 8 * s) * size, row_stride, k + 8 * s);
        }
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
            for (std::size_t s = 1; s < chains; ++s) sums[0][r][c] = _mm256_add_ps(sums[0][r][c], sums[s][r][c]);
            float& to = y[static_cast<std::size_t>(c) * stride + static_cast<std::size_t>(r)];
            to = sum_of(sums[0][r][c]) + (first ? 0.0f : to);
        }
    }
}

}  // namespace avx2

template <class F>
    requires avx2::has_float_weights<F>
struct kernel<op::linear, F, isa::avx2> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return count <= avx2::few_float_rows ? count * avx2::padded_floats(cols) * sizeof(float) : avx2::panel_workspace(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* workspace) noexcept {
        if (count > avx2::few_float_rows) return avx2::prepare_for_panels(x, first, last, count, cols, workspace);
        const std::size_t padded = avx2::padded_floats(cols);
        for (std::size_t i = first; i < last; ++i) {
            auto* row = reinterpret_cast<float*>(workspace) + i * padded;
            __builtin_memcpy(row, x + i * cols, cols * sizeof(float));
            for (std::size_t k = cols; k < padded; ++k) row[k] = 0.0f;
        }
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count > avx2::few_float_rows) {
            return avx2::multiply_by_panels<F, avx2::float_weights<typename F::layout>>(packed, rows, cols, workspace, count, y, stride);
        }
        const std::size_t length = avx2::stretch_of(count), padded = avx2::padded_floats(cols), size = row_bytes<F>(cols);
        for (std::size_t at = 0; at < cols; at += length) {
            const auto* from = packed + at * sizeof(typename F::block);
            const avx2::float_columns x{reinterpret_cast<const float*>(workspace) + at, padded, cols - at < length ? cols - at : length};
            std::size_t r = 0;
            if (count == 1) {
                for (; r + 4 <= rows; r += 4) {
                    const avx2::rows_ahead ahead{from + (r + 4) * size, 64};
                    avx2::multiply_floats<F, 4, 1>(from + r * size, size, x, at == 0, ahead, y + r, stride);
                }
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
        const std::size_t passes = divide_up(count, std::size_t{4}), step = divide_up(std::size_t{64}, passes);
        avx2::rows_ahead ahead{packed + Rows * row_stride, step};
        for (; count >= 4; count -= 4, x.x += 4 * x.stride, y += 4 * stride, ahead.from += x.cols * sizeof(typename F::block) / 64 * step) {
            avx2::multiply_floats<F, Rows, 4>(packed, row_stride, x, first, ahead, y, stride);
        }
        if (count == 1) avx2::multiply_floats<F, Rows, 1>(packed, row_stride, x, first, ahead, y, stride);
        if (count == 2) avx2::multiply_floats<F, Rows, 2>(packed, row_stride, x, first, ahead, y, stride);
        if (count == 3) avx2::multiply_floats<F, Rows, 3>(packed, row_stride, x, first, ahead, y, stride);
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
