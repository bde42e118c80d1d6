// The texts of kernel/vnni/ for the avx512 level, and what they want of it.
#pragma once

#include "nibble/kernel/avx512/decode.hpp"
#include "nibble/kernel/vnni/activation.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

using vnni::activation_bytes;
using vnni::activation_run;

/// sum + the products of four unsigned with four signed bytes, in each lane.
NIBBLE_INLINE __m256i add_products(__m256i sum, __m256i with_unsigned, __m256i with_signed) noexcept {
    return _mm256_dpbusd_epi32(sum, with_unsigned, with_signed);
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END

#define NIBBLE_LEVEL avx512
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVX512
#include "nibble/kernel/vnni/gemv.hpp"
#include "nibble/kernel/vnni/quantized_run.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL
#endif
