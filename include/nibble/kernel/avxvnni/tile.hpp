// The inner loop of gemm with AVX-VNNI: a panel of 16 rows (kernel/panel.hpp) times a tile of 4 or 6 float rows. As in avx2/tile.hpp every load
// of weights meets all float rows of the tile and every broadcast of activations both halves of the panel; but sums have 32 bits from the
// start, so that codes of any width take the same way, and nothing is widened.
#pragma once

#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avxvnni/activation.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVXVNNI
NIBBLE_BASELINE_BEGIN
namespace avxvnni {

/// total = the integer sums of one part of a group.
template <std::size_t Parts, bool Offsets, int Width>
NIBBLE_INLINE void multiply_part(const std::byte* weights, const activation_tile<Parts, Width>& x, std::size_t part,
                                 avx2::tile_registers<Width>& total) noexcept {
    constexpr std::size_t steps = 8 / Parts;
#pragma GCC unroll 6
    for (int c = 0; c < Width; ++c) total[c][0] = total[c][1] = Offsets ? _mm256_setzero_si256() : _mm256_set1_epi32(x.sums[part][c]);
#pragma GCC unroll 8
    for (std::size_t k = 0; k < steps; ++k) {
        const std::size_t at = part * steps + k;
        const __m256i w[2] = {avx2::load_codes(weights + 64 * at), avx2::load_codes(weights + 64 * at + 32)};
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
            const __m256i four = avx2::broadcast_codes(x.codes[c] + 4 * at);
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                total[c][h] = add_products(total[c][h], w[h], four);
                avx2::pin(total[c][h]);
            }
        }
    }
}

/// Adds the product of `groups` groups of a panel with a tile of float rows. Without the fence, or inlined, GCC keeps copies of the sums on the
/// stack, because it has no registers for them: 120 instead of 150 Gmac/s.
template <std::size_t Parts, bool Offsets, int Width>
NIBBLE_NOINLINE void multiply_tile(const std::byte* weights, const activation_tile<Parts, Width>* x, std::size_t groups,
                                   avx2::tile_sums<Width>& sums) noexcept {
    for (std::size_t g = 0; g < groups; ++g, weights += panel::wide_group_bytes(Parts), ++x) {
#pragma GCC unroll 1
        for (std::size_t part = 0; part < Parts; ++part) {
            avx2::tile_registers<Width> total;
            multiply_part<Parts, Offsets, Width>(weights, *x, part, total);
            const auto* scale = reinterpret_cast<const float*>(weights + panel::wide_code_bytes) + part * panel::rows;
            const auto* offset = scale + Parts * panel::rows;
#pragma GCC unroll 6
            for (int c = 0; c < Width; ++c) {
                const __m256 step = _mm256_broadcast_ss(&x->scales[c]);
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) {
                    __m256 sum = _mm256_load_ps(sums[c] + 8 * h);
                    if constexpr (Offsets) {
                        const __m256 code_sum = _mm256_castsi256_ps(_mm256_set1_epi32(x->sums[part][c]));
                        sum = _mm256_fmadd_ps(_mm256_load_ps(offset + 8 * h), code_sum, sum);
                    }
                    const __m256 factor = _mm256_mul_ps(_mm256_load_ps(scale + 8 * h), step);
                    _mm256_store_ps(sums[c] + 8 * h, _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[c][h]), factor, sum));
                }
            }
            avx2::fence();
        }
    }
}

/// Some runs of a panel with all float rows.
template <class F>
inline void multiply_panel(const std::byte* weights, std::size_t rows, std::size_t first_run, std::size_t runs, std::size_t cols,
                           const std::byte* workspace, std::size_t count, float* y, std::size_t stride) noexcept {
    constexpr std::size_t parts = F::parts;
    const auto tile = [&]<int Width>(std::size_t i) NIBBLE_LAMBDA_INLINE {
        const std::size_t here = count - i < Width ? count - i : Width;
        for (std::size_t c = i; c < i + here; ++c) {  // far from the caches, and wanted when the tile is done
            _mm_prefetch(reinterpret_cast<const char*>(y + c * stride), _MM_HINT_T0);
            _mm_prefetch(reinterpret_cast<const char*>(y + c * stride + rows - 1), _MM_HINT_T0);
        }
        alignas(32) avx2::tile_sums<Width> sums = {};
        const auto* x = reinterpret_cast<const activation_tile<parts, Width>*>(workspace + i * tiled_bytes<parts>(cols));
        multiply_tile<parts, (decoder<F>::zero < 0), Width>(weights, x + 8 * first_run, 8 * runs, sums);
        avx2::keep_sums<Width>(sums, rows, here, y + i * stride, stride, first_run == 0);
    };
    const std::size_t wide = avx2::rows_in_wide_tiles(count);
    std::size_t i = 0;
    for (; i < wide; i += avx2::wide_tile) tile.template operator()<avx2::wide_tile>(i);
    for (; i < count; i += avx2::narrow_tile) tile.template operator()<avx2::narrow_tile>(i);
}

}  // namespace avxvnni
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
