// Blocks of 32 with nibbles, some with a fifth bit beside them.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// What these layouts share: nibbles At bytes behind the start of a block, Fifth >= 0: fifth bits of the 32 codes there.
template <class F, std::size_t At, int Fifth = -1>
struct small_block_codes {
    static constexpr bool in_registers = true;
    static constexpr std::size_t block = sizeof(typename F::block);

    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const __m256i nibbles = split_nibbles(run + Group * block + At);
        if constexpr (Fifth < 0) {
            return nibbles;
        } else {
            return _mm256_or_si256(nibbles, _mm256_and_si256(mask_of_bits(fifth(run, Group)), _mm256_set1_epi8(16)));
        }
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        __m256i bytes[4];
        interleave_pieces<block, 0>(run + At, bytes[0], bytes[1]);
        interleave_pieces<block, 1>(run + At, bytes[2], bytes[3]);
        split_strips(bytes, v);
        if constexpr (Fifth >= 0) {
            add_fifth_bits<0>(run, v);
            add_fifth_bits<1>(run, v);
        }
    }

private:
    NIBBLE_INLINE static std::uint32_t fifth(const std::byte* run, std::size_t g) noexcept {
        std::uint32_t bits;
        __builtin_memcpy(&bits, run + g * block + static_cast<std::size_t>(Fifth), 4);
        return bits;
    }
    /// Registers of even or odd groups: register j has bits 8 j .. 8 j + 7, the lower four in its first two dwords.
    template <std::size_t Odd>
    NIBBLE_INLINE static void add_fifth_bits(const std::byte* run, __m256i (&v)[8]) noexcept {
        const auto two = [run](std::size_t g) NIBBLE_LAMBDA_INLINE {
            return static_cast<long long>(fifth(run, g) | (std::uint64_t{fifth(run, g + 2)} << 32));
        };
        const __m256i bits = _mm256_set_epi64x(0, two(4 + Odd), 0, two(Odd));
        const __m256i place = _mm256_set1_epi64x(static_cast<long long>(0x0804020108040201u));
        const __m256i mask = _mm256_blend_epi32(place, _mm256_slli_epi32(place, 4), 0b11001100);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            const auto at = static_cast<char>(j);
            const auto next = static_cast<char>(j + 4);
            const __m256i order = _mm256_setr_epi8(at, at, at, at, next, next, next, next, at, at, at, at, next, next, next, next,  //
                                                   at, at, at, at, next, next, next, next, at, at, at, at, next, next, next, next);
            const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(bits, order), mask), mask);
            const std::size_t to = 4 * Odd + static_cast<std::size_t>(j);
            v[to] = _mm256_or_si256(v[to], _mm256_and_si256(set, _mm256_set1_epi8(16)));
        }
    }
};

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> : small_block_codes<F, 2> {
    static constexpr int zero = Zero;
    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<Zero>(load_halves<sizeof(typename F::block)>(run)); }
};

template <class F>
struct layout_decoder<F, layout::split_nibbles_with_offset> : small_block_codes<F, 4> {
    static constexpr int zero = -1;
    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return load_scales_and_offsets<sizeof(typename F::block)>(run); }
};

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles_and_bits<Zero>> : small_block_codes<F, 6, 2> {
    static constexpr int zero = Zero;
    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<Zero>(load_halves<sizeof(typename F::block)>(run)); }
};

template <class F>
struct layout_decoder<F, layout::split_nibbles_and_bits_with_offset> : small_block_codes<F, 8, 4> {
    static constexpr int zero = -1;
    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return load_scales_and_offsets<sizeof(typename F::block)>(run); }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
