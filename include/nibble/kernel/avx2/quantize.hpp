// Quantize with AVX2: the formats' searches, eight (sub-)blocks at once.
#pragma once

#include "nibble/kernel/reference/quantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// The end of what op::quantize_checked encodes, block by block.
/// @param most  magnitudes of what came before, as bits
/// @return false if a magnitude there or among `most` is beyond `limit`
template <searched_format F>
NIBBLE_INLINE bool encode_rest(const float* values, std::size_t blocks, __m256i most, std::uint32_t limit, typename F::block* out) noexcept {
    const std::uint32_t rest = internal::encode_one_by_one<F>(values, blocks, out);
    const __m256i large = _mm256_cmpgt_epi32(most, _mm256_set1_epi32(static_cast<int>(limit)));
    return _mm256_testz_si256(large, large) != 0 && rest <= limit;
}

}  // namespace avx2

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
