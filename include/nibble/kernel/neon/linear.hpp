// Products with NEON. Float rows become groups of 32 codes of 8 bits with one scale and the sums of their parts; weights are decoded in
// registers, four float rows at a time. Products of codes are added in 16 bits as long as they fit. Panels are multiplied 4 rows at a time.
#pragma once

#include "nibble/kernel/neon/decode.hpp"
#include "nibble/kernel/neon/panel_codes.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_ARM64)
NIBBLE_BASELINE_BEGIN
namespace neon {

NIBBLE_INLINE constexpr std::size_t groups_of(std::size_t cols) noexcept { return divide_up(cols, run_size) * 8; }

/// One float row: scales [groups], sums [groups][Parts], codes [groups][32].
template <std::size_t Parts>
struct activation {
    const float* scales;
    const float* sums;
    const std::int8_t* codes;

    static std::size_t bytes(std::size_t cols) noexcept { return groups_of(cols) * (32 + sizeof(float) * (1 + Parts)); }
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return count * bytes(cols); }
    static activation at(const std::byte* workspace, std::size_t i, std::size_t cols) noexcept {
        const auto* scales = reinterpret_cast<const float*>(workspace + i * bytes(cols));
        const float* sums = scales + groups_of(cols);
        return {scales, sums, reinterpret_cast<const std::int8_t*>(sums + Parts * groups_of(cols))};
    }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t, std::size_t cols, std::byte* out) noexcept {
        for (std::size_t i = first; i < last; ++i) {
            const activation row = at(out, i, cols);
            auto* scales = const_cast<float*>(row.scales);
            auto* sums = const_cast<float*>(row.sums);
            auto* codes = const_cast<std::int8_t*>(row.codes);
            for (std::size_t g = 0; g < groups_of(cols); ++g) {
                float padded[32];
                const float* from = x + i * cols + 32 * g;
                if (32 * g + 32 > cols) {
                    for (std::size_t k = 0; k < 32; ++k) padded[k] = 32 * g + k < cols ? from[k] : 0.0f;
                    from = padded;
                }
                group(from, scales + g, sums + Parts * g, codes + 32 * g);
            }
        }
    }

private:
    static void group(const float* x, float* scale, float* sum, std::int8_t* codes) noexcept {
        float32x4_t most = vdupq_n_f32(0.0f);
        for (std::size_t k = 0; k < 32; k += 4) most = vmaxq_f32(most, vabsq_f32(vld1q_f32(x + k)));
        const float largest = vmaxvq_f32(most);
        // Below 2^-115 an inverse could overflow; such a group is zero for every purpose. By bits, so that a NaN is usable: it must not be lost.
        const bool usable = bit_cast<std::uint32_t>(largest) > 12u << 23;
        const float inverse = usable ? 127.0f / largest : 0.0f;
        *scale = usable ? largest / 127.0f : 0.0f;
        for (std::size_t half = 0; half < 2; ++half) {
            int16x8_t words[2];
            for (std::size_t e = 0; e < 2; ++e) {
                const float* from = x + 16 * half + 8 * e;
                const int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(from), inverse));
                const int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(from + 4), inverse));
                words[e] = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
            }
            vst1q_s8(codes + 16 * half, vcombine_s8(vqmovn_s16(words[0]), vqmovn_s16(words[1])));
            const float total = *scale * static_cast<float>(vaddlvq_s16(vaddq_s16(words[0], words[1])));
            if (Parts == 2 || half == 0) sum[Parts == 2 ? half : 0] = total;
            else sum[0] += total;
        }
    }
};

/// Codes as signed bytes: 8-bit codes minus 128, which the offset then makes up for.
template <int Bits>
NIBBLE_INLINE int8x16_t as_signed(uint8x16_t codes) noexcept {
    if constexpr (Bits == 8) codes = veorq_u8(codes, vdupq_n_u8(0x80));
    return vreinterpretq_s8_u8(codes);
}

/// Four int32 sums of the products of 16 codes.
NIBBLE_INLINE int32x4_t multiply_codes(int8x16_t codes, int8x16_t activations) noexcept {
    // |code * activation| <= 128 * 127: two of them fit in 16 bits.
    const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(activations));
    return vpaddlq_s16(vmlal_s8(low, vget_high_s8(codes), vget_high_s8(activations)));
}

