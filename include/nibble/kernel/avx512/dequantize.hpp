// Dequantize with AVX-512: one loop over any decoder.
#pragma once

#include "nibble/kernel/avx2/dequantize.hpp"
#include "nibble/kernel/avx512/decode.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN

// With two scales and two offsets a group, AVX2's was measured to be faster.
template <class F>
    requires(affine_format<F> && avx2::decoder<F>::in_registers && !(F::parts == 2 && avx2::decoder<F>::zero < 0))
struct kernel<op::dequantize, F, isa::avx512> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        if (cols % avx512::run_size == 0) {  // rows follow one another without a seam
            cols *= rows;
            rows = 1;
            if (cols * sizeof(float) >= avx2::larger_than_caches) return run_past_caches(packed, cols / avx512::run_size, out);
        }
        run_in_caches(packed, rows, cols, out);
    }
    static constexpr op::dequantize::entry entry = &run;

    /// The same for who needs the floats soon, however many: it does not bring the code for results past the caches along.
    static void run_in_caches(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        const std::size_t runs = divide_up(cols, avx512::run_size), tail = cols % avx512::run_size;
        // One call of the decoder, tail included: it is most of the code that programs compile for a format.
        for (std::size_t r = 0; r < rows; ++r, packed += row_bytes<F>(cols)) {
            for (std::size_t i = 0; i < runs; ++i) {
                std::byte padded[avx512::run_bytes<F>];
                float values[avx512::run_size];
                const bool cut = tail != 0 && i + 1 == runs;
                float* to = cut ? values : out;
                avx2::pin(to);
                decode(avx2::run_at<F>(packed, i, cols, padded), to);
                if (cut) __builtin_memcpy(out, values, tail * sizeof(float));
                out += cut ? tail : avx512::run_size;
            }
        }
    }

private:
    static void run_past_caches(const std::byte* packed, std::size_t runs, float* out) noexcept {
        run_in_caches(packed, 1, avx512::run_size, out);
        avx2::line_stream stream(out + avx512::run_size);
        for (std::size_t i = 1; i < runs; ++i) {
            decode(packed + i * avx512::run_bytes<F>, stream.room());
            stream.flush();
        }
        stream.finish();
    }
    NIBBLE_INLINE static void decode(const std::byte* from, float* out) noexcept {
        using decoder = avx512::decoder<F>;
        alignas(32) float scale[F::parts][8], offset[F::parts][8];
        const auto scales = decoder::scales(from);
        for (std::size_t part = 0; part < F::parts; ++part) {
            _mm256_store_ps(scale[part], scales.scale[part]);
            _mm256_store_ps(offset[part], scales.offset[part]);
        }
        avx512::for_each_of_eight([&]<int Group>() NIBBLE_LAMBDA_INLINE {
            const __m256i codes_u8x32 = decoder::template codes<Group>(from);
            store<Group, 0>(_mm256_castsi256_si128(codes_u8x32), scale, offset, out);
            store<Group, 1>(_mm256_extracti128_si256(codes_u8x32, 1), scale, offset, out);
        });
    }
    template <int Group, int Half>
    NIBBLE_INLINE static void store(__m128i codes, const float (&scale)[F::parts][8], const float (&offset)[F::parts][8], float* out) noexcept {
        constexpr int zero = avx512::decoder<F>::zero;
        constexpr std::size_t part = F::parts == 2 ? Half : 0;
        __m512i code = _mm512_cvtepu8_epi32(codes);
        if constexpr (zero > 0) code = _mm512_sub_epi32(code, _mm512_set1_epi32(zero));
        const __m512 s = _mm512_set1_ps(scale[part][Group]), number = _mm512_cvtepi32_ps(code);
        __m512 value;
        if constexpr (zero < 0)
            value = _mm512_fmadd_ps(s, number, _mm512_set1_ps(offset[part][Group]));  // one rounding as with two: the product is exact
        else value = _mm512_mul_ps(s, number);
        _mm512_storeu_ps(out + 32 * Group + 16 * Half, value);
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
