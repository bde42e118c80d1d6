// One of few float rows in the form that the products of vnni/gemv.hpp read, run by run.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace vnni {

/// 256 quantized floats: a scale for each group of 32 codes of 8 bits, and the sums that pair with the weights' zero points or offsets.
template <std::size_t Parts>
struct activation_run {
    std::int8_t codes[avx2::run_size];  ///< in strips (avx2/decode/strips.hpp)
    float scales[8];                    ///< largest magnitude of a group / 127
    /// -zero * sum of the codes of a part, where an accumulator of integer products starts; for formats with offsets the bits of a float:
    /// scale * sum of the codes.
    std::int32_t sums[Parts][8];
};

/// Bytes of one row.
template <std::size_t Parts>
NIBBLE_INLINE constexpr std::size_t activation_bytes(std::size_t cols) noexcept {
    return avx2::runs_of(cols) * sizeof(activation_run<Parts>);
}

}  // namespace vnni
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
