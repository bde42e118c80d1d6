// Sixteen packed rows in the wide form of panels (kernel/panel.hpp), from any decoder: for repacking, and for products with many float rows, tile by
// tile.
#pragma once

#include "nibble/kernel/avx2/integer_tile.hpp"
#include "nibble/kernel/avx2/tile.hpp"
#include "nibble/kernel/panel_run.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Columns of a panel that are worked on at once: with a tile of activations they stay in the L1 cache.
template <class F>
inline constexpr std::size_t panel_cols = needs_words<F> ? 1024 : 2048;

/// Bytes of a run as tiles read it.
template <class F>
inline constexpr std::size_t tile_run_bytes = stays_integer<F> ? sizeof(integer_panel<F>) : 8 * tile_group_bytes<F>;

/// Levels of 8 bits, eight rows by four columns, to the int16 levels that tiles read: columns 0 and 2, then 1 and 3; times 256, which leaves one
/// instruction for each, or times what `multiple` has for its row, in the upper bytes of its words, if it is not null.
NIBBLE_INLINE void store_levels(__m256i levels, std::byte* out, const __m256i* multiple = nullptr) noexcept {
    __m256i even = _mm256_slli_epi16(levels, 8), odd = _mm256_and_si256(levels, _mm256_set1_epi16(-256));
    if (multiple != nullptr) even = _mm256_mulhi_epi16(even, *multiple), odd = _mm256_mulhi_epi16(odd, *multiple);
    auto* to = reinterpret_cast<__m256i*>(out);
    _mm256_store_si256(to, even);
    _mm256_store_si256(to + 2, odd);
}
/// What store_levels multiplies with, from the same numbers of 32 bits.
NIBBLE_INLINE __m256i upper_bytes(__m256i multiples) noexcept {
    const __m256i upper = _mm256_slli_epi32(multiples, 8);
    return two_words(upper, upper);
}

/// y (+)= sums, for the rows of a panel and the float rows that exist.
template <int Width>
NIBBLE_INLINE void keep_sums(const tile_sums<Width>& sums, std::size_t rows, std::size_t count, float* y, std::size_t stride, bool first) noexcept {
    for (std::size_t c = 0; c < count; ++c, y += stride) {
        if (rows == panel::rows) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                const __m256 sum = _mm256_load_ps(sums[c] + 8 * h);
                _mm256_storeu_ps(y + 8 * h, first ? sum : _mm256_add_ps(sum, _mm256_loadu_ps(y + 8 * h)));
            }
        } else {
            for (std::size_t r = 0; r < rows; ++r) y[r] = first ? sums[c][r] : y[r] + sums[c][r];
        }
    }
}

/// Some runs of a panel, as tiles read them, with all float rows.
/// @param before  is called with the first float row of each tile
template <class F>
inline void multiply_panel(const std::byte* weights, std::size_t rows, std::size_t first_run, std::size_t runs, std::size_t cols,
                           const std::byte* workspace, std::size_t count, float* y, std::size_t stride, auto before) noexcept {
    const std::size_t wide = rows_in_wide_tiles(count);
    const auto tile = [&]<int Width>(std::size_t i) NIBBLE_LAMBDA_INLINE {
        before(i);
        for (std::size_t c = i; c < i + Width && c < count; ++c) {  // far from the caches, and wanted when the tile is done
            _mm_prefetch(reinterpret_cast<const char*>(y + c * stride), _MM_HINT_T0);
            _mm_prefetch(reinterpret_cast<const char*>(y + c * stride + rows - 1), _MM_HINT_T0);
        }
        alignas(32) tile_sums<Width> sums = {};
        const std::byte* x = workspace + i * tiled_row_workspace<F>(cols);
        if constexpr (stays_integer<F>) {
            const auto* from = reinterpret_cast<const integer_panel<F>*>(weights);
            multiply_tile<F, Width>(from, reinterpret_cast<const integer_tile<F, Width>*>(x) + first_run, runs, sums);
        } else {
            const auto* from = reinterpret_cast<const activation_tile<F, Width>*>(x) + 8 * first_run;
            if constexpr (scales_levels<F>) multiply_scaled<F, Width>(weights, from, 8 * runs, sums);
            else multiply_tile<F, Width>(weights, from, 8 * runs, sums);
        }
        keep_sums<Width>(sums, rows, count - i < Width ? count - i : Width, y + i * stride, stride, first_run == 0);
    };
    std::size_t i = 0;
    for (; i < wide; i += wide_tile) tile.template operator()<wide_tile>(i);
    for (; i < count; i += narrow_tile) tile.template operator()<narrow_tile>(i);
}

