// Super-blocks times a single float row, as integers for a run: activations have one scale for 256 columns, as in their companion q8_k, and
// sub-scales are what 16-bit sums are widened with. Only the block's own scale is a float.
#pragma once

#include "nibble/kernel/avx2/single/octets.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// A run with one scale, and the sums of sixteen codes each.
template <std::size_t Parts>
struct whole_run : octet_run<Parts> {
    std::int16_t half_sums[16];
};

/// Registers are groups, in the order of the elements.
struct whole_order : octet_order {
    template <std::size_t Parts>
    using activations = whole_run<Parts>;
    static constexpr bool one_scale = true;
    static constexpr octet_source octet_at(std::size_t j, std::size_t lane) noexcept { return {j, lane}; }
    /// Which sixteen elements have their sum in a lane.
    static constexpr std::size_t half_at(std::size_t lane) noexcept { return lane; }
};

/// Registers 2 k and 2 k + 1 are groups k and k + 4 in turns, octets 0 and 2 of each and then 1 and 3, so that both registers together have
/// a sub-block of 16 in each lane of 64 bits.
struct paired_order : whole_order {
    static constexpr octet_source octet_at(std::size_t j, std::size_t lane) noexcept { return {j / 2 + lane % 2 * 4, j % 2 + lane / 2 * 2}; }
};

NIBBLE_INLINE __m256i load_half_sums(const auto& x) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.half_sums)); }

/// total + product * scale for all lanes.
NIBBLE_INLINE __m256 add_whole(__m256 total, __m256i product, __m256 scale) noexcept {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), scale, total);
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
