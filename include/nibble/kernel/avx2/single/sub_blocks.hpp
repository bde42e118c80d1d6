// Super-blocks with a scale for sixteen elements each times a single float row.
#pragma once

#include "nibble/kernel/avx2/single/whole_runs.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// 32 bytes at `from`, and 32 that are `Distance` bytes behind: their octets in turns.
template <std::size_t Distance>
NIBBLE_INLINE void load_pair(const std::byte* from, __m256i& even, __m256i& odd) noexcept {
    const __m256i a = load_octets(from, 0), b = load_octets(from + Distance, 0);
    even = _mm256_unpacklo_epi64(a, b);
    odd = _mm256_unpackhi_epi64(a, b);
}

/// What sums over a pair of registers are multiplied with: in 16 bits, those of sixteen unsigned sub-scales that belong to groups k and k + 4.
NIBBLE_INLINE __m256i spread_over_pair(__m128i sub_scales, int k) noexcept {
    const auto at = [k](int group, int part) NIBBLE_LAMBDA_INLINE {
        return static_cast<long long>(0x8000800080008000u) + 0x0001000100010001ll * (2 * (k + group) + part);
    };
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(sub_scales), _mm256_setr_epi64x(at(0, 0), at(4, 0), at(0, 1), at(4, 1)));
}

/// Two bits, with sub-offsets: as with ternary levels, odd groups' codes are four times as large until the end.
template <class F>
struct run_product<F, layout::offset_super_block<2>> : paired_order {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const __m128i subs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run)), nibble = _mm_set1_epi8(15);
        const __m128i sub_scales = _mm_and_si128(subs, nibble), sub_offsets = _mm_and_si128(_mm_srli_epi16(subs, 4), nibble);
        __m256i even, odd;
        load_pair<32>(run + 16, even, odd);
        const __m256i even4 = _mm256_srli_epi16(even, 4), odd4 = _mm256_srli_epi16(odd, 4);
        const auto pair = [&](__m256i first, __m256i second, int mask, int k) NIBBLE_LAMBDA_INLINE {
            const __m256i kept = _mm256_set1_epi8(static_cast<char>(mask));
            const __m256i words = _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(first, kept), load_octets(x.codes, 2 * k)),
                                                   _mm256_maddubs_epi16(_mm256_and_si256(second, kept), load_octets(x.codes, 2 * k + 1)));
            return _mm256_madd_epi16(words, spread_over_pair(sub_scales, k));
        };
        const __m256i low = _mm256_add_epi32(pair(even, odd, 3, 0), pair(even4, odd4, 3, 2));
        const __m256i high = _mm256_add_epi32(pair(even, odd, 12, 1), pair(even4, odd4, 12, 3));
        const __m256i product = _mm256_add_epi32(low, _mm256_srai_epi32(high, 2));
        const __m256i offsets = _mm256_madd_epi16(_mm256_cvtepu8_epi16(sub_offsets), load_half_sums(x));
        const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(product), broadcast_half(run + 80));
        return _mm256_fmadd_ps(_mm256_fnmadd_ps(_mm256_cvtepi32_ps(offsets), broadcast_half(run + 82), scaled), _mm256_loadu_ps(x.scales), total);
    }
};

/// Signed sub-scales.
struct signed_pairs : paired_order {
    /// Sub-blocks as pairs of registers have them: those of groups 0 and 4, 1 and 5 and on; first the first parts of all.
    static constexpr std::size_t half_at(std::size_t lane) noexcept { return lane / 8 + lane % 8 / 2 * 2 + lane % 2 * 8; }

protected:
    NIBBLE_INLINE static __m256i sub_scales_in_pairs(__m128i sub_scales) noexcept {
        return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(sub_scales, _mm_setr_epi8(0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15)));
    }
    /// Sums of a pair of registers, 16 bits for two, times their sub-scales.
    template <int K>
    NIBBLE_INLINE static __m256i scale_pair(__m256i words, __m256i sub_scales) noexcept {
        constexpr long long first = 0x0100010001000100 + 0x0404040404040404 * K, second = first + 0x0202020202020202;
        return _mm256_madd_epi16(words, _mm256_shuffle_epi8(sub_scales, _mm256_setr_epi64x(first, second, first, second)));
    }
    /// product - 2^Bits * sum(sub_scales * activations): zeros of codes are powers of two.
    template <int Bits>
    NIBBLE_INLINE static __m256i without_zero(__m256i product, __m256i sub_scales, const auto& x) noexcept {
        return _mm256_sub_epi32(product, _mm256_slli_epi32(_mm256_madd_epi16(sub_scales, load_half_sums(x)), Bits));
    }
};

