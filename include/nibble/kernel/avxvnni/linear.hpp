// Products with packed rows and with panels, with AVX-VNNI.
#pragma once

#include "nibble/kernel/avx2/linear.hpp"
#include "nibble/kernel/avxvnni/tile.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVXVNNI
NIBBLE_BASELINE_BEGIN
namespace avxvnni {

/// A single float row waits for the weights, and AVX2's ways of meeting it were measured not to be slower; except for codes of 8 bits.
template <class F>
NIBBLE_INLINE constexpr bool as_avx2(std::size_t count) noexcept {
    return count == 1 && F::code_bits < 8;
}

/// Columns of a panel that are worked on at once: with a tile of activations they stay in the L1 cache.
inline constexpr std::size_t panel_cols = 2048;

}  // namespace avxvnni

template <affine_format F>
struct kernel<op::linear, F, isa::avxvnni> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return avxvnni::as_avx2<F>(count) ? inherited.workspace(count, cols) : avxvnni::activation<F>::workspace(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (avxvnni::as_avx2<F>(count)) inherited.prepare(x, first, last, count, cols, out);
        else avxvnni::activation<F>::prepare(x, first, last, count, cols, out);
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (avxvnni::as_avx2<F>(count)) return inherited.run(packed, rows, cols, workspace, count, y, stride);
        if (count <= avxvnni::few<F>) return avxvnni::multiply_few<F>(packed, rows, cols, workspace, count, y, stride);
        constexpr std::size_t step = avxvnni::panel_cols / avx2::run_size;
        alignas(64) std::byte unpacked[step][panel::wide_run_bytes<F>];
        const std::size_t runs = avx2::runs_of(cols);
        for (std::size_t first = 0; first < runs; first += step) {
            const std::size_t here = runs - first < step ? runs - first : step;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                for (std::size_t i = 0; i < here; ++i) {
                    kernel<op::fill_panel, F, isa::avx2>::widen(packed + r * row_bytes<F>(cols), some, cols, first + i, unpacked[i]);
                }
                avxvnni::multiply_panel<F>(unpacked[0], some, first, here, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::linear::entry entry{&workspace, &prepare, &run};

private:
    static constexpr op::linear::entry inherited = kernel<op::linear, F, isa::avx2>::entry;
};

/// AVX2's for a few float rows.
template <affine_format F>
struct kernel<op::panel_linear, F, isa::avxvnni> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return count <= few ? inherited.workspace(count, cols) : avxvnni::activation<F>::workspace_in_tiles(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (count <= few) inherited.prepare(x, first, last, count, cols, out);
        else avxvnni::activation<F>::prepare_in_tiles(x, first, last, count, cols, out);
    }
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count <= few) return inherited.run(panels, rows, cols, workspace, count, y, stride);
        avx2::for_each_stretch<F, avxvnni::panel_cols / avx2::run_size, panel::wide_run_bytes<F>>(
            panels, rows, cols, count, y, stride,
            [](const std::byte* from, std::byte* to) {
                for (std::size_t half = 0; half < 2; ++half) avx2::unpack_half<F, false>(from, half, to + 32 * half);
            },
            [&](const std::byte* unpacked, std::size_t here, std::size_t first, std::size_t runs, float* to, std::size_t apart, auto) {
                avxvnni::multiply_panel<F>(unpacked, here, first, runs, cols, workspace, count, to, apart);
            });
    }
    static constexpr op::panel_linear::entry entry{&workspace, &prepare, &run};

private:
    static constexpr op::panel_linear::entry inherited = kernel<op::panel_linear, F, isa::avx2>::entry;
    static constexpr std::size_t few = F::code_bits == 8 ? 2 : 4;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
