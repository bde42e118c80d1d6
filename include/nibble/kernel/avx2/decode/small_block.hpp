// Blocks of 32 with nibbles.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Zero;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<Zero>(load_halves<sizeof(typename F::block)>(run)); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return split_nibbles(run + Group * sizeof(typename F::block) + 2);
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        __m256i bytes[4];
        load_strips_of_16<sizeof(typename F::block)>(run + 2, bytes);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            v[j] = _mm256_and_si256(bytes[j], _mm256_set1_epi8(15));
            v[j + 4] = _mm256_and_si256(_mm256_srli_epi16(bytes[j], 4), _mm256_set1_epi8(15));
        }
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
