// Quantize with search::best at the reference level: the reference search first, then the formats' own, four blocks at once.
#pragma once

#include "nibble/format/best/encode.hpp"
#include "nibble/kernel/reference/quantize.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_BASELINE_BEGIN

/// The code that every level shares, as quantize_rows.
template <class F, isa Level, int Lanes>
NIBBLE_INLINE void quantize_rows_best(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                                      std::byte* out) noexcept {
    kernel<op::quantize, F, Level>::entry(values, rows, cols, importance, out);
    const std::size_t blocks_per_row = cols / F::block_size;
    improve_blocks<F, Lanes>(values, rows * blocks_per_row, blocks_per_row, used, importance, reinterpret_cast<typename F::block*>(out));
}

template <has_best_search F>
struct kernel<op::quantize_best, F, isa::reference> {
    static void run(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                    std::byte* out) noexcept {
        quantize_rows_best<F, isa::reference, 4>(values, rows, cols, used, importance, out);
    }
    static constexpr op::quantize_best::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_EXACT_END
