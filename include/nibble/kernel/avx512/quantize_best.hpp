// Quantize with search::best and AVX-512: the formats' searches, sixteen blocks at once. Not with every compiler and flag: see quantize.hpp.
#pragma once

#include "nibble/kernel/avx512/quantize.hpp"
#include "nibble/kernel/reference/quantize_best.hpp"

#if defined(NIBBLE_X86) && (defined(__clang__) ? !defined(__FAST_MATH__) : defined(__OPTIMIZE__))
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

template <has_best_search F>
struct kernel<op::quantize_best, F, isa::avx512> {
    static void run(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                    std::byte* out) noexcept {
        quantize_rows_best<F, isa::avx512, wide_lanes{16}>(values, rows, cols, used, importance, out);
    }
    static constexpr op::quantize_best::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
