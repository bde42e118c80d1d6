// What the super-blocks with sub-scales and sub-offsets share, those of 2, 4 and 5 bits. Source of the arithmetic: ggml's
// quantize_row_q4_K_ref and quantize_row_q4_K_impl, and theirs for 2 and 5 bits.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/sub_lines.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/search/sub_scales.hpp"
#include "nibble/format/search/with_offset.hpp"
#include "nibble/format/stacked_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The codes of eight groups of 32 elements: 2 or 4 bits stacked.
template <int Bits>
struct group_codes : stacked_codes<Bits> {};

/// The fifth bits, then the low ones.
template <>
struct group_codes<5> {
    stacked_codes<1> high;
    stacked_codes<4> low;

    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(low.at(group, i) | (high.at(group, i) << 4));
    }
    NIBBLE_INLINE void set(const std::uint8_t (&codes)[256]) noexcept {
        high.set<4>(codes);
        low.set(codes);
    }
};

/// A block, in the order of the file.
template <int Bits>
struct offset_block_bytes {
    stored<std::uint16_t> scale, offset;
    sub_scales_6bit sub;
    group_codes<Bits> codes;
};
template <>
struct offset_block_bytes<2> {
    sub_scales_4bit sub;
    group_codes<2> codes;
    stored<std::uint16_t> scale, offset;
};

/// value = scale * sub_scale * code - offset * sub_offset, with a sub_scale and a sub_offset for 32 elements (2 bits: 16).
/// Format::trials are the candidates of its search without importance.
template <class Format, int Bits>
struct offset_super_block {
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::size_t length = Bits == 2 ? 16 : 32, count = block_size / length;  ///< of sub-blocks
    static constexpr int max_code = (1 << Bits) - 1, max_sub = Bits == 2 ? 15 : 63;

    using block = offset_block_bytes<Bits>;

    static constexpr float safe_magnitude = float16_max * static_cast<float>((max_sub + 1) / 4);
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return is_finite_float16(packed.scale.get()) && is_finite_float16(packed.offset.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        for (std::size_t group = 0; group < 8; ++group) {
            std::uint8_t codes[32];
            packed.codes.get(group, codes);
            for (std::size_t part = 0; part < parts; ++part) {
                const std::size_t j = group * parts + part;
                const float scale = scale_of(packed, j), offset = offset_of(packed, j);
                for (std::size_t i = 0; i < length; ++i) {
                    values[length * j + i] = scale * static_cast<float>(codes[length * part + i]) - offset;
                }
            }
        }
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 32 / length;
    static constexpr panel_form panels = panel_form{-1, factor_form::multiples}.with_multiples(0, max_sub);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[parts],
                                     float (&offset)[parts]) noexcept {
        for (std::size_t part = 0; part < parts; ++part) {
            scale[part] = scale_of(packed, group * parts + part);
            offset[part] = -offset_of(packed, group * parts + part);
        }
        packed.codes.get(group, codes);
    }