/// A run of eight rows, of which only the first `rows` exist: the others get scales and offsets of zero. ForTiles: as tiles read panels.
template <class F, bool ForTiles>
NIBBLE_INLINE void fill_half_panel(const std::byte* const (&runs)[8], std::size_t rows, std::byte* out) noexcept {
    constexpr std::size_t parts = F::parts, code_bytes = ForTiles ? tile_code_bytes<F> : panel::wide_code_bytes;
    constexpr std::size_t size = ForTiles ? tile_group_bytes<F> : panel::wide_group_bytes(parts);
    constexpr bool scaled = ForTiles && scales_levels<F>;
    alignas(32) float factors[2 * parts][8][8];  // scales, then offsets, of each part
    alignas(32) std::int32_t multiples[8][8];
    __m256i multiple[8];  // of groups, as store_levels takes them
    for (std::size_t r = 0; r < 8; ++r) {
        run_scales<parts> scales = decoder<F>::scales(runs[r]);
        if constexpr (scaled) {
            const float unit = decoder<F>::units(runs[r]).scale;
            _mm256_store_si256(reinterpret_cast<__m256i*>(multiples[r]), multiples_of(scales.scale[0], unit));
            scales.scale[0] = _mm256_set1_ps(unit);
        }
        const __m256 exists = _mm256_castsi256_ps(_mm256_set1_epi32(r < rows ? -1 : 0));
        for (std::size_t part = 0; part < parts; ++part) {
            if constexpr (ForTiles) scales.scale[part] = _mm256_mul_ps(scales.scale[part], _mm256_set1_ps(1.0f / level_unit<F>));
            _mm256_store_ps(factors[part][r], _mm256_and_ps(exists, scales.scale[part]));
            _mm256_store_ps(factors[parts + part][r], _mm256_and_ps(exists, scales.offset[part]));
        }
    }
    for (std::size_t i = 0; i < 2 * parts; ++i) {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return _mm256_castps_si256(_mm256_load_ps(factors[i][r])); },
                     [&](std::size_t g, __m256i v) NIBBLE_LAMBDA_INLINE {
                         _mm256_store_si256(reinterpret_cast<__m256i*>(out + g * size + code_bytes + 64 * i), v);
                     });
    }
    if constexpr (scaled) {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return load_doubles(multiples[r]); },
                     [&](std::size_t g, __m256i v) NIBBLE_LAMBDA_INLINE { multiple[g] = upper_bytes(v); });
    }
    for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return decoder<F>::template codes<Group>(runs[r]); },
                     [&](std::size_t k, __m256i v) NIBBLE_LAMBDA_INLINE {
                         std::byte* to = out + Group * size;
                         const __m256i level = _mm256_xor_si256(v, _mm256_set1_epi8(-128));
                         if constexpr (ForTiles && needs_words<F>) store_levels(level, to + 128 * k, scaled ? &multiple[Group] : nullptr);
                         else _mm256_store_si256(reinterpret_cast<__m256i*>(to + 64 * k), v);
                     });
    });
}

/// A run of eight rows from row `first` on; rows that do not exist repeat the first of them, and `padded` completes runs.
template <class F>
NIBBLE_INLINE void find_runs(const std::byte* packed, std::size_t first, std::size_t rows, std::size_t cols, std::size_t run,
                             std::byte (&padded)[8][run_bytes<F>], const std::byte* (&found)[8]) noexcept {
    for (std::size_t r = 0; r < 8; ++r) {
        const std::size_t row = first + r < rows ? first + r : first;
        found[r] = run_at<F>(packed + row * row_bytes<F>(cols), run, cols, padded[r]);
        // The same run of the next panel: eight rows at a time are more streams than prefetchers follow.
        const std::byte* ahead = packed + (row + panel::rows) * row_bytes<F>(cols) + run * run_bytes<F>;
        for (std::size_t line = 0; line < run_bytes<F>; line += 64) _mm_prefetch(reinterpret_cast<const char*>(ahead + line), _MM_HINT_T1);
    }
}

}  // namespace avx2

template <affine_format F>
struct kernel<op::fill_panel, F, isa::avx2> {
    /// Run `index` in wide form.
    static void widen(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t index, std::byte* wide) noexcept {
        constexpr std::size_t size = panel::wide_group_bytes(F::parts);
        for (std::size_t half = 0; half < 2; ++half) {
            if (8 * half >= rows) {
                for (std::size_t i = 32; i < panel::groups * size; i += 64) __builtin_memset(wide + i, 0, 32);
                break;
            }
            std::byte padded[8][avx2::run_bytes<F>];
            const std::byte* runs[8];
            avx2::find_runs<F>(packed, 8 * half, rows, cols, index, padded, runs);
            avx2::fill_half_panel<F, false>(runs, rows - 8 * half, wide + 32 * half);
        }
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, std::byte* out) noexcept {
        for (std::size_t i = 0; i < avx2::runs_of(cols); ++i, out += panel::order<F>::run_bytes) {
            alignas(64) std::byte wide[panel::wide_run_bytes<F>];
            widen(packed, rows, cols, i, wide);
            panel::keep_run<F>(wide, out);
        }
    }
    static constexpr op::fill_panel::entry entry = &run;
};

namespace avx2 {

/// Room for a stretch of a panel as tiles read it.
template <class F>
struct unpacked_panel {
    static constexpr std::size_t runs = panel_cols<F> / run_size;
    alignas(64) std::byte memory[runs][tile_run_bytes<F>];

    /// From packed rows, `count` runs from run `first` on.
    void fill(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t first, std::size_t count) noexcept {
        for (std::size_t r = 0; r < count; ++r) {
            for (std::size_t half = 0; half < 2; ++half) {
                const std::size_t from = 8 * half < rows ? 8 * half : 0, exist = 8 * half < rows ? rows - 8 * half : 0;
                std::byte padded[8][run_bytes<F>];
                const std::byte* found[8];
                find_runs<F>(packed, from, rows, cols, first + r, padded, found);
                if constexpr (stays_integer<F>) fill_half<F>(found, exist, half, *reinterpret_cast<integer_panel<F>*>(memory[r]));
                else fill_half_panel<F, true>(found, exist, memory[r] + 32 * half);
            }
        }
    }
};

}  // namespace avx2

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
