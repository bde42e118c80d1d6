// What becomes of 256 floats that were quantized for products with vpdpbusd: their strips and sums.
//
// A text without #pragma once, as vnni/gemv.hpp.
#if defined(NIBBLE_LEVEL)
NIBBLE_TARGET_BEGIN_LEVEL
NIBBLE_BASELINE_BEGIN
namespace NIBBLE_LEVEL {

/// 256 quantized floats.
template <std::size_t Parts>
struct quantized_run {
    __m256i codes[8];     ///< of each group, in the order of the elements
    __m256i strips[8];    ///< the same in strips
    __m256 scales;        ///< lane g: of group g
    __m256i sums[Parts];  ///< of the codes of a part, as many lanes
};

/// Strips and sums from codes.
template <std::size_t Parts>
NIBBLE_INLINE void add_strips(quantized_run<Parts>& run) noexcept {
    const auto& c = run.codes;
    avx2::make_strips(c[0], c[2], c[4], c[6], run.strips);
    avx2::make_strips(c[1], c[3], c[5], c[7], run.strips + 4);
    constexpr int count = 4 / static_cast<int>(Parts);
#pragma GCC unroll 2
    for (int p = 0; p < static_cast<int>(Parts); ++p) {
        __m256i even = _mm256_setzero_si256(), odd = even;
#pragma GCC unroll 4
        for (int j = p * count; j < (p + 1) * count; ++j) {
            even = add_products(even, _mm256_set1_epi8(1), run.strips[j]);
            odd = add_products(odd, _mm256_set1_epi8(1), run.strips[j + 4]);
        }
        run.sums[p] = avx2::join_strips<32>(even, odd);
    }
}

/// What the sum of a part is kept as (vnni/activation.hpp).
template <class F>
NIBBLE_INLINE __m256i paired(__m256i sum, __m256 scales) noexcept {
    constexpr int zero = decoder<F>::zero;
    if constexpr (zero < 0) return _mm256_castps_si256(_mm256_mul_ps(scales, _mm256_cvtepi32_ps(sum)));
    else return _mm256_mullo_epi32(sum, _mm256_set1_epi32(-zero));
}

template <class F>
NIBBLE_INLINE void keep(const quantized_run<F::parts>& run, activation_run<F::parts>& to) noexcept {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.codes + 32 * j), run.strips[j]);
    _mm256_storeu_ps(to.scales, run.scales);
#pragma GCC unroll 2
    for (std::size_t p = 0; p < F::parts; ++p) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.sums[p]), paired<F>(run.sums[p], run.scales));
}

}  // namespace NIBBLE_LEVEL
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
