// Quantize with search::best and AVX2: the formats' searches, eight blocks at once.
#pragma once

#include "nibble/kernel/avx2/dequantize.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/reference/quantize_best.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <has_best_search F>
struct kernel<op::quantize_best, F, isa::avx2> {
    static void run(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                    std::byte* out) noexcept {
        quantize_rows_best<F, isa::avx2, 8>(values, rows, cols, used, importance, out);
    }
    static constexpr op::quantize_best::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
