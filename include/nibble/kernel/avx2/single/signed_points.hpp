// Points with signs times a single float row: the magnitudes stay unsigned, and the activations take the signs.
#pragma once

#include "nibble/format/codebook/layout.hpp"
#include "nibble/kernel/avx2/single/indices.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Signs of a run: bit i of byte k of dword g belongs to element 8 k + i of group g.
struct run_signs {
    __m256i bytes;

    /// -1 in the bytes of register J that are negative.
    template <int J>
    NIBBLE_INLINE __m256i mask() const noexcept {
        constexpr long long first = 0x0101010101010101 * (J % 4 + J / 4 * 8), second = first + 0x0404040404040404;
        const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
        const __m256i spread = _mm256_shuffle_epi8(bytes, _mm256_setr_epi64x(first, second, first, second));
        return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    }
};

/// Completes 32 times seven signs, in the low bits of each byte: the eighth makes their number even.
NIBBLE_INLINE run_signs complete_run_signs(__m256i sevens) noexcept {
    // 128 where the number of bits in a nibble is odd.
    const __m256i odd = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_shuffle_epi8(odd, _mm256_and_si256(sevens, nibble));
    const __m256i high = _mm256_shuffle_epi8(odd, _mm256_and_si256(_mm256_srli_epi16(sevens, 4), nibble));
    return {_mm256_xor_si256(sevens, _mm256_xor_si256(low, high))};
}
/// The same from four times seven bits in each dword.
NIBBLE_INLINE run_signs spread_run_signs(__m256i packed) noexcept {
    const auto field = [&](__m256i shifted, unsigned mask)
                           NIBBLE_LAMBDA_INLINE { return _mm256_and_si256(shifted, _mm256_set1_epi32(static_cast<int>(mask))); };
    const __m256i first = _mm256_or_si256(field(packed, 0x7Fu), field(_mm256_slli_epi32(packed, 1), 0x7F00u));
    const __m256i second =
        _mm256_or_si256(field(_mm256_slli_epi32(packed, 2), 0x7F0000u), field(_mm256_slli_epi32(packed, 3), 0x7F000000u));
    return complete_run_signs(_mm256_or_si256(first, second));
}

/// Products of register J, 16 bits for two.
template <int J>
NIBBLE_INLINE __m256i multiply_signed(__m256i magnitudes, const run_signs& signs, const auto& x) noexcept {
    const __m256i mask = signs.template mask<J>();
    return _mm256_maddubs_epi16(magnitudes, _mm256_sub_epi8(_mm256_xor_si256(load_octets(x.codes, J), mask), mask));
}
/// Sums of registers First and First + 1. Magnitudes are at most 64, so that two products fit in 16 bits.
template <int First>
NIBBLE_INLINE __m256i multiply_two(auto magnitudes, const run_signs& signs, const auto& x) noexcept {
    const __m256i a = multiply_signed<First>(magnitudes.template operator()<First>(), signs, x);
    const __m256i b = multiply_signed<First + 1>(magnitudes.template operator()<First + 1>(), signs, x);
    fence();
    return widen(_mm256_add_epi16(a, b));
}
/// total += a run whose groups have one scale.
NIBBLE_INLINE __m256 add_signed(__m256 total, auto magnitudes, const run_signs& signs, const run_scales<1>& scales,
                                const auto& x) noexcept {
    const __m256i first = _mm256_add_epi32(multiply_two<0>(magnitudes, signs, x), multiply_two<2>(magnitudes, signs, x));
    const __m256i second = _mm256_add_epi32(multiply_two<4>(magnitudes, signs, x), multiply_two<6>(magnitudes, signs, x));
    pin(total);  // between the fences Clang 14 would keep it on the stack
    return add_scaled(total, join_octets<32>(first, second), scales.scale[0], x.scales);
}
/// total += a run whose groups have two scales.
NIBBLE_INLINE __m256 add_signed(__m256 total, auto magnitudes, const run_signs& signs, const run_scales<2>& scales,
                                const auto& x) noexcept {
    const __m256i first = join_octets<32>(multiply_two<0>(magnitudes, signs, x), multiply_two<4>(magnitudes, signs, x));
    const __m256i second = join_octets<32>(multiply_two<2>(magnitudes, signs, x), multiply_two<6>(magnitudes, signs, x));
    return add_scaled(add_scaled(total, first, scales.scale[0], x.scales), second, scales.scale[1], x.scales);
}
template <class Book>
NIBBLE_INLINE __m256 add_signed_points(__m256 total, auto index, const run_signs& signs, const auto& scales, const auto& x) noexcept {
    const auto magnitudes = [&]<int J>() NIBBLE_LAMBDA_INLINE { return load_octet_points<Book, J>(index); };
    return add_signed(total, magnitudes, signs, scales, x);
}