/// Cols float rows by one packed row.
template <class F, std::size_t Cols>
inline void multiply_row(const std::byte* row, std::size_t cols, const std::byte* workspace, std::size_t first, float* y,
                         std::size_t stride) noexcept {
    constexpr std::size_t parts = F::parts;
    activation<parts> x[Cols];
    float32x4_t sum_f32x4[Cols];
    float offsets[Cols] = {};
    for (std::size_t c = 0; c < Cols; ++c) {
        x[c] = activation<parts>::at(workspace, first + c, cols);
        sum_f32x4[c] = vdupq_n_f32(0.0f);
    }
    for (std::size_t i = 0; i < divide_up(cols, run_size); ++i) {
        std::byte padded[run_bytes<F>];
        const std::byte* run = run_at<F>(row, i, cols, padded);
        float scale[8 * parts], offset[8 * parts];
        decoder<F>::scales(run, scale, offset);
        for (std::size_t g = 0; g < 8; ++g) {
            const uint8x16x2_t codes = decoder<F>::codes(run, g);
            const int8x16_t low = as_signed<F::code_bits>(codes.val[0]), high = as_signed<F::code_bits>(codes.val[1]);
            for (std::size_t c = 0; c < Cols; ++c) {
                const std::size_t at = 8 * i + g;
                const std::int8_t* activations = x[c].codes + 32 * at;
                const int32x4_t first_half = multiply_codes(low, vld1q_s8(activations)),
                                second_half = multiply_codes(high, vld1q_s8(activations + 16));
                const float step = x[c].scales[at];
                if constexpr (parts == 1) {
                    sum_f32x4[c] = vfmaq_n_f32(sum_f32x4[c], vcvtq_f32_s32(vaddq_s32(first_half, second_half)), scale[g] * step);
                } else {
                    sum_f32x4[c] = vfmaq_n_f32(sum_f32x4[c], vcvtq_f32_s32(first_half), scale[2 * g] * step);
                    sum_f32x4[c] = vfmaq_n_f32(sum_f32x4[c], vcvtq_f32_s32(second_half), scale[2 * g + 1] * step);
                }
                for (std::size_t part = 0; part < parts; ++part) {
                    const std::size_t p = parts * g + part;
                    const float o = F::code_bits == 8 ? offset[p] + 128.0f * scale[p] : offset[p];
                    offsets[c] += o * x[c].sums[parts * at + part];
                }
            }
        }
    }
    for (std::size_t c = 0; c < Cols; ++c) y[(first + c) * stride] = vaddvq_f32(sum_f32x4[c]) + offsets[c];
}

/// Rows row .. row + 3 of a panel by one float row.
template <class F>
inline float32x4_t multiply_quad(const std::byte* panel, std::size_t runs, std::size_t row, const activation<F::parts>& x) noexcept {
    using order = panel::order<F>;
    constexpr std::size_t parts = F::parts, steps = 8 / parts;
    float32x4_t sum_f32x4 = vdupq_n_f32(0.0f);
    for (std::size_t i = 0; i < runs * panel::groups; ++i) {
        const std::byte* run = panel + i / panel::groups * order::run_bytes;
        const std::size_t g = i % panel::groups;
        for (std::size_t part = 0; part < parts; ++part) {
            int32x4_t low = vdupq_n_s32(0), high = low;
            for (std::size_t k = part * steps; k < (part + 1) * steps; ++k) {
                std::int32_t four;
                __builtin_memcpy(&four, x.codes + 32 * i + 4 * k, 4);
                const int8x8_t activations = vreinterpret_s8_s32(vdup_n_s32(four));
                const int8x16_t codes = as_signed<F::code_bits>(panel_codes<F>(run + g * order::group_bytes, k, row));
                low = vpadalq_s16(low, vmull_s8(vget_low_s8(codes), activations));
                high = vpadalq_s16(high, vmull_s8(vget_high_s8(codes), activations));
            }
            const float32x4_t scale = panel_factors<F>(run, 0, g, part, row);
            float32x4_t offset;
            if constexpr (order::has_offsets) offset = panel_factors<F>(run, 1, g, part, row);
            else offset = vmulq_n_f32(scale, -static_cast<float>(order::form.zero));
            if constexpr (F::code_bits == 8) offset = vfmaq_n_f32(offset, scale, 128.0f);
            sum_f32x4 = vfmaq_f32(sum_f32x4, vcvtq_f32_s32(vpaddq_s32(low, high)), vmulq_n_f32(scale, x.scales[i]));
            sum_f32x4 = vfmaq_n_f32(sum_f32x4, offset, x.sums[parts * i + part]);
        }
    }
    return sum_f32x4;
}

}  // namespace neon

template <affine_format F>
struct kernel<op::linear, F, isa::neon> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        for (std::size_t r = 0; r < rows; ++r, packed += row_bytes<F>(cols)) {
            std::size_t i = 0;
            for (; i + 4 <= count; i += 4) neon::multiply_row<F, 4>(packed, cols, workspace, i, y + r, stride);
            for (; i < count; ++i) neon::multiply_row<F, 1>(packed, cols, workspace, i, y + r, stride);
        }
    }
    static constexpr op::linear::entry entry{&neon::activation<F::parts>::workspace, &neon::activation<F::parts>::prepare, &run};
};

template <affine_format F>
struct kernel<op::panel_linear, F, isa::neon> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        const std::size_t runs = divide_up(cols, panel::run);
        for (std::size_t r = 0; r < rows; r += 4) {
            const std::byte* panel = panels + r / panel::rows * runs * panel::order<F>::run_bytes;
            const std::size_t some = rows - r < 4 ? rows - r : 4;
            for (std::size_t i = 0; i < count; ++i) {
                const auto x = neon::activation<F::parts>::at(workspace, i, cols);
                float values[4];
                vst1q_f32(values, neon::multiply_quad<F>(panel, runs, r % panel::rows, x));
                for (std::size_t k = 0; k < some; ++k) y[i * stride + r + k] = values[k];
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&neon::activation<F::parts>::workspace, &neon::activation<F::parts>::prepare, &run};
};

NIBBLE_BASELINE_END
#endif
