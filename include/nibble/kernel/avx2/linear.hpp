// Products with packed rows, with AVX2: few float rows go straight through the file order (gemv.hpp); many let panels be unpacked once,
// a stretch of columns at a time, so that the unpacking is shared (panel.hpp).
#pragma once

#include "nibble/kernel/avx2/gemv.hpp"
#include "nibble/kernel/avx2/gemv_pairs.hpp"
#include "nibble/kernel/avx2/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <affine_format F>
struct kernel<op::linear, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if constexpr (avx2::decodes_pairs<F>) {
            if (count == 1) {
                avx2::gemv_in_pairs<F>(packed, rows, cols, workspace, y);
                return;
            }
        }
        if (count < avx2::panel_threshold) {
            avx2::multiply_few<F>(packed, rows, cols, workspace, count, y, stride);
            return;
        }
        const std::size_t row_stride = row_bytes<F>(cols), padded_cols = avx2::groups_of(cols) * panel::group;
        alignas(64) std::byte scratch[panel::bytes(panel::rows, avx2::panel_cols, F::parts)];
        for (std::size_t c = 0; c < padded_cols; c += avx2::panel_cols) {
            const std::size_t here = padded_cols - c < avx2::panel_cols ? padded_cols - c : avx2::panel_cols;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                kernel<op::fill_panel, F, isa::avx2>::run(packed + r * row_stride, some, cols, c, c + here, scratch);
                avx2::multiply_panel<F>(scratch, some, c / panel::group, here / panel::group, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::linear::entry entry{&avx2::activation<F::parts>::workspace, &avx2::activation<F::parts>::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
