// Floats of 16 bits from and to fp32 with AVX2, eight at once.
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/line_stream.hpp"
#include "nibble/kernel/reference/dequantize.hpp"
#include "nibble/kernel/reference/magnitude.hpp"
#include "nibble/kernel/reference/quantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// shorten() gathers in `most` what tells whether all results are finite; too_large() is not zero if they are not.
template <class Layout>
struct short_floats;

template <>
struct short_floats<layout::float16> {
    NIBBLE_INLINE static __m256i shorten(__m256 first, __m256 second, __m256i& most) noexcept {
        const __m128i low = _mm256_cvtps_ph(first, _MM_FROUND_TO_NEAREST_INT), high = _mm256_cvtps_ph(second, _MM_FROUND_TO_NEAREST_INT);
        const __m256i halves = _mm256_set_m128i(high, low);
        most = _mm256_max_epi16(most, _mm256_and_si256(halves, _mm256_set1_epi16(0x7FFF)));
        return halves;
    }
    NIBBLE_INLINE static __m256i too_large(__m256i most) noexcept { return _mm256_cmpgt_epi16(most, _mm256_set1_epi16(0x7BFF)); }
    NIBBLE_INLINE static __m256 extend(__m128i bits) noexcept { return _mm256_cvtph_ps(bits); }
    /// The instruction changes NaNs that signal.
    NIBBLE_INLINE static bool extends(const __m256i (&bits)[4]) noexcept {
        const auto magnitude = [&](int i) NIBBLE_LAMBDA_INLINE { return _mm256_and_si256(bits[i], _mm256_set1_epi16(0x7FFF)); };
        const __m256i most = _mm256_max_epi16(_mm256_max_epi16(magnitude(0), magnitude(1)), _mm256_max_epi16(magnitude(2), magnitude(3)));
        const __m256i nan = _mm256_cmpgt_epi16(most, _mm256_set1_epi16(0x7C00));
        return _mm256_testz_si256(nan, nan) != 0;
    }
};

template <>
struct short_floats<layout::bfloat16> {
    NIBBLE_INLINE static __m256i shorten(__m256 first, __m256 second, __m256i& most) noexcept {
        const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(first), magnitude));
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(second), magnitude));
        return _mm256_permute4x64_epi64(_mm256_packus_epi32(upper_half(first), upper_half(second)), 0b11'01'10'00);
    }
    /// Rounding makes an infinity of these, and a zero of some NaNs.
    NIBBLE_INLINE static __m256i too_large(__m256i most) noexcept { return _mm256_cmpgt_epi32(most, _mm256_set1_epi32(0x7F7F7FFF)); }
    NIBBLE_INLINE static __m256 extend(__m128i bits) noexcept { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }
    NIBBLE_INLINE static bool extends(const __m256i (&)[4]) noexcept { return true; }

private:
    /// To nearest, ties to even.
    NIBBLE_INLINE static __m256i upper_half(__m256 value) noexcept {
        const __m256i bits = _mm256_castps_si256(value), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        return _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd), 16);
    }
};

template <class F>
concept short_float = block_format<F> && requires { short_floats<typename F::layout>{}; };

/// The last floats, one by one; false if one may not fit.
template <class F>
NIBBLE_INLINE bool shorten_rest(const float* values, std::size_t count, std::byte* out) noexcept {
    kernel<op::quantize, F, isa::reference>::entry(values, 1, count, nullptr, out);
    return kernel<op::magnitude, F, isa::reference>::entry(values, count) <= bit_cast<std::uint32_t>(F::safe_magnitude);
}

}  // namespace avx2

template <avx2::short_float F>
struct kernel<op::quantize_checked, F, isa::avx2> {
    static bool run(const float* values, std::size_t count, std::byte* out) noexcept {
        using floats = avx2::short_floats<typename F::layout>;
        __m256i most[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        std::size_t i = 0;
        for (; i + 32 <= count; i += 32) {
#pragma GCC unroll 2
            for (std::size_t k = 0; k < 2; ++k) {
                const __m256 first = _mm256_loadu_ps(values + i + 16 * k), second = _mm256_loadu_ps(values + i + 16 * k + 8);
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i) + k, floats::shorten(first, second, most[k]));
            }
        }
        const __m256i large = _mm256_or_si256(floats::too_large(most[0]), floats::too_large(most[1]));
        return avx2::shorten_rest<F>(values + i, count - i, out + 2 * i) && _mm256_testz_si256(large, large) != 0;
    }
    static constexpr op::quantize_checked::entry entry = &run;
};

/// What becomes of a NaN or an infinity the format decides.
template <avx2::short_float F>
struct kernel<op::quantize, F, isa::avx2> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float*, std::byte* out) noexcept {
        if (!kernel<op::quantize_checked, F, isa::avx2>::entry(values, rows * cols, out)) {
            kernel<op::quantize, F, isa::reference>::entry(values, rows, cols, nullptr, out);
        }
    }
    static constexpr op::quantize::entry entry = &run;
};

template <avx2::short_float F>
struct kernel<op::dequantize, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        const std::size_t count = rows * cols;
        std::size_t i = 0;
        if (count * sizeof(float) >= avx2::larger_than_caches) {
            extend(packed, avx2::run_size, out);
            avx2::line_stream stream(out + avx2::run_size);
            for (i = avx2::run_size; i + avx2::run_size <= count; i += avx2::run_size) {
                extend(packed + 2 * i, avx2::run_size, stream.room());
                stream.flush();
            }
            stream.finish();
        }
        extend(packed + 2 * i, count - i, out + i);
    }
    static constexpr op::dequantize::entry entry = &run;

private:
    NIBBLE_INLINE static void extend(const std::byte* packed, std::size_t count, float* out) noexcept {
        using floats = avx2::short_floats<typename F::layout>;
        constexpr auto one_by_one = kernel<op::dequantize, F, isa::reference>::entry;
        for (std::size_t i = 0; i < count; i += 64) {
            if (count - i < 64) return one_by_one(packed + 2 * i, 1, count - i, out + i);
            // Rows from memory: the core's own prefetchers stop at pages. What lies beyond the last row is harmless.
#pragma GCC unroll 2
            for (std::size_t line = 0; line < 128; line += 64) _mm_prefetch(reinterpret_cast<const char*>(packed + 2 * i) + 8192 + line, _MM_HINT_T1);
            __m256i bits[4];
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) bits[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed + 2 * i) + k);
            if (!floats::extends(bits)) {
                one_by_one(packed + 2 * i, 1, 64, out + i);
                continue;
            }
#pragma GCC unroll 4
            for (std::size_t k = 0; k < 4; ++k) {
                _mm256_storeu_ps(out + i + 16 * k, floats::extend(_mm256_castsi256_si128(bits[k])));
                _mm256_storeu_ps(out + i + 16 * k + 8, floats::extend(_mm256_extracti128_si256(bits[k], 1)));
            }
        }
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
