// Products with packed rows, with AVX2: few float rows go straight through the file order (gemv.hpp); many let panels be unpacked once,
// a stretch of columns at a time, so that the unpacking is shared (panel.hpp).
#pragma once

#include "nibble/kernel/avx2/gemv.hpp"
#include "nibble/kernel/avx2/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <affine_format F>
struct kernel<op::linear, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count < avx2::panel_threshold) {
            avx2::multiply_few<F>(packed, rows, cols, workspace, count, y, stride);
            return;
        }
        constexpr std::size_t step = avx2::panel_cols<F>, step_groups = step / panel::group;
        const std::size_t row_stride = row_bytes<F>(cols), padded_cols = avx2::runs_of(cols) * avx2::run_size;
        alignas(64) std::byte scratch[panel::bytes(panel::rows, step, F::parts)];
        alignas(64) std::byte levels[avx2::needs_words<F> ? step_groups * avx2::tile_group_bytes<F> : 64];
        for (std::size_t c = 0; c < padded_cols; c += step) {
            const std::size_t here = padded_cols - c < step ? padded_cols - c : step;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                kernel<op::fill_panel, F, isa::avx2>::run(packed + r * row_stride, some, cols, c, c + here, scratch);
                const std::byte* weights = scratch;
                if constexpr (avx2::needs_words<F>) {
                    avx2::widen_panel<F>(scratch, here / panel::group, levels);
                    weights = levels;
                }
                avx2::multiply_panel<F>(weights, some, c / panel::group, here / panel::group, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::linear::entry entry{&avx2::activation<F>::workspace, &avx2::activation<F>::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
