// Nibbles that stand for one of sixteen levels: the table is a register, and the look-up a shuffle of bytes.
#pragma once

#include "nibble/base/float8.hpp"
#include "nibble/format/levels.hpp"
#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

namespace detail {
template <class Levels, int Less>
struct level_bytes {
    alignas(16) std::uint8_t values[16];

    consteval level_bytes() noexcept : values{} {
        for (int code = 0; code < 16; ++code) values[code] = static_cast<std::uint8_t>(level_byte<Levels>(code) - Less);
    }
};
template <class Levels, int Less>
inline constexpr level_bytes<Levels, Less> level_bytes_of{};
}  // namespace detail

/// Nibbles to unsigned levels, minus `Less`.
template <class Levels, int Less = 0>
NIBBLE_INLINE __m256i look_up(__m256i nibbles) noexcept {
    const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(detail::level_bytes_of<Levels, Less>.values));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
}
/// Nibbles in strips to levels in strips.
template <class Levels>
NIBBLE_INLINE void look_up_strips(__m256i (&v)[8]) noexcept {
    constexpr int less = Levels::zero == 128 ? 128 : 0;  // of 8 bits: signed
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) v[j] = look_up<Levels, less>(v[j]);
}
/// Strips of levels of groups in 16 bytes each, `Stride` bytes apart.
template <class Levels, std::size_t Stride>
NIBBLE_INLINE void load_level_strips(const std::byte* from, __m256i (&v)[8]) noexcept {
    __m256i bytes[4];
    interleave_pieces<Stride, 0>(from, bytes[0], bytes[1]);
    interleave_pieces<Stride, 1>(from, bytes[2], bytes[3]);
    split_strips(bytes, v);
    look_up_strips<Levels>(v);
}

template <class F, class Levels>
struct layout_decoder<F, layout::split_nibble_levels<Levels>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Levels::zero;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(load_halves<sizeof(typename F::block)>(run)); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return look_up<Levels>(split_nibbles(run + Group * sizeof(typename F::block) + 2));
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        load_level_strips<Levels, sizeof(typename F::block)>(run + 2, v);
    }
};

template <class F, class Levels>
struct layout_decoder<F, layout::nibble_levels_super_block<Levels>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Levels::zero;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        std::uint16_t high;
        std::uint32_t low;
        __builtin_memcpy(&high, run + 2, 2);
        __builtin_memcpy(&low, run + 4, 4);
        const __m256i nibbles = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(low)), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
        // The upper bits of sub-scale j to bits 4 and 5: 16 or more positions to the left, then back.
        const __m256i pairs = _mm256_srlv_epi32(_mm256_set1_epi32(high << 4), _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
        const __m256i sub_scales =
            _mm256_or_si256(_mm256_and_si256(nibbles, _mm256_set1_epi32(15)), _mm256_and_si256(pairs, _mm256_set1_epi32(48)));
        return centered<zero>(_mm256_mul_ps(broadcast_half(run), _mm256_cvtepi32_ps(_mm256_sub_epi32(sub_scales, _mm256_set1_epi32(32)))));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return look_up<Levels>(split_nibbles(run + 8 + 16 * Group));
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept { load_level_strips<Levels, 16>(run + 8, v); }
};

template <class F, class Levels>
struct layout_decoder<F, layout::nibble_levels_with_exponent<Levels>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Levels::zero;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        // Gathered in a general register, as in load_halves.
        const auto exponent = [run](std::size_t g) NIBBLE_LAMBDA_INLINE {
            return static_cast<std::uint64_t>(run[g * sizeof(typename F::block)]) << 8 * g;
        };
        const std::uint64_t low = exponent(0) | exponent(1) | exponent(2) | exponent(3), high = exponent(4) | exponent(5) | exponent(6) | exponent(7);
        __m256i e = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(low | high)));
        pin(e);
        // 2^(e - 128); the two smallest are subnormal.
        const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
        const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
        __m256i scale = _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e));
        // Exponents that the reference writes for blocks of tiny values, whose levels are all zero.
        const __m256i wrapped = _mm256_cmpgt_epi32(e, _mm256_set1_epi32(231));
        if (!_mm256_testz_si256(wrapped, wrapped)) scale = without_empty(run, scale);
        return centered<zero>(_mm256_castsi256_ps(scale));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return look_up<Levels>(split_nibbles(run + Group * sizeof(typename F::block) + 1));
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        load_level_strips<Levels, sizeof(typename F::block)>(run + 1, v);
    }

private:
    [[gnu::cold]] static __m256i without_empty(const std::byte* run, __m256i scale) noexcept {
        alignas(32) std::uint32_t bits[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(bits), scale);
        const __m256i none = _mm256_set1_epi8(zero);
        for (std::size_t g = 0; g < 8; ++g) {
            const __m256i levels = look_up<Levels>(split_nibbles(run + g * sizeof(typename F::block) + 1));
            if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(levels, none)) == -1) bits[g] = 0;
        }
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(bits));
    }
};

template <class F, class Levels>
struct layout_decoder<F, layout::nibble_levels_with_float8_scales<Levels>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Levels::zero;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        const auto four = [run](std::size_t block) NIBBLE_LAMBDA_INLINE {
            int scales;
            __builtin_memcpy(&scales, run + block * sizeof(typename F::block), 4);
            return scales;
        };
        const __m128i bytes = _mm_setr_epi32(four(0), four(1), four(2), four(3));
        const __m128i usable = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F)), _mm_and_si128(bytes, _mm_set1_epi8(0x7F)));
        // E4M3 is the upper half of binary16 but for a bias of 7 instead of 15; half of the scale is wanted. Odd bytes are second parts.
        const __m128i first = _mm_slli_epi16(_mm_and_si128(usable, _mm_set1_epi16(0xFF)), 7), second = _mm_slli_epi16(_mm_srli_epi16(usable, 8), 7);
        const __m256 factor = _mm256_set1_ps(128.0f);
        return centered<zero>(_mm256_mul_ps(_mm256_cvtph_ps(first), factor), _mm256_mul_ps(_mm256_cvtph_ps(second), factor));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const std::byte* from = run + Group / 2 * sizeof(typename F::block) + 4 + Group % 2 * 16;
        // Eight bytes hold a sub-block of 16: its low nibbles come first.
        const __m256i parts = _mm256_permute4x64_epi64(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), 0x50);
        const __m256i nibbles = _mm256_srlv_epi64(parts, _mm256_setr_epi64x(0, 4, 0, 4));
        return look_up<Levels>(_mm256_and_si256(nibbles, _mm256_set1_epi8(15)));
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        // Blocks have two groups: even ones are a block apart, and a sub-block has its first eight elements in the low nibbles.
        constexpr std::size_t half_block = sizeof(typename F::block) / 2;
        __m256i bytes[4];
        interleave_pieces<half_block, 0>(run + 4, bytes[0], bytes[1]);
        interleave_pieces<half_block, 0>(run + 20, bytes[2], bytes[3]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            v[2 * i] = _mm256_and_si256(bytes[i], _mm256_set1_epi8(15));
            v[2 * i + 1] = _mm256_and_si256(_mm256_srli_epi16(bytes[i], 4), _mm256_set1_epi8(15));
        }
        look_up_strips<Levels>(v);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
