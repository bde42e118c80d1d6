// Decoders for AVX2: from the bytes of a layout to 32 unsigned codes in a register and the scales and offsets of a run of 256 elements.
// Dequantize, gemv and gemm are loops over any decoder; a layout that has none here is decoded by its format's scalar `affine`.
//
//   zero             value = scale * (code - zero) exactly as the format decodes; -1: value = scale * code + offset
//   scales(run, scale, offset)   8 * parts floats each, in the order of the elements
//   codes<Group>(run)            the 32 codes of group 0 .. 7
#pragma once

#include "nibble/base/target.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/format/layout.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Elements that decoders work on at once, whatever the block size: all block sizes divide it.
inline constexpr std::size_t run_size = 256;

/// Bytes of a run.
template <class F>
inline constexpr std::size_t run_bytes = run_size / F::block_size * sizeof(typename F::block);

/// The scalar way, for layouts without a decoder of their own.
template <class F>
struct scalar_decoder {
    static constexpr bool in_registers = false;

    static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        for (std::size_t g = 0; g < 8; ++g) {
            std::uint8_t codes[32];
            group(run, g, codes, scale + g * F::parts, offset + g * F::parts);
        }
    }
    template <int Group>
    static __m256i codes(const std::byte* run) noexcept {
        alignas(32) std::uint8_t codes[32];
        float scale[F::parts], offset[F::parts];
        group(run, Group, codes, scale, offset);
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(codes));
    }

private:
    static void group(const std::byte* run, std::size_t g, std::uint8_t (&codes)[32], float* scale, float* offset) noexcept {
        const auto* block = reinterpret_cast<const typename F::block*>(run) + g * 32 / F::block_size;
        float s[F::parts], o[F::parts];
        F::affine(*block, g * 32 % F::block_size / 32, codes, s, o);
        for (std::size_t part = 0; part < F::parts; ++part) {
            scale[part] = s[part];
            offset[part] = o[part];
        }
    }
};

template <class F, class Layout>
struct layout_decoder : scalar_decoder<F> {};

/// The decoder of a format.
template <class F>
struct decoder : layout_decoder<F, typename F::layout> {};

/// Eight fp16 scales that lie `Stride` bytes apart.
template <std::size_t Stride>
NIBBLE_INLINE __m256 load_halves(const std::byte* from) noexcept {
    const auto half = [from](std::size_t i) NIBBLE_LAMBDA_INLINE {
        std::uint16_t bits;
        __builtin_memcpy(&bits, from + i * Stride, sizeof bits);
        return static_cast<short>(bits);
    };
    return _mm256_cvtph_ps(_mm_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5), half(6), half(7)));
}

/// Low nibbles of 16 bytes, then their high nibbles.
NIBBLE_INLINE __m256i split_nibbles(const std::byte* from) noexcept {
    const __m128i pairs_u8x16 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs_u8x16), _mm_srli_epi16(pairs_u8x16, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Zero;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        const __m256 s = load_halves<sizeof(typename F::block)>(run);
        _mm256_storeu_ps(scale, s);
        _mm256_storeu_ps(offset, _mm256_mul_ps(s, _mm256_set1_ps(-static_cast<float>(Zero))));
    }
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

template <class F>
struct layout_decoder<F, layout::signed_bytes> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 128;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        const __m256 s = load_halves<sizeof(typename F::block)>(run);
        _mm256_storeu_ps(scale, s);
        _mm256_storeu_ps(offset, _mm256_mul_ps(s, _mm256_set1_ps(-128.0f)));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto* from = reinterpret_cast<const __m256i*>(run + Group * sizeof(typename F::block) + 2);
        return _mm256_xor_si256(_mm256_loadu_si256(from), _mm256_set1_epi8(-128));
    }
};

/// Eight bytes as floats.
NIBBLE_INLINE __m256 bytes_to_floats(std::uint32_t low, std::uint32_t high) noexcept {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(low | (static_cast<std::uint64_t>(high) << 32)));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

