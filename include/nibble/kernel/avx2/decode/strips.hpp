// Strips: the order in which products of single rows read a run. A register of a strip has bytes of four groups, four at a time:
//
//   v[j], j < 4         even groups: 0 2 0 2 | 4 6 4 6
//   v[j + 4]            odd groups:  1 3 1 3 | 5 7 5 7
//                       elements 8 j .. 8 j + 3 in dwords 0, 1, 4 and 5, 8 j + 4 .. 8 j + 7 in the others
//
// So products of four registers add up without a shuffle, and one exchange of halves at the end gives every group a lane of its own:
// no scale is broadcast, and nothing is summed across lanes before the end of a row. Eight groups become strips with 16 shuffles; a decoder
// that has a shorter way says so with strips(run, v). Strips of codes of 8 bits are signed: the codes minus 128.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
concept gives_strips = requires(const std::byte* run, __m256i (&v)[8]) { decoder<F>::strips(run, v); };

/// Strips of four groups, all even or all odd.
NIBBLE_INLINE void make_strips(__m256i a, __m256i b, __m256i c, __m256i d, __m256i* v) noexcept {
    const __m256i ab[2] = {_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)};
    const __m256i cd[2] = {_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)};
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        v[i] = _mm256_permute2x128_si256(ab[i], cd[i], 0x20);
        v[i + 2] = _mm256_permute2x128_si256(ab[i], cd[i], 0x31);
    }
}

/// The strips of a run.
template <class F>
NIBBLE_INLINE void load_strips(const std::byte* run, __m256i (&v)[8]) noexcept {
    if constexpr (gives_strips<F>) {
        decoder<F>::strips(run, v);
    } else {
        const auto half = [&]<int Odd>() NIBBLE_LAMBDA_INLINE {
            make_strips(decoder<F>::template codes<Odd>(run), decoder<F>::template codes<Odd + 2>(run), decoder<F>::template codes<Odd + 4>(run),
                        decoder<F>::template codes<Odd + 6>(run), v + 4 * Odd);
        };
        half.template operator()<0>();
        half.template operator()<1>();
        if constexpr (F::code_bits == 8) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; ++j) v[j] = _mm256_xor_si256(v[j], _mm256_set1_epi8(-128));
        }
    }
}

/// Where dword `lane` of register j comes from.
struct strip_source {
    std::size_t group, dword;
};
NIBBLE_INLINE constexpr strip_source strip_at(std::size_t j, std::size_t lane) noexcept {
    return {lane / 4 * 4 + lane % 2 * 2 + j / 4, j % 4 * 2 + lane % 4 / 2};
}

/// One lane for each group from sums over even and over odd groups, of 16 or 32 bits.
template <int Bits>
NIBBLE_INLINE __m256i join_strips(__m256i even, __m256i odd) noexcept {
    const __m256i first = _mm256_unpacklo_epi32(even, odd), second = _mm256_unpackhi_epi32(even, odd);
    return Bits == 16 ? _mm256_add_epi16(first, second) : _mm256_add_epi32(first, second);
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
