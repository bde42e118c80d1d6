// Strips: the order of a run that products of single rows compute in. Lane g of register j holds elements 4 j .. 4 j + 3 of group g, so that
// products of all registers add up to one sum a lane, and a lane is a group with one scale: no scale is broadcast, nothing is summed
// across lanes before the end of a row.
//
// A decoder may give strips itself:
//   strips(run, v)     instead of eight codes<Group>
//   twist              1: in odd lanes registers 2 i and 2 i + 1 are exchanged (default 0)
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Transposes eight vectors of eight 32-bit elements.
NIBBLE_INLINE void transpose(__m256i (&v)[8]) noexcept {
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

template <class Decoder>
concept gives_strips = requires(const std::byte* run, __m256i (&v)[8]) { Decoder::strips(run, v); };

/// The strips of a run.
template <class F>
NIBBLE_INLINE void load_strips(const std::byte* run, __m256i (&v)[8]) noexcept {
    if constexpr (gives_strips<decoder<F>>) {
        decoder<F>::strips(run, v);
    } else {
        for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE { v[Group] = decoder<F>::template codes<Group>(run); });
        transpose(v);
    }
}

/// Which four elements of its group lane `lane` of register j holds.
template <class F>
NIBBLE_INLINE constexpr std::size_t strip_at(std::size_t j, std::size_t lane) noexcept {
    if constexpr (requires { decoder<F>::twist; }) {
        return j ^ (lane & decoder<F>::twist);
    } else {
        return j;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
