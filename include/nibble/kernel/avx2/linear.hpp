// Products with packed rows, with AVX2: few float rows go straight through the file order (gemv.hpp); many let panels be unpacked once,
// a stretch of columns at a time, so that the unpacking is shared (panel.hpp).
#pragma once

#include "nibble/kernel/avx2/gemv.hpp"
#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avx2/panel_linear.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <affine_format F>
struct kernel<op::linear, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count < avx2::panel_threshold<F>) {
            avx2::multiply_few<F>(packed, rows, cols, workspace, count, y, stride);
            return;
        }
        avx2::unpacked_panel<F> unpacked;
        const std::size_t runs = avx2::runs_of(cols);
        for (std::size_t first = 0; first < runs; first += unpacked.runs) {
            const std::size_t here = runs - first < unpacked.runs ? runs - first : unpacked.runs;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                unpacked.fill(packed + r * row_bytes<F>(cols), some, cols, first, here);
                const auto nothing = [](std::size_t) NIBBLE_LAMBDA_INLINE {};
                avx2::multiply_panel<F>(unpacked.memory[0], some, first, here, cols, workspace, count, y + r, stride, nothing);
            }
        }
    }
    static constexpr op::linear::entry entry{&avx2::activation<F>::workspace, &avx2::activation<F>::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
