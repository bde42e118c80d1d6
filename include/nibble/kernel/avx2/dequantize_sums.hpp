// Dequantize super-blocks of signed bytes with sums with AVX2 (format/q8_k.hpp). They are activations, so products need no decoder of them.
#pragma once

#include <concepts>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/line_stream.hpp"
#include "nibble/kernel/reference/dequantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <block_format F>
    requires std::same_as<typename F::layout, layout::signed_bytes_with_sums>
struct kernel<op::dequantize, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        if (cols % 256 != 0) return kernel<op::dequantize, F, isa::reference>::entry(packed, rows, cols, out);  // padded rows
        const auto* block = reinterpret_cast<const typename F::block*>(packed);
        const std::size_t blocks = rows * (cols / 256);
        if (blocks * 256 * sizeof(float) >= avx2::larger_than_caches) {
            decode(*block, out);
            avx2::line_stream stream(out + 256);
            for (std::size_t b = 1; b < blocks; ++b) {
                decode(block[b], stream.room());
                stream.flush();
            }
            stream.finish();
        } else {
            for (std::size_t b = 0; b < blocks; ++b) decode(block[b], out + 256 * b);
        }
    }
    static constexpr op::dequantize::entry entry = &run;

private:
    NIBBLE_INLINE static void decode(const typename F::block& packed, float* out) noexcept {
        const __m256 scale = _mm256_set1_ps(packed.scale.get());
#pragma GCC unroll 4
        for (int i = 0; i < 256; i += 8) {
            const __m256i codes = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed.codes + i)));
            _mm256_storeu_ps(out + i, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(codes)));
        }
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