template <class F, class Book>
struct run_product<F, layout::points_beside_signs<Book>> : octet_order {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const auto& block = block_of<F>(run);
        const auto* words = reinterpret_cast<const float*>(block.sub);
        const __m256 mixed = _mm256_shuffle_ps(_mm256_loadu_ps(words), _mm256_loadu_ps(words + 8), 0xDD);
        const run_signs signs = spread_run_signs(_mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xD8));
        const auto index = [&](int k) NIBBLE_LAMBDA_INLINE { return block.sub[k / 4].index[k % 4]; };
        return add_signed_points<Book>(total, index, signs, decoder<F>::scales(run), x);
    }
};

template <class F, class Book>
struct run_product<F, layout::points_with_signs<Book>> : octet_order {
    using notes = run_indices;
    NIBBLE_INLINE static notes note(const std::byte* run) noexcept {
        const auto* codes = reinterpret_cast<const __m256i*>(block_of<F>(run).codes);
        const __m256i nine = _mm256_set1_epi16(511);
        return run_indices::make(_mm256_and_si256(_mm256_loadu_si256(codes), nine), _mm256_and_si256(_mm256_loadu_si256(codes + 1), nine));
    }
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes& indices, const auto& x) noexcept {
        const auto* codes = reinterpret_cast<const __m256i*>(block_of<F>(run).codes);
        const __m256i first = _mm256_srli_epi16(_mm256_loadu_si256(codes), 9), second = _mm256_srli_epi16(_mm256_loadu_si256(codes + 1), 9);
        const run_signs signs = complete_run_signs(_mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xD8));
        const auto index = [&](int k) NIBBLE_LAMBDA_INLINE { return indices.values[k]; };
        return add_signed_points<Book>(total, index, signs, decoder<F>::scales(run), x);
    }
};

template <class F, class Book>
struct run_product<F, layout::points_and_signs<Book>> : octet_order {
    using notes = run_indices;
    NIBBLE_INLINE static notes note(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        // Bits 8 and 9 of four indices in a byte: to each of them, and to their place.
        const __m256i high = _mm256_broadcastsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block.high)));
        const auto sixteen = [&](int half) NIBBLE_LAMBDA_INLINE {
            const auto group = static_cast<long long>(0x8000800080008000u) + 0x0004000400040004 * half, next = 0x0001000100010001ll;
            const __m256i spread = _mm256_shuffle_epi8(high, _mm256_setr_epi64x(group, group + next, group + 2 * next, group + 3 * next));
            const __m256i moved = _mm256_mullo_epi16(spread, _mm256_set1_epi64x(0x0004001000400100));
            const __m256i low = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block.index) + half));
            return _mm256_or_si256(low, _mm256_and_si256(moved, _mm256_set1_epi16(0x300)));
        };
        return run_indices::make(sixteen(0), sixteen(1));
    }
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes& indices, const auto& x) noexcept {
        const run_signs signs{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block_of<F>(run).signs))};
        const auto index = [&](int k) NIBBLE_LAMBDA_INLINE { return indices.values[k]; };
        return add_signed_points<Book>(total, index, signs, decoder<F>::scales(run), x);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
