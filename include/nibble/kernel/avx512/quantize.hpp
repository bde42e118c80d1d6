// Quantize with AVX-512: the formats' searches, sixteen (sub-)blocks in a vector.
// Clang with -ffast-math takes AVX2's: it cannot compile exact comparisons of 512 bits ("do not know how to split this operator's operand").
// Code that GCC does not optimize inherits AVX2's: it would gain nothing, and take a quarter longer to compile.
#pragma once

#include "nibble/kernel/avx2/quantize.hpp"

#if defined(NIBBLE_X86) && (defined(__clang__) || defined(__OPTIMIZE__))
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <class F>
NIBBLE_INLINE void quantize_rows_avx512(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
#if defined(__clang__) && defined(__FAST_MATH__)
    kernel<op::quantize, F, isa::avx2>::entry(values, rows, cols, importance, out);
#else
    quantize_rows<F, wide_lanes{16}, strands_of<F>>(values, rows, cols, importance, out);
#endif
}

template <searched_format F>
struct kernel<op::quantize, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        quantize_rows_avx512<F>(values, rows, cols, importance, out);
    }
    static constexpr op::quantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
