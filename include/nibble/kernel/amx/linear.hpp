// Products with packed rows, with AMX: many float rows. Fewer are AVX-512's.
#pragma once

#include "nibble/kernel/amx/panel.hpp"
#include "nibble/kernel/avx512/linear.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AMX
NIBBLE_BASELINE_BEGIN

template <affine_format F>
struct kernel<op::linear, F, isa::amx> {
    using float_rows = amx::float_rows<op::linear, F>;

    /// For amx::from float rows or more.
    template <class Tiles>
    static void run_with(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                         std::size_t stride) noexcept {
        amx::multiply<Tiles>(rows, cols, workspace, count, y, stride,
                             [=](std::size_t r, std::size_t here, std::size_t first, std::size_t runs, amx::strip& out) NIBBLE_LAMBDA_INLINE {
                                 amx::fill_from_rows<F>(packed + r * row_bytes<F>(cols), here, cols, first, runs, out);
                             });
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count < amx::from) float_rows::few.run(packed, rows, cols, workspace, count, y, stride);
        else run_with<amx::hardware_tiles>(packed, rows, cols, workspace, count, y, stride);
    }
    static constexpr op::linear::entry entry{&float_rows::workspace, &float_rows::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
