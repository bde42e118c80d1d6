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

/// Float rows from which on panels are worth reading: they take more bytes than packed rows, most of which are decoded faster.
template <class F>
inline constexpr std::size_t panels_from = !avx2::gives_strips<F> && F::parts == 1 && F::code_bits > 4 ? few<F> + 1 : 48;

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
        alignas(64) std::byte unpacked[panel::bytes(panel::rows, avxvnni::panel_cols, F::parts)];
        const std::size_t end = avx2::runs_of(cols) * avx2::run_size;
        for (std::size_t first = 0; first < end; first += avxvnni::panel_cols) {
            const std::size_t last = end - first < avxvnni::panel_cols ? end : first + avxvnni::panel_cols;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                kernel<op::fill_panel, F, isa::avx2>::run(packed + r * row_bytes<F>(cols), some, cols, first, last, unpacked);
                avxvnni::multiply_panel<F>(unpacked, some, first / avx2::run_size, (last - first) / avx2::run_size, cols, workspace, count, y + r,
                                           stride);
            }
        }
    }
    static constexpr op::linear::entry entry{&workspace, &prepare, &run};

private:
    static constexpr op::linear::entry inherited = kernel<op::linear, F, isa::avx2>::entry;
};

template <affine_format F>
struct kernel<op::panel_linear, F, isa::avxvnni> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        constexpr std::size_t group_size = panel::group_bytes(F::parts), step = avxvnni::panel_cols / avx2::run_size;
        const std::size_t runs = avx2::runs_of(cols);
        for (std::size_t first = 0; first < runs; first += step) {
            const std::size_t here = runs - first < step ? runs - first : step;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                const std::byte* weights = panels + (r / panel::rows * runs + first) * 8 * group_size;
                avxvnni::multiply_panel<F>(weights, some, first, here, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&run, avxvnni::panels_from<F>};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
