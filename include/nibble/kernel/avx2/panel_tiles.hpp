// Products of panels of codes of 8 bits with many float rows, with AVX2: stretches of a panel are unpacked for tiles. Unlike packed rows they need no
// transposition, which 16 float rows do not make up for.
#pragma once

#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avx2/panel_codes.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Half of a run as tiles read it.
template <class F>
NIBBLE_INLINE void unpack_half(const std::byte* run, std::size_t half, std::byte* out) noexcept {
    using order = panel::order<F>;
    constexpr bool scaled = scales_levels<F>;
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g, out += tile_group_bytes<F>) {
        auto* factors = reinterpret_cast<float*>(out + tile_code_bytes<F>);
#pragma GCC unroll 2
        for (std::size_t part = 0; part < F::parts; ++part) {
            __m256 scale = panel_units<F>(run, 0, half);
            if constexpr (!scaled) scale = _mm256_mul_ps(scale, panel_factors<F>(run, 0, g, part, half));
            __m256 offset = _mm256_mul_ps(scale, _mm256_set1_ps(static_cast<float>(-order::form.zero)));
            if constexpr (order::has_offsets) offset = _mm256_mul_ps(panel_factors<F>(run, 1, g, part, half), panel_units<F>(run, 1, half));
            _mm256_store_ps(factors + part * panel::rows, _mm256_mul_ps(scale, _mm256_set1_ps(1.0f / level_unit<F>)));
            _mm256_store_ps(factors + (F::parts + part) * panel::rows, offset);
        }
        __m256i multiple = _mm256_setzero_si256();
        if constexpr (scaled) multiple = upper_bytes(_mm256_cvtps_epi32(panel_factors<F>(run, 0, g, 0, half)));
        const std::byte* codes = run + g * order::group_bytes + 32 * half;
        for_each_quad<0, 8>([&]<int K>() NIBBLE_LAMBDA_INLINE {
            store_levels(panel_codes<F, K, 128>(codes), out + 128 * K, scaled ? &multiple : nullptr);
        });
    }
}

/// Products of all panels with float rows in tiles. Stretches are so short that they stay in the L1 cache together with a tile.
template <class F>
NIBBLE_NOINLINE void multiply_unpacked(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count,
                                       float* y, std::size_t stride) noexcept {
    constexpr std::size_t step = 2, size = panel::order<F>::run_bytes;
    alignas(64) std::byte unpacked[step][8 * tile_group_bytes<F>];
    const std::size_t runs = runs_of(cols), tiles = count / wide_tile + 1;
    for (std::size_t r = 0; r < rows; r += panel::rows) {
        const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
        for (std::size_t first = 0; first < runs; first += step) {
            const std::size_t here = runs - first < step ? runs - first : step;
            for (std::size_t i = 0; i < here; ++i, panels += size) {
                for (std::size_t half = 0; half < 2; ++half) unpack_half<F>(panels, half, unpacked[i] + 32 * half);
            }
            // What comes next is fetched little by little: who waits for many lines at once waits long.
            const std::byte* ahead = panels;
            const auto fetch = [&](std::size_t) NIBBLE_LAMBDA_INLINE {
                const std::byte* end = ahead + divide_up(step * size, tiles);
                for (; ahead < end; ahead += 64) _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
            };
            multiply_panel<F>(unpacked[0], some, first, here, cols, workspace, count, y + r, stride, fetch);
        }
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
