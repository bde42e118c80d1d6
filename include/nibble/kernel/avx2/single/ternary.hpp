// Ternary levels times a single float row: all products of a run fit in 16 bits.
#pragma once

#include "nibble/kernel/avx2/single/whole_runs.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Ternary levels stacked in two bits. Every other code stays where it is, four times as large, until the end.
template <class F>
struct run_product<F, layout::ternary_super_block> : whole_order {
    static constexpr bool for_few = true;

    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const __m256i low = _mm256_set1_epi8(3), high = _mm256_set1_epi8(12);
        const __m256i a = load_octets(run, 0), b = load_octets(run, 1), a4 = _mm256_srli_epi16(a, 4), b4 = _mm256_srli_epi16(b, 4);
        const auto four = [&](__m256i mask, int first) NIBBLE_LAMBDA_INLINE {
            const auto product = [&](__m256i bytes, int j) NIBBLE_LAMBDA_INLINE {
                return _mm256_maddubs_epi16(_mm256_and_si256(bytes, mask), load_octets(x.codes, j));
            };
            return _mm256_add_epi16(_mm256_add_epi16(product(a, first), product(a4, first + 2)),
                                    _mm256_add_epi16(product(b, first + 4), product(b4, first + 6)));
        };
        const __m256i words = _mm256_add_epi16(_mm256_sub_epi16(four(low, 0), load_half_sums(x)), _mm256_srai_epi16(four(high, 1), 2));
        return add_whole(total, widen(words), _mm256_mul_ps(broadcast_half(run + 64), _mm256_loadu_ps(x.scales)));
    }
};

/// Ternary digits: the activations take the signs of levels. Two rows go together, because there are 16 and 4 bytes that do not fill a
/// register.
template <class F>
struct run_product<F, layout::trit_super_block> : whole_order {
    NIBBLE_INLINE static __m256 add_two(__m256 total, const std::byte* run, const std::byte* other, const auto& x) noexcept {
        const auto product = [](__m256i codes, __m256i bytes) NIBBLE_LAMBDA_INLINE {
            return _mm256_maddubs_epi16(_mm256_set1_epi8(1), _mm256_sign_epi8(codes, first_trit(bytes)));
        };
        const auto sixteen = [&](int n) NIBBLE_LAMBDA_INLINE {
            return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x.codes + 160 + 16 * n)));
        };
        // Five digits of a byte each.
        const auto five = [&](auto codes, __m256i bytes) NIBBLE_LAMBDA_INLINE {
            const auto next = [](__m256i digits) NIBBLE_LAMBDA_INLINE {
                __m256i shifted = shift_trits<1>(digits);
                pin(shifted);  // Clang 14 would make one product of several shifts, and there is no instruction for products of bytes
                return shifted;
            };
            const __m256i second = next(bytes), third = next(second), fourth = next(third);
            const __m256i a = _mm256_add_epi16(product(codes(0), bytes), product(codes(1), second));
            const __m256i b = _mm256_add_epi16(product(codes(2), third), product(codes(3), fourth));
            return _mm256_add_epi16(_mm256_add_epi16(a, b), product(codes(4), next(fourth)));
        };
        const auto group = [&](int n) NIBBLE_LAMBDA_INLINE { return load_octets(x.codes, n); };
        const __m256i a = five(group, load_trits(run)), b = five(group, load_trits(other));
        const auto bytes = [](const std::byte* at) NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 32)); };
        const __m256i rest = five(sixteen, without_middle(_mm256_inserti128_si256(_mm256_castsi128_si256(bytes(run)), bytes(other), 1)));
        const __m256i first = _mm256_add_epi16(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
        const __m256i words = _mm256_add_epi16(_mm256_add_epi16(first, rest), product(sixteen(5), last_trits(run, other)));
        return add_whole(total, widen(words), _mm256_mul_ps(halves(run + 52, other + 52), _mm256_loadu_ps(x.scales)));
    }

private:
    /// Two fp16 numbers, in all lanes of a half each.
    NIBBLE_INLINE static __m256 halves(const std::byte* low, const std::byte* high) noexcept {
        std::uint16_t first, second;
        __builtin_memcpy(&first, low, 2);
        __builtin_memcpy(&second, high, 2);
        const __m128 both = _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(first | (std::uint32_t{second} << 16))));
        return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(both), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
