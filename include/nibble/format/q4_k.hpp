// q4_k: 4 bits, eight sub-blocks of 32 with their own 6-bit scale and offset. The usual choice for weights.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/search/sub_scales.hpp"
#include "nibble/format/search/with_offset.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 144 bytes: [scale fp16][offset fp16][12 bytes: 8 pairs of 6-bit sub-scale and sub-offset]
/// [128 bytes: run k of 32 holds sub-block 2k in its low and 2k + 1 in its high nibbles]
/// value = scale * sub_scale * code - offset * sub_offset
struct q4_k {
    static constexpr std::string_view name = "q4_k";
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::uint32_t gguf_type = 12;
    using layout = nibble::layout::offset_super_block<4>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale, offset;
        sub_scales_6bit sub;
        std::uint8_t codes[128];
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return is_finite_float16(packed.scale.get()) && is_finite_float16(packed.offset.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        const float scale = float16_to_float(packed.scale.get()), offset = float16_to_float(packed.offset.get());
        for (std::size_t j = 0; j < 8; ++j) {
            const float s = scale * static_cast<float>(packed.sub.scale(j)), o = offset * static_cast<float>(packed.sub.offset(j));
            for (std::size_t i = 0; i < 32; ++i) {
                const int code = j % 2 == 0 ? packed.codes[j / 2 * 32 + i] & 15 : packed.codes[j / 2 * 32 + i] >> 4;
                values[32 * j + i] = s * static_cast<float>(code) - o;
            }
        }
    }

    static constexpr int code_bits = 4;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get()) * static_cast<float>(packed.sub.scale(group));
        offset[0] = -(float16_to_float(packed.offset.get()) * static_cast<float>(packed.sub.offset(group)));
        for (std::size_t i = 0; i < 32; ++i) {
            const std::uint8_t pair = packed.codes[group / 2 * 32 + i];
            codes[i] = group % 2 == 0 ? pair & 15 : pair >> 4;
        }
    }

    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units], offset[Units], inverse[Units], low[Units], weight[Units];
    };

    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        auto squares = f32x<N>::set(0.0f);
        for (std::size_t i = 0; i < 32; ++i) squares = squares + f32x<N>::load(x[i]) * f32x<N>::load(x[i]);
        const auto spread = sqrt(squares / f32x<N>::set(32.0f));
        alignas(64) float weights[32][N];
        for (std::size_t i = 0; i < 32; ++i) (spread + abs(f32x<N>::load(x[i]))).store(weights[i]);
        keep(find_scale_and_offset<15, N>(x, weights, {-1.0f, 0.1f, 20, false}), found, at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        float largest_scale = 0.0f, largest_offset = 0.0f;
        for (std::size_t j = at; j < at + 8; ++j) {
            largest_scale = found.scale[j] > largest_scale ? found.scale[j] : largest_scale;
            largest_offset = found.offset[j] > largest_offset ? found.offset[j] : largest_offset;
        }
        const float to_scale = largest_scale > 0.0f ? 63.0f / largest_scale : 0.0f;
        const float to_offset = largest_offset > 0.0f ? 63.0f / largest_offset : 0.0f;
        std::uint8_t scales[8], offsets[8];
        const auto code_of = [](float v) NIBBLE_LAMBDA_INLINE {
            const int code = round_even(f32x<1>{v}).raw & 255;
            return static_cast<std::uint8_t>(code > 63 ? 63 : code);
        };
        for (std::size_t j = 0; j < 8; ++j) {
            scales[j] = code_of(to_scale * found.scale[at + j]);
            offsets[j] = code_of(to_offset * found.offset[at + j]);
        }
        write<N>(values, found, at, largest_scale / 63.0f, largest_offset / 63.0f, scales, offsets, packed);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        weigh<N>(x, importance, sigma, weights).store(found.weight + at);
        keep(find_scale_and_offset<15, N>(x, weights, {-0.9f, 0.05f, 36, false}), found, at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t scales[8], offsets[8];
        const float scale = find_sub_scales<63, 8>(found.scale + at, found.weight + at, scales);
        const float offset = find_sub_scales<63, 8>(found.offset + at, found.weight + at, offsets);
        write<N>(values, found, at, scale, offset, scales, offsets, packed);
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<q4_k>(values.data(), packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static void keep(const offset_fit<N>& fit, auto& found, std::size_t at) noexcept {
        fit.scale.store(found.scale + at);
        fit.offset.store(found.offset + at);
        fit.inverse.store(found.inverse + at);
        fit.low.store(found.low + at);
    }
    /// Codes come from the rounded scales; a sub-block whose scale rounded to 0 keeps the codes of its search.
    template <int N>
    NIBBLE_INLINE static void write(const float* values, const auto& found, std::size_t at, float scale, float offset,
                                    const std::uint8_t (&scales)[8], const std::uint8_t (&offsets)[8], block& packed) noexcept {
        packed.scale.set(float_to_float16(scale));
        packed.offset.set(float_to_float16(offset));
        packed.sub.set(scales, offsets);
        const float rounded_scale = float16_to_float(packed.scale.get()), rounded_offset = float16_to_float(packed.offset.get());
        std::uint8_t codes[256];
        for (std::size_t j = 0; j < 8; ++j) {
            const float s = rounded_scale * static_cast<float>(scales[j]);
            const auto o = f32x<N>::set(rounded_offset * static_cast<float>(offsets[j]));
            for (std::size_t i = 32 * j; i < 32 * j + 32; i += N) {
                const auto v = f32x<N>::load(values + i);
                const auto level = s != 0.0f ? (v + o) / f32x<N>::set(s)
                                             : f32x<N>::set(found.inverse[at + j]) * (v - f32x<N>::set(found.low[at + j]));
                store_bytes(clamp(round_even(level), 0, 15), codes + i);
            }
        }
        for (std::size_t k = 0; k < 4; ++k) {
            for (std::size_t i = 0; i < 32; ++i) {
                packed.codes[32 * k + i] = static_cast<std::uint8_t>(codes[64 * k + i] | (codes[64 * k + 32 + i] << 4));
            }
        }
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
