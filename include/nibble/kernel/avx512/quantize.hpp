// Quantize with AVX-512: the formats' searches, sixteen (sub-)blocks at once. Clang only: GCC 12 keeps lane masks in vectors, which makes 16
// lanes slower than 8 with AVX2 (super-blocks of 4 bits 0.85x, of 6 bits 0.65x), and fails with an internal error in some searches; its programs inherit avx2's.
#pragma once

#include "nibble/kernel/reference/quantize.hpp"

#if defined(NIBBLE_X86) && defined(__clang__)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <searched_format F>
struct kernel<op::quantize, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        quantize_rows<F, 16, strands_of<F>>(values, rows, cols, importance, out);
    }
    static constexpr op::quantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
