// Sums of products in the order of the elements, group by group: formed after the multiplication by exchanges of halves, in 16 bits as long as
// they fit.
#pragma once

#include "nibble/kernel/avx2/single/octets.hpp"
#include "nibble/kernel/avx2/tiled_activation.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// a + b, of 16 or 32 bits.
template <int Bits>
NIBBLE_INLINE __m256i add(__m256i a, __m256i b) noexcept {
    return Bits == 16 ? _mm256_add_epi16(a, b) : _mm256_add_epi32(a, b);
}

/// sums[p]: of part p of all groups of a run, a lane each.
/// @tparam Fit     how many products fit in 16 bits together (fit_in_words); 0: `product` gives sums of 32 bits
/// @param product  product.template operator()<Group>(): sixteen sums of the products of two neighbours, or eight of four
template <int Fit, std::size_t Parts, class Product>
NIBBLE_INLINE void sum_groups(Product&& product, __m256i (&sums)[Parts]) noexcept {
    constexpr int at2 = Fit >= 2 ? 16 : 32, at4 = Fit >= 4 ? 16 : 32, at8 = Fit >= 8 ? 16 : 32;
    __m256i pairs[4];  // groups 2 i in the lower, 2 i + 1 in the upper halves of 128 bits
    const auto pair = [&]<int I>() NIBBLE_LAMBDA_INLINE {
        __m256i first = product.template operator()<2 * I>(), second = product.template operator()<2 * I + 1>();
        if constexpr (Fit == 1) first = widen(first), second = widen(second);
        pairs[I] = add<at2>(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
        if constexpr (at2 == 16 && at4 == 32) pairs[I] = widen(pairs[I]);
    };
    pair.template operator()<0>();
    pair.template operator()<1>();
    pair.template operator()<2>();
    pair.template operator()<3>();
    __m256i quads[2];  // a lane of 128 bits has one part of four groups
#pragma GCC unroll 2
    for (int q = 0; q < 2; ++q) {
        const __m256 first = _mm256_castsi256_ps(pairs[2 * q]), second = _mm256_castsi256_ps(pairs[2 * q + 1]);
        quads[q] = add<at4>(_mm256_castps_si256(_mm256_shuffle_ps(first, second, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0xDD)));
        if constexpr (at4 == 16 && (at8 == 32 || Parts == 2)) quads[q] = widen(quads[q]);
    }
    const __m256i low = _mm256_permute2x128_si256(quads[0], quads[1], 0x20), high = _mm256_permute2x128_si256(quads[0], quads[1], 0x31);
    if constexpr (Parts == 2) {
        sums[0] = low;
        sums[1] = high;
    } else {
        const __m256i all = add<at8>(low, high);
        sums[0] = at8 == 16 ? widen(all) : all;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
