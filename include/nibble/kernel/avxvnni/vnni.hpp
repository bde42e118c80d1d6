// The texts of kernel/vnni/ for the avxvnni level, and what they want of it. Decoders are AVX2's.
#pragma once

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/avx2/decode/strips.hpp"
#include "nibble/kernel/vnni/activation.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVXVNNI
NIBBLE_BASELINE_BEGIN
namespace avxvnni {

using avx2::decoder;
using vnni::activation_bytes;
using vnni::activation_run;

/// sum + the products of four unsigned with four signed bytes, in each lane. The VEX form of vpdpbusd: other processors have only the one
/// of AVX-512, which other intrinsics stand for.
NIBBLE_INLINE __m256i add_products(__m256i sum, __m256i with_unsigned, __m256i with_signed) noexcept {
    return _mm256_dpbusd_avx_epi32(sum, with_unsigned, with_signed);
}

}  // namespace avxvnni
NIBBLE_BASELINE_END
NIBBLE_TARGET_END

#define NIBBLE_LEVEL avxvnni
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVXVNNI
#include "nibble/kernel/vnni/gemv.hpp"
#include "nibble/kernel/vnni/quantized_run.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL
#endif
