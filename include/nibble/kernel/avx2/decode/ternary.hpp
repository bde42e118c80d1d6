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
    static constexpr bool in_registers = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(broadcast_half(run + 64)); }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 64)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return stacked<2, Group>(run);
    }
};

template <class F>
struct layout_decoder<F, layout::trit_super_block> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 1;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(broadcast_half(run + 52)); }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run + 52)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        if constexpr (Group < 5) {
            return first_digit(shifted<Group>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(run))));
        } else if constexpr (Group < 7) {  // two digits of 16 bytes
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 32));
            constexpr int first = 2 * (Group - 5);
            return first_digit(_mm256_set_m128i(shifted<first + 1>(bytes), shifted<first>(bytes)));
        } else {  // the fifth of 16 bytes, and four of 4
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 32));
            std::uint32_t four;
            __builtin_memcpy(&four, run + 48, 4);
            const __m128i last = _mm_set1_epi32(static_cast<int>(four)), powers = _mm_setr_epi32(0x00010001, 0x00030003, 0x00090009, 0x001B001B);
            const __m128i low = _mm_and_si128(_mm_mullo_epi16(last, powers), _mm_set1_epi16(255));
            const __m128i high = _mm_mullo_epi16(_mm_andnot_si128(_mm_set1_epi16(255), last), powers);
            return first_digit(_mm256_set_m128i(_mm_or_si128(low, high), shifted<4>(bytes)));
        }
    }

private:
    /// Digit Count of each byte becomes the first: times 3^Count, without what overflows.
    template <int Count>
    NIBBLE_INLINE static __m256i shifted(__m256i bytes) noexcept {
        if constexpr (Count == 0) return bytes;
        else return shifted<Count - 1>(_mm256_add_epi8(_mm256_add_epi8(bytes, bytes), bytes));
    }
    template <int Count>
    NIBBLE_INLINE static __m128i shifted(__m128i bytes) noexcept {
        if constexpr (Count == 0) return bytes;
        else return shifted<Count - 1>(_mm_add_epi8(_mm_add_epi8(bytes, bytes), bytes));
    }
    /// byte * 3 / 256: one from 86 on, two from 171 on.
    NIBBLE_INLINE static __m256i first_digit(__m256i bytes) noexcept {
        const __m256i ordered = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
        const __m256i one = _mm256_cmpgt_epi8(ordered, _mm256_set1_epi8(85 - 128)), two = _mm256_cmpgt_epi8(ordered, _mm256_set1_epi8(170 - 128));
        return _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(one, two));
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
