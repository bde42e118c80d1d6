// Floats of 8 bits to fp32 with AVX2, eight lanes at once.
#pragma once

#include "nibble/base/lanes.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/kernel/reference/dequantize.hpp"

#if defined(NIBBLE_X86)
NIBBLE_EXACT_BEGIN
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <block_format F>
    requires requires(const i32x<8>& code) { F::template unpack<8>(code); }
struct kernel<op::dequantize, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        const std::size_t count = rows * cols;
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16) {
#pragma GCC unroll 2
            for (std::size_t k = 0; k < 16; k += 8) {
                const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed + i + k));
                F::template unpack<8>({__builtin_bit_cast(raw_lanes<std::int32_t, 8>, _mm256_cvtepu8_epi32(bytes))}).store(out + i + k);
            }
        }
        kernel<op::dequantize, F, isa::reference>::entry(packed + i, 1, count - i, out + i);
    }
    static constexpr op::dequantize::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
NIBBLE_EXACT_END
#endif
