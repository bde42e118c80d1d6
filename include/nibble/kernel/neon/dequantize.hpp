// Dequantize with NEON: one loop over any decoder.
#pragma once

#include "nibble/kernel/neon/decode.hpp"
#include "nibble/kernel/reference/dequantize.hpp"

#if defined(NIBBLE_ARM64)
NIBBLE_BASELINE_BEGIN

template <class F>
    requires(affine_format<F> && neon::decoder<F>::in_registers)
struct kernel<op::dequantize, F, isa::neon> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        const std::size_t runs = cols / neon::run_size, tail = cols % neon::run_size;
        for (std::size_t r = 0; r < rows; ++r, packed += row_bytes<F>(cols)) {
            for (std::size_t i = 0; i < runs; ++i, out += neon::run_size) decode(packed + i * neon::run_bytes<F>, out);
            if (tail != 0) {
                std::byte padded[neon::run_bytes<F>];
                float values[neon::run_size];
                decode(neon::run_at<F>(packed, runs, cols, padded), values);
                __builtin_memcpy(out, values, tail * sizeof(float));
                out += tail;
            }
        }
    }
    static constexpr op::dequantize::entry entry = &run;

private:
    NIBBLE_INLINE static void decode(const std::byte* from, float* out) noexcept {
        constexpr int zero = neon::decoder<F>::zero;
        float scale[8 * F::parts], offset[8 * F::parts];
        neon::decoder<F>::scales(from, scale, offset);
        for (std::size_t g = 0; g < 8; ++g) {
            const uint8x16x2_t codes = neon::decoder<F>::codes(from, g);
            for (std::size_t half = 0; half < 2; ++half, out += 16) {
                const std::size_t part = g * F::parts + (F::parts == 2 ? half : 0);
                const uint16x8_t low = vmovl_u8(vget_low_u8(codes.val[half])), high = vmovl_u8(vget_high_u8(codes.val[half]));
                const uint32x4_t quarters[4] = {vmovl_u16(vget_low_u16(low)), vmovl_u16(vget_high_u16(low)), vmovl_u16(vget_low_u16(high)),
                                                vmovl_u16(vget_high_u16(high))};
                for (std::size_t q = 0; q < 4; ++q) {
                    int32x4_t code = vreinterpretq_s32_u32(quarters[q]);
                    if constexpr (zero > 0) code = vsubq_s32(code, vdupq_n_s32(zero));
                    float32x4_t value = vmulq_n_f32(vcvtq_f32_s32(code), scale[part]);
                    // Product and sum may fuse: the product is exact.
                    if constexpr (zero < 0) value = vaddq_f32(value, vdupq_n_f32(offset[part]));
                    vst1q_f32(out + 4 * q, value);
                }
            }
        }
    }
};

NIBBLE_BASELINE_END
#endif
