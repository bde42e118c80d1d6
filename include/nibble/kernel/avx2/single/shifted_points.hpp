// Points of -1, 0 and 1, shifted by an eighth up or down, times a single float row: the activations take the signs of the points, and the
// shifts meet sums of activations.
#pragma once

#include "nibble/format/codebook/layout.hpp"
#include "nibble/kernel/avx2/single/indices.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Activations times register J of points, 16 bits for two.
template <class Book, int J>
NIBBLE_INLINE __m256i multiply_ternary(const run_indices& indices, const auto& x) noexcept {
    const __m256i point = load_octet_points<Book, J>([&](int k) NIBBLE_LAMBDA_INLINE { return indices.values[k]; });
    return _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_sign_epi8(load_octets(x.codes, J), point));
}
/// Sums of registers First .. First + Count - 1: all products of a run fit in 16 bits.
template <class Book, int First, int Count>
NIBBLE_INLINE __m256i multiply_ternaries(const run_indices& indices, const auto& x) noexcept {
    __m256i sum = _mm256_add_epi16(multiply_ternary<Book, First>(indices, x), multiply_ternary<Book, First + 1>(indices, x));
    if constexpr (Count == 4) sum = _mm256_add_epi16(sum, multiply_ternaries<Book, First + 2, 2>(indices, x));
    return sum;
}

template <class F, class Book>
struct run_product<F, layout::shifted_points<Book>> : octet_order {
    using notes = run_indices;
    NIBBLE_INLINE static notes note(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        // Four times three upper bits in 16: to each of four indices, and to bits 8 to 10.
        const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block.high));
        const auto sixteen = [&](int half) NIBBLE_LAMBDA_INLINE {
            const long long group = 0x0100010001000100 + 0x0808080808080808 * half, next = 0x0202020202020202;
            const __m256i spread = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(high),
                                                       _mm256_setr_epi64x(group, group + next, group + 2 * next, group + 3 * next));
            // Multiplied and divided: by 256, 32 and 4, and the last by one half.
            const __m256i moved = _mm256_srli_epi16(_mm256_mullo_epi16(_mm256_and_si256(spread, _mm256_set1_epi64x(0x0E0001C000380007)),
                                                                       _mm256_set1_epi64x(0x0001000800400200)),
                                                    1);
            const __m256i low = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block.index) + half));
            return _mm256_or_si256(low, moved);
        };
        return run_indices::make(sixteen(0), sixteen(1));
    }
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes& indices, const auto& x) noexcept {
        const __m256i words = join_octets<16>(multiply_ternaries<Book, 0, 4>(indices, x), multiply_ternaries<Book, 4, 4>(indices, x));
        const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(widen(words)), _mm256_loadu_ps(x.scales));
        // The sums carry a factor of -16 for the zero of the codes; the top bit of each 16 turns a shift down.
        const __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block_of<F>(run).high)));
        const __m256 down = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_srli_epi32(high, 15), 31));
        const __m256 shift = _mm256_xor_ps(_mm256_set1_ps(-1.0f / decoder<F>::zero), down);
        const __m256 sum = _mm256_fmadd_ps(shift, _mm256_loadu_ps(x.sums[0]), _mm256_mul_ps(product, _mm256_set1_ps(8.0f)));
        return _mm256_fmadd_ps(sum, decoder<F>::scales(run).scale[0], total);
    }
};

template <class F, class Book>
struct run_product<F, layout::singly_shifted_points<Book>> : octet_order {
    /// With the sums of the codes of each octet, in the order of the elements.
    template <std::size_t Parts>
    struct activations : octet_run<Parts> {
        std::int16_t octet_sums[32];
    };

    struct notes : run_indices {};
    NIBBLE_INLINE static notes note(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const __m128i nibbles = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block.high));
        const auto sixteen = [&](int half) NIBBLE_LAMBDA_INLINE {
            const __m256i spread = spread_nibbles(nibbles, half);
            const __m256i low = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block.index) + half));
            return _mm256_or_si256(low, _mm256_and_si256(spread, _mm256_set1_epi16(0x700)));
        };
        return {run_indices::make(sixteen(0), sixteen(1))};
    }
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes& indices, const auto& x) noexcept {
        const auto scales = decoder<F>::scales(run);
        const __m256 step = _mm256_loadu_ps(x.scales), eight = _mm256_set1_ps(8.0f);
        const __m128i nibbles = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block_of<F>(run).high));
        // Sums of octets with the signs of their shifts; two octets are a part.
        const auto shifts = [&](int half) NIBBLE_LAMBDA_INLINE {
            const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.octet_sums) + half);
            const __m256i sign = _mm256_slli_epi16(spread_nibbles(nibbles, half), 4);
            return widen(_mm256_sign_epi16(sums, _mm256_or_si256(sign, _mm256_set1_epi16(1))));
        };
        const __m256 a = _mm256_castsi256_ps(shifts(0)), b = _mm256_castsi256_ps(shifts(1));
        const auto part = [&](__m256i words, __m256 shifted, int p) NIBBLE_LAMBDA_INLINE {
            const __m256 in_order = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(shifted), 0xD8));
            const __m256 sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(widen(words)), eight, _mm256_cvtepi32_ps(_mm256_castps_si256(in_order)));
            return _mm256_fmadd_ps(sum, _mm256_mul_ps(scales.scale[p], step), total);
        };
        total = part(join_octets<16>(multiply_ternaries<Book, 0, 2>(indices, x), multiply_ternaries<Book, 4, 2>(indices, x)),
                     _mm256_shuffle_ps(a, b, 0x88), 0);
        return part(join_octets<16>(multiply_ternaries<Book, 2, 2>(indices, x), multiply_ternaries<Book, 6, 2>(indices, x)),
                    _mm256_shuffle_ps(a, b, 0xDD), 1);
    }

private:
    /// Nibbles 16 half .. 16 half + 15 at bits 8 to 11 of 16 bits each; other bits are arbitrary.
    NIBBLE_INLINE static __m256i spread_nibbles(__m128i nibbles, int half) noexcept {
        const __m256i bytes = _mm256_cvtepu8_epi32(half == 0 ? nibbles : _mm_unpackhi_epi64(nibbles, nibbles));
        // Low nibbles at bits 8 to 11, high ones at bits 24 to 27.
        return _mm256_or_si256(_mm256_slli_epi32(bytes, 8), _mm256_slli_epi32(bytes, 20));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