/// Three bits: the pairs of bits as in two bits, with the third one in its place.
template <class F>
struct run_product<F, layout::three_bit_super_block> : signed_pairs {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const __m256i sub_scales = sub_scales_in_pairs(decoder<F>::sub_scales(run));
        __m256i low[2], low4[2];
        load_pair<32>(run + 32, low[0], low[1]);
        const __m256i bits = load_octets(run, 0), bits4 = _mm256_srli_epi16(bits, 4);
        const __m256i high[2] = {_mm256_unpacklo_epi64(bits, bits4), _mm256_unpackhi_epi64(bits, bits4)};  // bit k for groups k and k + 4
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; ++odd) low4[odd] = _mm256_srli_epi16(low[odd], 4);
        const auto pair = [&]<int K>() NIBBLE_LAMBDA_INLINE {
            constexpr int times = K % 2 == 0 ? 1 : 4, shift = 2 + K % 2 * 2 - K;
            const auto product = [&](int odd) NIBBLE_LAMBDA_INLINE {
                const __m256i two = _mm256_and_si256(K < 2 ? low[odd] : low4[odd], _mm256_set1_epi8(3 * times));
                const __m256i third = _mm256_and_si256(shift == 0 ? high[odd] : _mm256_slli_epi16(high[odd], shift), _mm256_set1_epi8(4 * times));
                return _mm256_maddubs_epi16(_mm256_or_si256(two, third), load_octets(x.codes, 2 * K + odd));
            };
            return scale_pair<K>(_mm256_add_epi16(product(0), product(1)), sub_scales);
        };
        const __m256i once = _mm256_add_epi32(pair.template operator()<0>(), pair.template operator()<2>());
        const __m256i four_times = _mm256_add_epi32(pair.template operator()<1>(), pair.template operator()<3>());
        const __m256i product = _mm256_add_epi32(once, _mm256_srai_epi32(four_times, 2));
        return add_whole(total, without_zero<2>(product, sub_scales, x), _mm256_mul_ps(broadcast_half(run + 108), _mm256_loadu_ps(x.scales)));
    }
};

/// Six bits, whose products are just small enough to be added in 16 bits twice.
template <class F>
struct run_product<F, layout::six_bit_super_block> : signed_pairs {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const __m256i sub_scales = sub_scales_in_pairs(_mm_loadu_si128(reinterpret_cast<const __m128i*>(run + 192)));
        __m256i low[2][2], high[2];
        load_pair<64>(run, low[0][0], low[0][1]);
        load_pair<64>(run + 32, low[1][0], low[1][1]);
        load_pair<32>(run + 128, high[0], high[1]);
        const auto pair = [&]<int K>() NIBBLE_LAMBDA_INLINE {
            const auto product = [&](int odd) NIBBLE_LAMBDA_INLINE {
                const __m256i nibbles = K < 2 ? low[K % 2][odd] : _mm256_srli_epi16(low[K % 2][odd], 4);
                const __m256i bits = K < 2 ? _mm256_slli_epi16(high[odd], 4 - 2 * K) : K == 2 ? high[odd] : _mm256_srli_epi16(high[odd], 2);
                const __m256i codes =
                    _mm256_or_si256(_mm256_and_si256(nibbles, _mm256_set1_epi8(15)), _mm256_and_si256(bits, _mm256_set1_epi8(48)));
                return _mm256_maddubs_epi16(codes, load_octets(x.codes, 2 * K + odd));
            };
            return scale_pair<K>(_mm256_add_epi16(product(0), product(1)), sub_scales);
        };
        const __m256i product = _mm256_add_epi32(_mm256_add_epi32(pair.template operator()<0>(), pair.template operator()<1>()),
                                                 _mm256_add_epi32(pair.template operator()<2>(), pair.template operator()<3>()));
        return add_whole(total, without_zero<5>(product, sub_scales, x), _mm256_mul_ps(broadcast_half(run + 208), _mm256_loadu_ps(x.scales)));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
