// Quantize to signs with AVX2, eight blocks at once: the mean magnitude is a sum in the order of the elements, so each block is a lane. Signs are
// gathered where they are. The rule is that of the format with this layout.
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F>
concept sign_blocks = searched_format<F> && std::same_as<typename F::layout, layout::sign_bits>;

/// Element i of eight rows to register i. Halves of rows are loaded to where they belong, which leaves two steps of shuffling.
NIBBLE_INLINE void load_columns(const float* rows, std::size_t stride, __m256 (&columns)[8]) noexcept {
    __m256 pairs[8];
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
        const auto both = [&](std::size_t r) NIBBLE_LAMBDA_INLINE {
            const float* from = rows + r * stride + 4 * half;
            return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from + 4 * stride), 1);
        };
        const __m256 a = both(0), b = both(1), c = both(2), d = both(3);
        pairs[4 * half] = _mm256_unpacklo_ps(a, b);
        pairs[4 * half + 1] = _mm256_unpackhi_ps(a, b);
        pairs[4 * half + 2] = _mm256_unpacklo_ps(c, d);
        pairs[4 * half + 3] = _mm256_unpackhi_ps(c, d);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const int from = i / 2 * 4 + i % 2;
        columns[2 * i] = _mm256_shuffle_ps(pairs[from], pairs[from + 2], 0x44);
        columns[2 * i + 1] = _mm256_shuffle_ps(pairs[from], pairs[from + 2], 0xEE);
    }
}

}  // namespace avx2

template <avx2::sign_blocks F>
struct kernel<op::quantize_checked, F, isa::avx2> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        auto* blocks = reinterpret_cast<typename F::block*>(out);
        std::size_t left = count / 128;
        __m256i most = _mm256_setzero_si256();
        for (; left >= 8; left -= 8, values += 1024, blocks += 8) most = _mm256_max_epi32(most, _mm256_castps_si256(encode_eight(values, blocks)));
        // A mean is not finite if one of its values is not.
        return avx2::encode_rest<F>(values, left, most, bit_cast<std::uint32_t>(F::safe_magnitude), blocks);
    }
    static constexpr op::quantize_checked::entry entry = &run;

private:
    /// Returns the means.
    NIBBLE_INLINE static __m256 encode_eight(const float* values, typename F::block* blocks) noexcept {
        const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
        __m256 sum = _mm256_setzero_ps();
        for (std::size_t i = 0; i < 128; i += 8) {
            __m256 columns[8];
            avx2::load_columns(values + i, 128, columns);
#pragma GCC unroll 8
            for (int k = 0; k < 8; ++k) {
                sum = _mm256_add_ps(sum, _mm256_and_ps(columns[k], magnitude));
                __asm__("" : "+x"(sum));  // one after the other, under -ffast-math too
            }
        }
        const __m256 mean = _mm256_mul_ps(sum, _mm256_set1_ps(1.0f / 128.0f));
        alignas(16) std::uint16_t halves[8];
        _mm_store_si128(reinterpret_cast<__m128i*>(halves), _mm256_cvtps_ph(mean, _MM_FROUND_TO_NEAREST_INT));
        for (std::size_t b = 0; b < 8; ++b) {
            blocks[b].scale.set(halves[b]);
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) blocks[b].bits[k].set(signs_of(values + 128 * b + 32 * k));
        }
        return mean;
    }
    /// Bit i: element i is not negative.
    NIBBLE_INLINE static std::uint32_t signs_of(const float* values) noexcept {
        const auto at = [&](int i) NIBBLE_LAMBDA_INLINE {
            return _mm256_castps_si256(_mm256_cmp_ps(_mm256_loadu_ps(values + 8 * i), _mm256_setzero_ps(), _CMP_GE_OQ));
        };
        return static_cast<std::uint32_t>(_mm256_movemask_epi8(avx2::in_order(avx2::to_bytes(at(0), at(1), at(2), at(3)))));
    }
};

template <avx2::sign_blocks F>
struct kernel<op::quantize, F, isa::avx2> : internal::quantize_as_checked<F, isa::avx2> {};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
