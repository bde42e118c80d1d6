// Formats that AVX2 encodes faster than memory gives floats, or nearly: wider registers would only wait.
#pragma once

#include "nibble/kernel/avx2/quantize_e2m1.hpp"
#include "nibble/kernel/avx2/quantize_signs.hpp"
#include "nibble/kernel/avx2/quantize_ternary.hpp"
#include "nibble/kernel/avx512/quantize.hpp"

#if defined(NIBBLE_X86) && (defined(__clang__) || defined(__OPTIMIZE__))
NIBBLE_BASELINE_BEGIN

template <class F>
    requires avx2::ternary_blocks<F> || avx2::sign_blocks<F> || avx2::e2m1_blocks_of_32<F> || avx2::e2m1_blocks_of_16<F>
struct kernel<op::quantize, F, isa::avx512> : kernel<op::quantize, F, isa::avx2> {};

NIBBLE_BASELINE_END
#endif
