// What the super-blocks with eight sub-scales and sub-offsets share: q4_k and q5_k differ in a bit. Source of the arithmetic: ggml's
// quantize_row_q4_K_ref and quantize_row_q4_K_impl, and theirs for 5 bits.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/search/sub_scales.hpp"
#include "nibble/format/search/with_offset.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The codes of eight groups of 32 elements.
template <int Bits>
struct paired_codes;

/// 128 bytes: run k of 32 holds group 2k in its low and 2k + 1 in its high nibbles.
template <>
struct paired_codes<4> {
    std::uint8_t low[128];

    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) {
            const std::uint8_t pair = low[group / 2 * 32 + i];
            codes[i] = group % 2 == 0 ? pair & 15 : pair >> 4;
        }
    }
    /// @param code_at  the codes of elements i .. i + N - 1 of a group as i32x<N>
    template <int N>
    NIBBLE_INLINE void set(auto code_at) noexcept {
        for (std::size_t k = 0; k < 4; ++k) {
            for (std::size_t i = 0; i < 32; i += N) store_bytes(code_at(2 * k, i) | (code_at(2 * k + 1, i) << 4), low + 32 * k + i);
        }
    }
};

/// 160 bytes: 32 whose bit g of byte i is the fifth bit of element i of group g, then the nibbles.
template <>
struct paired_codes<5> {
    std::uint8_t high[32];
    std::uint8_t low[128];

    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) {
            const std::uint8_t pair = low[group / 2 * 32 + i];
            codes[i] = static_cast<std::uint8_t>((group % 2 == 0 ? pair & 15 : pair >> 4) | (((high[i] >> group) & 1) << 4));
        }
    }
    template <int N>
    NIBBLE_INLINE void set(auto code_at) noexcept {
        const auto nibble = i32x<N>::set(15), bit = i32x<N>::set(1);
        for (std::size_t i = 0; i < 32; i += N) {
            auto fifth = i32x<N>::set(0);
            for (std::size_t k = 0; k < 4; ++k) {
                const auto a = code_at(2 * k, i), b = code_at(2 * k + 1, i);
                store_bytes((a & nibble) | (b << 4), low + 32 * k + i);
                fifth = fifth | ((((a >> 4) & bit) | ((b >> 3) & (bit + bit))) << (2 * static_cast<int>(k)));
            }
            store_bytes(fifth, high + i);
        }
    }
};

/// [scale fp16][offset fp16][12 bytes: 8 pairs of 6-bit sub-scale and sub-offset][codes];
/// value = scale * sub_scale * code - offset * sub_offset. Format::trials are the candidates of its search without importance.
template <class Format, int Bits>
struct offset_super_block {
    static constexpr std::size_t block_size = super_block_size;
    static constexpr int max_code = (1 << Bits) - 1;

    struct block {
        stored<std::uint16_t> scale, offset;
        sub_scales_6bit sub;
        paired_codes<Bits> codes;
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return is_finite_float16(packed.scale.get()) && is_finite_float16(packed.offset.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        const float scale = float16_to_float(packed.scale.get()), offset = float16_to_float(packed.offset.get());
        for (std::size_t j = 0; j < 8; ++j) {
            const float s = scale * static_cast<float>(packed.sub.scale(j)), o = offset * static_cast<float>(packed.sub.offset(j));
            std::uint8_t codes[32];
            packed.codes.get(j, codes);
            for (std::size_t i = 0; i < 32; ++i) values[32 * j + i] = s * static_cast<float>(codes[i]) - o;
        }
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get()) * static_cast<float>(packed.sub.scale(group));
        offset[0] = -(float16_to_float(packed.offset.get()) * static_cast<float>(packed.sub.offset(group)));
        packed.codes.get(group, codes);
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
        keep(find_scale_and_offset<max_code, N>(x, weights, Format::trials), found, at);
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
        keep(find_scale_and_offset<max_code, N>(x, weights, {-0.9f, 0.05f, 36, false}), found, at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t scales[8], offsets[8];
        const float scale = find_sub_scales<63, 8>(found.scale + at, found.weight + at, scales);
        const float offset = find_sub_scales<63, 8>(found.offset + at, found.weight + at, offsets);
        write<N>(values, found, at, scale, offset, scales, offsets, packed);
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
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
        packed.codes.template set<N>([&](std::size_t group, std::size_t i) NIBBLE_LAMBDA_INLINE {
            const float s = rounded_scale * static_cast<float>(scales[group]), o = rounded_offset * static_cast<float>(offsets[group]);
            const auto v = f32x<N>::load(values + 32 * group + i);
            const auto level = s != 0.0f ? (v + f32x<N>::set(o)) / f32x<N>::set(s)
                                         : f32x<N>::set(found.inverse[at + group]) * (v - f32x<N>::set(found.low[at + group]));
            return clamp(round_even(level), 0, max_code);
        });
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
