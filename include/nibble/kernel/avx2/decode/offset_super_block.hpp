// Super-blocks of eight sub-blocks that have a scale and an offset.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// The eight 6-bit sub-scales and sub-offsets of a super-block, times its scale and minus its offset.
NIBBLE_INLINE run_scales<1> offset_super_block_scales(const std::byte* run) noexcept {
    std::uint32_t a, b, c;
    __builtin_memcpy(&a, run + 4, 4);
    __builtin_memcpy(&b, run + 8, 4);
    __builtin_memcpy(&c, run + 12, 4);
    const __m256 sub_scales = bytes_to_floats(a & 0x3F3F3F3Fu, (c & 0x0F0F0F0Fu) | ((a >> 2) & 0x30303030u));
    const __m256 sub_offsets = bytes_to_floats(b & 0x3F3F3F3Fu, ((c >> 4) & 0x0F0F0F0Fu) | ((b >> 2) & 0x30303030u));
    const __m256 offset = _mm256_xor_ps(broadcast_half(run + 2), _mm256_set1_ps(-0.0f));
    return {{_mm256_mul_ps(broadcast_half(run), sub_scales)}, {_mm256_mul_ps(offset, sub_offsets)}};
}

template <class F>
struct layout_decoder<F, layout::offset_super_block<4>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = -1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return offset_super_block_scales(run); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 16 + Group / 2 * 32));
        return _mm256_and_si256(Group % 2 == 0 ? pairs : _mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(15));
    }
    /// Odd groups are in the high nibbles of the bytes of even ones, so that each byte feeds two lanes: a shift that only odd lanes make takes
    /// one nibble from each. Bytes in the order 4 5 6 7 0 1 2 3 give what is left, and the twist.
    static constexpr std::size_t twist = 1;
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        const __m256i down = _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4), nibble = _mm256_set1_epi8(15);
        const auto at = [run](int i) NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 16 + 16 * i)); };
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            const __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(at(half)), at(half + 4), 1);
            const __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(at(half + 2)), at(half + 6), 1);
            const __m256i bytes[2] = {_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)};
#pragma GCC unroll 2
            for (int q = 0; q < 2; ++q) {
                const __m256i turned = _mm256_shuffle_epi32(bytes[q], 0b10'11'00'01);
                v[4 * half + 2 * q] = _mm256_and_si256(_mm256_srlv_epi32(bytes[q], down), nibble);
                v[4 * half + 2 * q + 1] = _mm256_and_si256(_mm256_srlv_epi32(turned, down), nibble);
            }
        }
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
