// Codes of one and two bits, and ternary digits.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
struct layout_decoder<F, layout::ternary_super_block> {
    static constexpr bool in_registers = true, one_scale = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(broadcast_half(run + 64)); }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 64)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return stacked<2, Group>(run);
    }
};

/// Bytes minus 128: compared as signed, and three times such a byte has its 128 at the same place.
NIBBLE_INLINE __m256i without_middle(__m256i bytes) noexcept { return _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)); }
NIBBLE_INLINE __m256i load_trits(const std::byte* from) noexcept {
    return without_middle(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
/// Digit Count of each byte becomes the first: times 3^Count, without what overflows.
template <int Count>
NIBBLE_INLINE __m256i shift_trits(__m256i bytes) noexcept {
    if constexpr (Count == 0) return bytes;
    else return shift_trits<Count - 1>(_mm256_add_epi8(_mm256_add_epi8(bytes, bytes), bytes));
}
/// The first digit minus one: the digit, byte * 3 / 256, is one from 86 on and two from 171 on.
NIBBLE_INLINE __m256i first_trit(__m256i bytes) noexcept {
    const __m256i none = _mm256_cmpgt_epi8(_mm256_set1_epi8(86 - 128), bytes), two = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(170 - 128));
    return _mm256_sub_epi8(none, two);
}
/// The four digits of the last four bytes of two runs, a half of the register each, as first ones.
NIBBLE_INLINE __m256i last_trits(const std::byte* run, const std::byte* other) noexcept {
    std::uint32_t low, high;
    __builtin_memcpy(&low, run + 48, 4);
    __builtin_memcpy(&high, other + 48, 4);
    const __m128i both = _mm_cvtsi64_si128(static_cast<long long>(low | (std::uint64_t{high} << 32)));
    const __m256i bytes =
        without_middle(_mm256_permutevar8x32_epi32(_mm256_castsi128_si256(both), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)));
    const __m256i powers = _mm256_broadcastsi128_si256(_mm_setr_epi32(0x00010001, 0x00030003, 0x00090009, 0x001B001B)), byte = _mm256_set1_epi16(255);
    return _mm256_or_si256(_mm256_and_si256(_mm256_mullo_epi16(bytes, powers), byte), _mm256_mullo_epi16(_mm256_andnot_si256(byte, bytes), powers));
}

template <class F>
struct layout_decoder<F, layout::trit_super_block> {
    static constexpr bool in_registers = true, one_scale = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(broadcast_half(run + 52)); }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 52)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return _mm256_sub_epi8(levels<Group>(run), _mm256_set1_epi8(-1));
    }

private:
    /// The codes of a group minus one.
    template <int Group>
    NIBBLE_INLINE static __m256i levels(const std::byte* run) noexcept {
        if constexpr (Group < 5) {
            return first_trit(shift_trits<Group>(load_trits(run)));
        } else {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 32));
            const __m256i same = without_middle(_mm256_broadcastsi128_si256(bytes)), two = _mm256_blend_epi32(same, shift_trits<1>(same), 0xF0);
            const __m256i at = shift_trits<2 * (Group - 5)>(two);
            if constexpr (Group < 7) return first_trit(at);  // two digits of 16 bytes
            else return first_trit(_mm256_blend_epi32(at, last_trits(run, run), 0xF0));  // the fifth of 16 bytes, and four of 4
        }
    }
};

template <class F>
struct layout_decoder<F, layout::sign_bits> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        return centered<zero>(_mm256_insertf128_ps(broadcast_half(run), _mm256_castps256_ps128(broadcast_half(run + sizeof(typename F::block))), 1));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        std::uint32_t bits;
        __builtin_memcpy(&bits, run + Group / 4 * sizeof(typename F::block) + 2 + Group % 4 * 4, 4);
        return _mm256_and_si256(mask_of_bits(bits), _mm256_set1_epi8(2));
    }
};

template <class F>
struct layout_decoder<F, layout::consecutive_pairs> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        const auto half = [run](std::size_t i) NIBBLE_LAMBDA_INLINE {
            std::uint16_t bits;
            __builtin_memcpy(&bits, run + i * sizeof(typename F::block), 2);
            return bits * 0x10001u;
        };
        const std::uint64_t low = half(0) | (std::uint64_t{half(1)} << 32), high = half(2) | (std::uint64_t{half(3)} << 32);
        return centered<zero>(_mm256_cvtph_ps(_mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low))));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto* from = reinterpret_cast<const __m128i*>(run + Group / 2 * sizeof(typename F::block) + 2 + Group % 2 * 8);
        // A byte and its copies moved up by 6, 12 and 18 bits have code k at the bottom of byte k.
        const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from)), two = _mm256_or_si256(bytes, _mm256_slli_epi32(bytes, 12));
        return _mm256_and_si256(_mm256_or_si256(two, _mm256_slli_epi32(two, 6)), _mm256_set1_epi8(3));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
