// Codebook points of a run in octets.
#pragma once

#include "nibble/format/codebook/books.hpp"
#include "nibble/kernel/avx2/single/octets.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Indices of the 32 points of a run, in their order.
struct run_indices {
    alignas(32) std::uint16_t values[32];

    NIBBLE_INLINE static run_indices make(__m256i first, __m256i second) noexcept {
        run_indices indices;
        _mm256_store_si256(reinterpret_cast<__m256i*>(indices.values), first);
        _mm256_store_si256(reinterpret_cast<__m256i*>(indices.values + 16), second);
        return indices;
    }
};

/// The points of register J. `index(k)` is the index of point k of the run.
template <class Book, int J>
NIBBLE_INLINE __m256i load_octet_points(auto index) noexcept {
    const auto at = [&](int lane) NIBBLE_LAMBDA_INLINE {
        constexpr int first_group = J / 4 * 2, point = J % 4;
        return reinterpret_cast<const double*>(points<Book>.values[index(4 * (first_group + lane / 2 * 4 + lane % 2) + point)]);
    };
    const __m128d low = _mm_loadh_pd(_mm_load_sd(at(0)), at(1)), high = _mm_loadh_pd(_mm_load_sd(at(2)), at(3));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_castpd_si128(low)), _mm_castpd_si128(high), 1);
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