    static constexpr int strands = 2;
    static constexpr std::size_t unit_size = length;
    template <std::size_t Units>
    struct fits {
        float scale[Units], offset[Units], inverse[Units], low[Units];
        // With importance:
        float weight[Units], block_scale[Units / count], block_offset[Units / count];
        std::uint8_t sub_scale[Units], sub_offset[Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[length][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[length][N];
        Format::template weigh_alone<N>(x, weights);
        keep(find_scale_and_offset<max_code, N>(x, weights, Format::trials), found, at);
    }
    /// Weights without importance.
    template <lane_count auto N>
    NIBBLE_INLINE static void weigh_alone(const float (&x)[length][N], float (&weights)[length][N]) noexcept {
        auto squares = f32x<N>::set(0.0f);
        for (std::size_t i = 0; i < length; ++i) squares = squares + f32x<N>::load(x[i]) * f32x<N>::load(x[i]);
        const auto spread = sqrt(squares / f32x<N>::set(static_cast<float>(length)));
        for (std::size_t i = 0; i < length; ++i) (spread + abs(f32x<N>::load(x[i]))).store(weights[i]);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        constexpr float top = static_cast<float>(max_sub);
        float largest_scale = 0.0f, largest_offset = 0.0f;
        for (std::size_t j = at; j < at + count; ++j) {
            largest_scale = found.scale[j] > largest_scale ? found.scale[j] : largest_scale;
            largest_offset = found.offset[j] > largest_offset ? found.offset[j] : largest_offset;
        }
        const float to_scale = largest_scale > 0.0f ? top / largest_scale : 0.0f;
        const float to_offset = largest_offset > 0.0f ? top / largest_offset : 0.0f;
        std::uint8_t scales[count], offsets[count];
        const auto code_of = [](float v) NIBBLE_LAMBDA_INLINE {
            const int code = round_even(f32x<1>{v}).raw & 255;
            return static_cast<std::uint8_t>(code > max_sub ? max_sub : code);
        };
        for (std::size_t j = 0; j < count; ++j) {
            scales[j] = code_of(to_scale * found.scale[at + j]);
            offsets[j] = code_of(to_offset * found.offset[at + j]);
        }
        write<N>(values, found, at, largest_scale / top, largest_offset / top, scales, offsets, packed);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t elements) noexcept { return doubled_mean(sum_of_squares, elements); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[length][N], const float (&importance)[length][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[length][N];
        weigh<N>(x, importance, sigma, weights).store(found.weight + at);
        keep(find_scale_and_offset<max_code, N>(x, weights, {-0.9f, 0.05f, 36, false}), found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void settle(auto& found) noexcept {
        alignas(64) float x[count][N], weights[count][N];
        gather_rows<N>(found.weight, weights);
        gather_rows<N>(found.scale, x);
        settle_one<N>(x, weights, found.block_scale, found.sub_scale);
        gather_rows<N>(found.offset, x);
        settle_one<N>(x, weights, found.block_offset, found.sub_offset);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t scales[count], offsets[count];
        __builtin_memcpy(scales, found.sub_scale + at, count);
        __builtin_memcpy(offsets, found.sub_offset + at, count);
        write<N>(values, found, at, found.block_scale[at / count], found.block_offset[at / count], scales, offsets, packed);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 256>& input, block* out) noexcept {
        constexpr sub_line_trials best_trials = {{-0.01f, 0.03f, 3, 0}, 6, 0.01f, 3, 2, 2};
        sub_lines<count, N> found;
        find_best_sub_lines<max_code, float16_scale, max_sub, count, length>(input.x, input.w, input.units(), best_trials, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            block& packed = out[lane];
            std::uint8_t codes[256], scales[count], offsets[count];
            for (std::size_t j = 0; j < count; ++j) {
                const float k = found.sub_scale[j][lane], m = found.sub_offset[j][lane];
                scales[j] = static_cast<std::uint8_t>(k);
                offsets[j] = static_cast<std::uint8_t>(m);
                input.template codes<uniform_levels<0, max_code>, length>(lane, length * j, found.scale[lane] * k, found.offset[lane] * m,
                                                                          codes + length * j);
            }
            packed.scale.set(float_to_float16(found.scale[lane] * input.unit[lane]));
            packed.offset.set(float_to_float16(found.offset[lane] * input.unit[lane]));
            packed.sub.set(scales, offsets);
            packed.codes.set(codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }

private:
    NIBBLE_INLINE static constexpr float scale_of(const block& packed, std::size_t j) noexcept {
        return float16_to_float(packed.scale.get()) * static_cast<float>(packed.sub.scale(j));
    }
    NIBBLE_INLINE static constexpr float offset_of(const block& packed, std::size_t j) noexcept {
        return float16_to_float(packed.offset.get()) * static_cast<float>(packed.sub.offset(j));
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void keep(const offset_fit<N>& fit, auto& found, std::size_t at) noexcept {
        fit.scale.store(found.scale + at);
        fit.offset.store(found.offset + at);
        fit.inverse.store(found.inverse + at);
        fit.low.store(found.low + at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void settle_one(const float (&x)[count][N], const float (&weights)[count][N], float* scale, std::uint8_t* codes) noexcept {
        alignas(64) std::int32_t sub[count][N];
        find_sub_scales<max_sub, N>(x, weights, sub).store(scale);
        spread_codes<N>(sub, codes);
    }
    /// Codes come from the rounded scales; a sub-block whose scale rounded to 0 keeps the codes of its search.
    template <lane_count auto N>
    NIBBLE_INLINE static void write(const float* values, const auto& found, std::size_t at, float scale, float offset,
                                    const std::uint8_t (&scales)[count], const std::uint8_t (&offsets)[count], block& packed) noexcept {
        packed.scale.set(float_to_float16(scale));
        packed.offset.set(float_to_float16(offset));
        packed.sub.set(scales, offsets);
        std::uint8_t codes[256];
        for (std::size_t j = 0; j < count; ++j) {
            const float s = scale_of(packed, j), o = offset_of(packed, j);
            for (std::size_t i = length * j; i < length * (j + 1); i += N) {
                const auto v = f32x<N>::load(values + i);
                const auto level = s != 0.0f ? (v + f32x<N>::set(o)) / f32x<N>::set(s)
                                             : f32x<N>::set(found.inverse[at + j]) * (v - f32x<N>::set(found.low[at + j]));
                store_bytes(clamp(round_even(level), 0, max_code), codes + i);
            }
        }
        packed.codes.set(codes);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
