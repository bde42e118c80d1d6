// Decoders for AVX-512. AVX2's (kernel/avx2/decode.hpp) serve this level too: they vanish into its kernels.
#pragma once

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/avx2/decode/strips.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

using avx2::run_bytes;
using avx2::run_size;
using avx2::runs_of;

template <class F, class Layout>
struct layout_decoder : avx2::decoder<F> {};

/// The decoder of a format: AVX2's unless there is a better one here.
template <class F>
struct decoder : layout_decoder<F, typename F::layout> {};

/// Eight fp16 numbers that lie `Stride` bytes apart, as floats: two loads of 64 bytes hold four each.
template <std::size_t Stride>
NIBBLE_INLINE __m256 load_halves(const std::byte* from) noexcept {
    static_assert(Stride % 2 == 0 && 3 * Stride + 2 <= 64);
    constexpr short s = Stride / 2;
    // Clang 14 would take the decoder's smaller loads of the same bytes out of these registers, 64 bits at a time.
    __asm__("" : "+r"(from));
    const __m512i first = _mm512_loadu_si512(from), second = _mm512_loadu_si512(from + 4 * Stride);
    const __m256i at = _mm256_setr_epi16(0, s, 2 * s, 3 * s, 32, 32 + s, 32 + 2 * s, 32 + 3 * s, 0, 0, 0, 0, 0, 0, 0, 0);
    return _mm256_cvtph_ps(_mm512_castsi512_si128(_mm512_permutex2var_epi16(first, _mm512_castsi256_si512(at), second)));
}

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> : avx2::decoder<F> {
    NIBBLE_INLINE static auto scales(const std::byte* run) noexcept { return avx2::centered<Zero>(load_halves<sizeof(typename F::block)>(run)); }
};

/// Calls fn.template operator()<I>() for the eight groups of a run or quads of a group. AVX2's cannot: its region may not inline code of this one.
template <class Fn>
NIBBLE_INLINE void for_each_of_eight(Fn&& fn) noexcept {
    fn.template operator()<0>();
    fn.template operator()<1>();
    fn.template operator()<2>();
    fn.template operator()<3>();
    fn.template operator()<4>();
    fn.template operator()<5>();
    fn.template operator()<6>();
    fn.template operator()<7>();
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
