// Small pieces that decoders share.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Keeps a sum in its register and additions in the order as written: compilers like to turn the loops inside out, and then spill.
NIBBLE_INLINE void pin(__m256i& v) noexcept { __asm__("" : "+x"(v)); }
NIBBLE_INLINE void pin(__m256& v) noexcept { __asm__("" : "+x"(v)); }
/// Keeps an address that was chosen: Clang 14 otherwise chooses again at every use.
template <class T>
NIBBLE_INLINE void pin(T*& address) noexcept {
    __asm__("" : "+r"(address));
}
/// No load moves across.
NIBBLE_INLINE void fence() noexcept { __asm__ volatile("" : : : "memory"); }

/// Sum of four floats, of eight.
NIBBLE_INLINE float sum_of(__m128 v) noexcept {
    const __m128 s = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
NIBBLE_INLINE float sum_of(__m256 v) noexcept { return sum_of(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1))); }

/// Eight fp16 numbers that lie `Stride` bytes apart, as floats. They are gathered in general registers, which have nothing else to do.
template <std::size_t Stride>
NIBBLE_INLINE __m256 load_halves(const std::byte* from) noexcept {
    const auto two = [from](std::size_t i) NIBBLE_LAMBDA_INLINE {
        std::uint16_t first;
        std::uint32_t second;  // in its upper half
        __builtin_memcpy(&first, from + i * Stride, sizeof first);
        __builtin_memcpy(&second, from + (i + 1) * Stride - 2, sizeof second);
        return std::uint64_t{(second & 0xFFFF0000u) | first};
    };
    const std::uint64_t low = two(0) | (two(2) << 32), high = two(4) | (two(6) << 32);
    return _mm256_cvtph_ps(_mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
}

/// The same with an fp16 offset behind each.
template <std::size_t Stride>
NIBBLE_INLINE run_scales<1> load_scales_and_offsets(const std::byte* from) noexcept {
    return {{load_halves<Stride>(from)}, {load_halves<Stride>(from + 2)}};
}

/// One fp16 number in the lowest lane. What Clang does not see it cannot improve: Clang 14 puts the two bytes on the stack, from which it loads
/// eight, and waits for them. GCC orders the code less well around an asm.
NIBBLE_INLINE __m128 convert_half(const std::byte* from) noexcept {
    std::uint16_t bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    __m128i half = _mm_cvtsi32_si128(bits);
#if defined(__clang__)
    __asm__("" : "+x"(half));
#endif
    return _mm_cvtph_ps(half);
}
/// One fp16 number.
NIBBLE_INLINE float load_half(const std::byte* from) noexcept { return _mm_cvtss_f32(convert_half(from)); }
/// One fp16 number in all lanes.
NIBBLE_INLINE __m256 broadcast_half(const std::byte* from) noexcept { return _mm256_broadcastss_ps(convert_half(from)); }

/// Low nibbles of 16 bytes, then their high nibbles.
NIBBLE_INLINE __m256i split_nibbles(const std::byte* from) noexcept {
    const __m128i pairs_u8x16 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs_u8x16), _mm_srli_epi16(pairs_u8x16, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/// From pieces of 16 bytes at `from`, First and First + 2 in the lower half, First + 4 and First + 6 in the upper one: their dwords in turn, as
/// strips have them (strips.hpp).
template <std::size_t Stride, std::size_t First>
NIBBLE_INLINE void interleave_pieces(const std::byte* from, __m256i& low, __m256i& high) noexcept {
    const auto at = [from](std::size_t i) NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * Stride)); };
    const __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(at(First)), at(First + 4), 1);
    const __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(at(First + 2)), at(First + 6), 1);
    low = _mm256_unpacklo_epi32(a, b);
    high = _mm256_unpackhi_epi32(a, b);
}

/// -1 in the bytes whose bit is set.
NIBBLE_INLINE __m256i mask_of_bits(std::uint32_t bits) noexcept {
    const __m256i place = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
    __m256i all = _mm256_set1_epi32(static_cast<int>(bits));
    pin(all);  // Clang would shorten it to the bytes that the shuffle takes, and then move halves
    const __m256i spread = _mm256_shuffle_epi8(all, place);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

/// The codes of a group in bytes that hold 8 / Bits groups each, the first in the lowest bits.
template <int Bits, int Group>
NIBBLE_INLINE __m256i stacked(const std::byte* from) noexcept {
    constexpr int together = 8 / Bits, at = Group % together * Bits;
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32 * (Group / together)));
    return _mm256_and_si256(at == 0 ? bytes : _mm256_srli_epi16(bytes, at), _mm256_set1_epi8((1 << Bits) - 1));
}
/// Bit Group of 32 bytes, moved to bit To.
template <int Group, int To>
NIBBLE_INLINE __m256i stacked_bit(const std::byte* from) noexcept {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i moved = Group < To   ? _mm256_slli_epi16(bytes, Group < To ? To - Group : 0)
                          : Group > To ? _mm256_srli_epi16(bytes, Group > To ? Group - To : 0)
                                       : bytes;
    return _mm256_and_si256(moved, _mm256_set1_epi8(1 << To));
}

/// Strips of blocks of 16 bytes whose high nibbles are the second half: low and high nibbles of even and odd blocks' bytes.
NIBBLE_INLINE void split_strips(const __m256i (&bytes)[4], __m256i (&v)[8]) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const int at = i / 2 * 4 + i % 2;
        v[at] = _mm256_and_si256(bytes[i], nibble);
        v[at + 2] = _mm256_and_si256(_mm256_srli_epi16(bytes[i], 4), nibble);
    }
}

/// The eight low bytes as floats.
NIBBLE_INLINE __m256 bytes_to_floats(__m128i bytes) noexcept { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)); }
/// Bytes 0, 2, 4 and on, then 1, 3, 5 and on.
NIBBLE_INLINE __m128i even_bytes_first(__m128i bytes) noexcept {
    return _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
}
/// Eight bytes as floats.
NIBBLE_INLINE __m256 bytes_to_floats(std::uint32_t low, std::uint32_t high) noexcept {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(low | (static_cast<std::uint64_t>(high) << 32)));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
