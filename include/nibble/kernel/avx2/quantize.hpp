// Quantize with AVX2: the formats' searches, eight (sub-)blocks at once.
#pragma once

#include "nibble/kernel/reference/quantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <searched_format F>
struct kernel<op::quantize, F, isa::avx2> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        quantize_rows<F, 8, strands_of<F>>(values, rows, cols, importance, out);
    }
    static constexpr op::quantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
