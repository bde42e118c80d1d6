// Products with packed rows, with AVX-512.
#pragma once

#include "nibble/kernel/avx2/gemv.hpp"
#include "nibble/kernel/avx512/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

namespace avx512 {
/// A single float row takes AVX2's way, in octets or in the order of the elements, where strips were measured not to be faster.
template <class F>
inline constexpr bool single_like_avx2 = !avx2::gives_strips<F> && (avx2::multiplies_octets<F> || F::parts == 1 || F::code_bits <= 2);
}  // namespace avx512

template <affine_format F>
struct kernel<op::linear, F, isa::avx512> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return as_avx2(count) ? avx2_entry.workspace(count, cols) : avx512::activation<F>::workspace(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (as_avx2(count)) avx2_entry.prepare(x, first, last, count, cols, out);
        else avx512::activation<F>::prepare(x, first, last, count, cols, out);
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if constexpr (avx512::single_like_avx2<F>) {  // AVX2's text, with the 32 registers of this region
            if (count == 1) return avx2::multiply_few<F>(packed, rows, cols, workspace, 1, y, stride);
        }
        if (count <= avx512::few) {
            avx512::multiply_few<F>(packed, rows, cols, workspace, count, y, stride);
            return;
        }
        constexpr std::size_t parts = F::parts;
        const std::size_t runs = avx512::runs_of(cols), row_stride = row_bytes<F>(cols);
        alignas(64) float sums[avx512::widest][panel::rows];
        for (std::size_t i = 0; i < count; i += avx512::width_for(count)) {
            const avx512::block all = avx512::block_at<parts>(workspace, i, count, cols);
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t here = rows - r < panel::rows ? rows - r : panel::rows;
                __builtin_memset(sums, 0, all.width * sizeof sums[0]);
                avx512::block x = all;
                for (std::size_t k = 0; k < runs; ++k) {
                    multiply_rows(packed + r * row_stride, here, cols, k, x, sums);
                    x = x.after(x.width);
                }
                avx512::store_sums(sums, x.width, here, y + i * stride + r, stride);
            }
        }
    }
    static constexpr op::linear::entry entry{&workspace, &prepare, &run};

private:
    static constexpr op::linear::entry avx2_entry = kernel<op::linear, F, isa::avx2>::entry;
    /// Adds the products of run k of 1 to 16 packed rows with all float rows of a block.
    NIBBLE_INLINE static void multiply_rows(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t k, const avx512::block& x,
                                            float (*sums)[panel::rows]) noexcept {
        if constexpr (avx512::stays_integer<F>) {
            if (x.wide()) {
                avx512::integer_run<F> unpacked;
                avx512::unpack<F>(packed, rows, cols, k, unpacked);
                avx512::multiply_integers(unpacked, x, sums);
                return;
            }
        }
        avx512::unpacked_run<avx512::factors_of<F>> unpacked;
        avx512::unpack<F>(packed, rows, cols, k, unpacked);
        const avx512::run_at_hand at_hand{unpacked.codes[0], panel::wide_code_bytes, unpacked.factors[0][0], avx512::factors_of<F> * panel::rows};
        if (x.wide()) avx512::multiply_tiles<F>(at_hand, x, sums);
        else avx512::multiply_unpacked<F::parts, avx512::adds_offsets<F>, avx512::has_powers<F>>(at_hand, x, sums);
    }
    NIBBLE_INLINE static bool as_avx2(std::size_t count) noexcept { return count == 1 && avx512::single_like_avx2<F>; }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
