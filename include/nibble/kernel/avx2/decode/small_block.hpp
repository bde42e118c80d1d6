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
    /// See gemv_pairs.hpp.
    template <int Pair>
    NIBBLE_INLINE static void pair_codes(const std::byte* run, __m256i& first, __m256i& second) noexcept {
        constexpr std::size_t block = sizeof(typename F::block);
        const auto* at = reinterpret_cast<const __m128i*>(run + 2 * Pair * block + 2);
        const auto* next = reinterpret_cast<const __m128i*>(run + (2 * Pair + 1) * block + 2);
        const __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(at)), _mm_loadu_si128(next), 1);
        first = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
        second = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
