// Panels with AVX2 (kernel/panel.hpp): filled from any decoder, and multiplied with all float rows, tile by tile.
#pragma once

#include "nibble/kernel/avx2/tile.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Columns of a panel that are worked on at once: with a tile of activations they stay in the L1 cache.
template <class F>
inline constexpr std::size_t panel_cols = needs_words<F> ? 512 : 1024;

/// 8-bit codes of a panel as tiles read them.
template <class F>
inline void widen_panel(const std::byte* panel, std::size_t groups, std::byte* out) noexcept {
    constexpr std::size_t scales = F::parts * panel::rows;
    for (std::size_t g = 0; g < groups; ++g, panel += panel::group_bytes(F::parts), out += tile_group_bytes<F>) {
#pragma GCC unroll 1
        for (std::size_t k = 0; k < 8; ++k) {
#pragma GCC unroll 2
            for (std::size_t h = 0; h < 2; ++h) {
                const __m256i level = _mm256_xor_si256(load_codes(panel + 64 * k + 32 * h), _mm256_set1_epi8(-128));
                auto* to = reinterpret_cast<__m256i*>(out + 128 * k + 32 * h);
                _mm256_store_si256(to, _mm256_srai_epi16(_mm256_slli_epi16(level, 8), 8));
                _mm256_store_si256(to + 2, _mm256_srai_epi16(level, 8));
            }
        }
        const auto* from = reinterpret_cast<const float*>(panel + panel::code_bytes);
        auto* to = reinterpret_cast<float*>(out + tile_code_bytes<F>);
        for (std::size_t i = 0; i < scales; i += 8) {
            const __m256 scale = _mm256_load_ps(from + i);
            _mm256_store_ps(to + i, scale);
            _mm256_store_ps(to + scales + i, _mm256_fmadd_ps(scale, _mm256_set1_ps(128.0f), _mm256_load_ps(from + scales + i)));
        }
    }
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

/// Some groups of a panel, as tiles read them, with all float rows.
template <class F>
inline void multiply_panel(const std::byte* weights, std::size_t rows, std::size_t first_group, std::size_t groups, std::size_t cols,
                           const std::byte* workspace, std::size_t count, float* y, std::size_t stride) noexcept {
    const std::size_t wide = rows_in_wide_tiles(count);
    const auto tile = [&]<int Width>(std::size_t i) NIBBLE_LAMBDA_INLINE {
        alignas(32) tile_sums<Width> sums = {};
        const auto* x = reinterpret_cast<const activation_tile<F, Width>*>(workspace + i * row_workspace<F>(cols));
        multiply_tile<F, Width>(weights, x + first_group, groups, sums);
        keep_sums<Width>(sums, rows, count - i < Width ? count - i : Width, y + i * stride, stride, first_group == 0);
    };
    std::size_t i = 0;
    for (; i < wide; i += wide_tile) tile.template operator()<wide_tile>(i);
    for (; i < count; i += narrow_tile) tile.template operator()<narrow_tile>(i);
}

/// Transposes eight vectors of eight 32-bit elements.
NIBBLE_INLINE void transpose(__m256i (&v)[8]) noexcept {
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

/// A column of eight rows: `from(r)` for each, lane g of which goes to `to(g)`.
NIBBLE_INLINE void transpose_to(auto from, auto to) noexcept {
    __m256i v[8];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 8; ++r) v[r] = from(r);
    transpose(v);
#pragma GCC unroll 8
    for (std::size_t g = 0; g < 8; ++g) _mm256_store_si256(reinterpret_cast<__m256i*>(to(g)), v[g]);
}

/// A run of eight rows, of which only the first `rows` exist: the others get scales and offsets of zero.
template <class F>
NIBBLE_INLINE void fill_half_panel(const std::byte* const (&runs)[8], std::size_t rows, std::byte* out) noexcept {
    constexpr std::size_t parts = F::parts, size = panel::group_bytes(parts);
    alignas(32) float factors[2 * parts][8][8];  // scales, then offsets, of each part
    for (std::size_t r = 0; r < 8; ++r) {
        const run_scales<parts> scales = decoder<F>::scales(runs[r]);
        const __m256 exists = _mm256_castsi256_ps(_mm256_set1_epi32(r < rows ? -1 : 0));
        for (std::size_t part = 0; part < parts; ++part) {
            _mm256_store_ps(factors[part][r], _mm256_and_ps(exists, scales.scale[part]));
            _mm256_store_ps(factors[parts + part][r], _mm256_and_ps(exists, scales.offset[part]));
        }
    }
    for (std::size_t i = 0; i < 2 * parts; ++i) {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return _mm256_castps_si256(_mm256_load_ps(factors[i][r])); },
                     [&](std::size_t g) NIBBLE_LAMBDA_INLINE { return out + g * size + panel::code_bytes + 64 * i; });
    }
    for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return decoder<F>::template codes<Group>(runs[r]); },
                     [&](std::size_t k) NIBBLE_LAMBDA_INLINE { return out + Group * size + 64 * k; });
    });
}

}  // namespace avx2

template <affine_format F>
struct kernel<op::fill_panel, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t first, std::size_t last, std::byte* out) noexcept {
        constexpr std::size_t size = panel::group_bytes(F::parts);
        for (std::size_t c = first; c < last; c += avx2::run_size, out += 8 * size) {
            for (std::size_t half = 0; half < 2; ++half) {
                std::byte padded[8][avx2::run_bytes<F>];
                const std::byte* runs[8];
                const std::size_t some = rows > 8 * half ? rows - 8 * half : 0;
                if (some == 0) {
                    for (std::size_t g = 0; g < 8; ++g) {
                        for (std::size_t i = 0; i < size; i += 64) __builtin_memset(out + g * size + i + 32, 0, 32);
                    }
                    continue;
                }
                for (std::size_t r = 0; r < 8; ++r) {
                    const std::size_t row = 8 * half + (r < some ? r : 0);
                    runs[r] = avx2::run_at<F>(packed + row * row_bytes<F>(cols), c / avx2::run_size, cols, padded[r]);
                }
                avx2::fill_half_panel<F>(runs, some, out + 32 * half);
            }
        }
    }
    static constexpr op::fill_panel::entry entry = &run;
};

template <affine_format F>
struct kernel<op::panel_linear, F, isa::avx2> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        constexpr std::size_t size = panel::group_bytes(F::parts), step = avx2::panel_cols<F> / panel::group;
        const std::size_t groups = avx2::runs_of(cols) * 8;
        for (std::size_t g = 0; g < groups; g += step) {
            const std::size_t here = groups - g < step ? groups - g : step;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                const std::byte* weights = panels + (r / panel::rows * groups + g) * size;
                alignas(64) std::byte scratch[avx2::needs_words<F> ? step * avx2::tile_group_bytes<F> : 64];
                if constexpr (avx2::needs_words<F>) {
                    avx2::widen_panel<F>(weights, here, scratch);
                    weights = scratch;
                }
                avx2::multiply_panel<F>(weights, some, g, here, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&run, avx2::panel_threshold};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
