// Float rows in the form that the products of AVX-VNNI read: groups of 32 codes of 8 bits with one scale, and the sums that pair with the
// weights' zero points or offsets.
//
// Few rows, each by itself, run by run: vnni/activation.hpp
// Many rows, in tiles of 6 or 4 rows, group by group: activation_tile
// Rows are padded to whole runs with zeros, and the last tile with rows of zeros.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avxvnni/vnni.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVXVNNI
NIBBLE_BASELINE_BEGIN
namespace avxvnni {

/// Float rows up to which products go along each packed row (vnni/gemv.hpp); more meet panels (tile.hpp).
template <class F>
inline constexpr std::size_t few = avx2::gives_strips<F> ? 8 : 4;

/// A group of a tile.
template <std::size_t Parts, int Width>
struct activation_tile {
    std::int8_t codes[Width][32];
    float scales[Width];
    std::int32_t sums[Parts][Width];  ///< as those of activation_run
};

/// Bytes of one row of a tile.
template <std::size_t Parts>
NIBBLE_INLINE constexpr std::size_t tiled_bytes(std::size_t cols) noexcept {
    return avx2::runs_of(cols) * 8 * sizeof(activation_tile<Parts, 1>);
}

/// op::linear's workspace and prepare.
template <class F>
struct activation {
    static constexpr std::size_t parts = F::parts;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return count <= few<F> ? count * activation_bytes<parts>(cols) : workspace_in_tiles(count, cols);
    }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (count <= few<F>) {
            for (std::size_t i = first; i < last; ++i) {
                auto* to = reinterpret_cast<activation_run<parts>*>(out + i * activation_bytes<parts>(cols));
                const auto keep_here = [&](const quantized_run<parts>& run, std::size_t r) NIBBLE_LAMBDA_INLINE { keep<F>(run, to[r]); };
                for_each_run(x + i * cols, cols, cols, keep_here);
            }
            return;
        }
        prepare_in_tiles(x, first, last, count, cols, out);
    }

    /// The same in tiles, whatever the count.
    static std::size_t workspace_in_tiles(std::size_t count, std::size_t cols) noexcept {
        return avx2::rows_in_tiles(count) * tiled_bytes<parts>(cols);
    }
    static void prepare_in_tiles(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        // The rows that complete the last tile belong to the last range.
        const std::size_t wide = avx2::rows_in_wide_tiles(count), end = last < count ? last : avx2::rows_in_tiles(count);
        for (std::size_t i = first; i < end; ++i) {
            const std::size_t at = i < wide ? i % avx2::wide_tile : (i - wide) % avx2::narrow_tile, exist = i < count ? cols : 0;
            std::byte* tile = out + (i - at) * tiled_bytes<parts>(cols);
            for_each_run(x + i * cols, exist, cols, [&](const quantized_run<parts>& run, std::size_t r) NIBBLE_LAMBDA_INLINE {
                if (i < wide) keep_in_tile(run, reinterpret_cast<activation_tile<parts, avx2::wide_tile>*>(tile) + 8 * r, at);
                else keep_in_tile(run, reinterpret_cast<activation_tile<parts, avx2::narrow_tile>*>(tile) + 8 * r, at);
            });
        }
    }

private:
    /// Calls fn(run, index) for the quantized runs of a row.
    /// @param exist how many of the `cols` columns there are; the others are zeros
    NIBBLE_INLINE static void for_each_run(const float* row, std::size_t exist, std::size_t cols, auto fn) noexcept {
        for (std::size_t r = 0; r < avx2::runs_of(cols); ++r) {
            float padded[avx2::run_size];
            quantized_run<parts> run;
            quantize(avx2::floats_at(row, exist, r, padded), run);
            fn(run, r);
        }
    }
    /// Never inlined: with what becomes of the run it has more values than registers.
    NIBBLE_NOINLINE static void quantize(const float* x, quantized_run<parts>& out) noexcept {
        avx2::activation_run<std::int8_t, parts> run;
        avx2::quantize_run(x, 0, run);
#pragma GCC unroll 8
        for (std::size_t g = 0; g < 8; ++g) out.codes[g] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run.codes + 32 * g));
        out.scales = _mm256_loadu_ps(run.scales);
        add_strips(out);
    }
    template <int Width>
    NIBBLE_INLINE static void keep_in_tile(const quantized_run<parts>& run, activation_tile<parts, Width>* to, std::size_t at) noexcept {
        float scales[8];
        std::int32_t sums[parts][8];
        _mm256_storeu_ps(scales, run.scales);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < parts; ++p) _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums[p]), paired<F>(run.sums[p], run.scales));
#pragma GCC unroll 8
        for (std::size_t g = 0; g < 8; ++g) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to[g].codes[at]), run.codes[g]);
            to[g].scales[at] = scales[g];
            for (std::size_t p = 0; p < parts; ++p) to[g].sums[p][at] = sums[p][g];
        }
    }
};

}  // namespace avxvnni
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
