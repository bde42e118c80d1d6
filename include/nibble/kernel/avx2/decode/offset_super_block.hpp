// Super-blocks whose sub-blocks have a scale and an offset.
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
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run), -load_half(run + 2)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return stacked<4, Group>(run + 16);
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        __m256i bytes[4];
        interleave_pieces<16, 0>(run + 16, bytes[0], bytes[1]);
        interleave_pieces<16, 1>(run + 16, bytes[2], bytes[3]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            v[i] = _mm256_and_si256(bytes[i], _mm256_set1_epi8(15));
            v[i + 4] = _mm256_and_si256(_mm256_srli_epi16(bytes[i], 4), _mm256_set1_epi8(15));
        }
    }
};

template <class F>
struct layout_decoder<F, layout::offset_super_block<5>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = -1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return offset_super_block_scales(run); }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run), -load_half(run + 2)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return _mm256_or_si256(stacked<4, Group>(run + 48), stacked_bit<Group, 4>(run + 16));
    }
};

/// Sixteen sub-blocks of 16: a byte has a sub-scale and a sub-offset of four bits each.
template <class F>
struct layout_decoder<F, layout::offset_super_block<2>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = -1;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        const __m128i both = even_bytes_first(_mm_loadu_si128(reinterpret_cast<const __m128i*>(run)));
        const __m128i low = _mm_and_si128(both, _mm_set1_epi8(15)), high = _mm_and_si128(_mm_srli_epi16(both, 4), _mm_set1_epi8(15));
        const __m256 scale = broadcast_half(run + 80), offset = _mm256_xor_ps(broadcast_half(run + 82), _mm256_set1_ps(-0.0f));
        return {{_mm256_mul_ps(scale, bytes_to_floats(low)), _mm256_mul_ps(scale, bytes_to_floats(_mm_unpackhi_epi64(low, low)))},
                {_mm256_mul_ps(offset, bytes_to_floats(high)), _mm256_mul_ps(offset, bytes_to_floats(_mm_unpackhi_epi64(high, high)))}};
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 80), -load_half(run + 82)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return stacked<2, Group>(run + 16);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