/// The eight 6-bit sub-scales and sub-offsets of a super-block, times its scale and minus its offset.
NIBBLE_INLINE void offset_super_block_scales(const std::byte* run, float* scale, float* offset) noexcept {
    std::uint32_t head, a, b, c;
    __builtin_memcpy(&head, run, 4);
    __builtin_memcpy(&a, run + 4, 4);
    __builtin_memcpy(&b, run + 8, 4);
    __builtin_memcpy(&c, run + 12, 4);
    const __m256 sub_scales = bytes_to_floats(a & 0x3F3F3F3Fu, (c & 0x0F0F0F0Fu) | ((a >> 2) & 0x30303030u));
    const __m256 sub_offsets = bytes_to_floats(b & 0x3F3F3F3Fu, ((c >> 4) & 0x0F0F0F0Fu) | ((b >> 2) & 0x30303030u));
    const __m128 halves = _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(head)));
    _mm256_storeu_ps(scale, _mm256_mul_ps(_mm256_broadcastss_ps(halves), sub_scales));
    const __m256 o = _mm256_mul_ps(_mm256_broadcastss_ps(_mm_movehdup_ps(halves)), sub_offsets);
    _mm256_storeu_ps(offset, _mm256_xor_ps(o, _mm256_set1_ps(-0.0f)));
}

template <class F>
struct layout_decoder<F, layout::offset_super_block<4>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = -1;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept { offset_super_block_scales(run, scale, offset); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 16 + Group / 2 * 32));
        return _mm256_and_si256(Group % 2 == 0 ? pairs : _mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(15));
    }
    /// See gemv_pairs.hpp. Both groups are in the same bytes: the upper half of the register shifts them down.
    template <int Pair>
    NIBBLE_INLINE static void pair_codes(const std::byte* run, __m256i& first, __m256i& second) noexcept {
        const auto* at = reinterpret_cast<const __m128i*>(run + 16 + 32 * Pair);
        const __m256i down = _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4), nibble = _mm256_set1_epi8(15);
        first = _mm256_and_si256(_mm256_srlv_epi32(_mm256_broadcastsi128_si256(_mm_loadu_si128(at)), down), nibble);
        second = _mm256_and_si256(_mm256_srlv_epi32(_mm256_broadcastsi128_si256(_mm_loadu_si128(at + 1)), down), nibble);
    }
};

template <class F>
struct layout_decoder<F, layout::six_bit_super_block> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 32;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        std::uint16_t bits;
        __builtin_memcpy(&bits, run + 208, 2);
        const __m256 s = _mm256_set1_ps(_cvtsh_ss(bits)), zero_point = _mm256_set1_ps(-32.0f);
        for (int half = 0; half < 2; ++half) {
            const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(run + 192 + 8 * half));
            const __m256 scaled = _mm256_mul_ps(s, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
            _mm256_storeu_ps(scale + 8 * half, scaled);
            _mm256_storeu_ps(offset + 8 * half, _mm256_mul_ps(scaled, zero_point));
        }
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        constexpr int half = Group / 4, quarter = Group % 4;
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 64 * half + 32 * (quarter % 2)));
        const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run + 128 + 32 * half));
        const __m256i low_codes = _mm256_and_si256(quarter < 2 ? low : _mm256_srli_epi16(low, 4), _mm256_set1_epi8(15));
        const __m256i moved = quarter == 0   ? _mm256_slli_epi16(high, 4)
                              : quarter == 1 ? _mm256_slli_epi16(high, 2)
                              : quarter == 2 ? high
                                             : _mm256_srli_epi16(high, 2);
        return _mm256_or_si256(low_codes, _mm256_and_si256(moved, _mm256_set1_epi8(48)));
    }
};

/// Calls fn.template operator()<Group>() for groups 0 .. 7, unrolled.
template <class Fn>
NIBBLE_INLINE void for_each_group(Fn&& fn) noexcept {
    fn.template operator()<0>();
    fn.template operator()<1>();
    fn.template operator()<2>();
    fn.template operator()<3>();
    fn.template operator()<4>();
    fn.template operator()<5>();
    fn.template operator()<6>();
    fn.template operator()<7>();
}

/// The `index`-th run of a row; the last one, if it is not whole, is completed with zeros in `padded`.
template <class F>
NIBBLE_INLINE const std::byte* run_at(const std::byte* row, std::size_t index, std::size_t cols, std::byte* padded) noexcept {
    const std::byte* run = row + index * run_bytes<F>;
    if constexpr (F::block_size == run_size) {
        return run;
    } else {
        if ((index + 1) * run_size <= cols) return run;
        const std::size_t left = row_bytes<F>(cols) - index * run_bytes<F>;
        __builtin_memset(padded, 0, run_bytes<F>);
        __builtin_memcpy(padded, run, left < run_bytes<F> ? left : run_bytes<F>);
        return padded;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
