// What the formats with values -1, 0 and 1 times a scale share. Source of the arithmetic: ggml's quantize_row_tq1_0_ref,
// quantize_row_tq2_0_ref and quantize_row_q2_0_ref: the scale is the largest magnitude, which suits weights that are ternary already.
#pragma once

#include <span>

#include "nibble/base/lane_float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/search/magnitude.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// value = scale * (code - 1), codes 0 .. 2. Block has `scale` and `codes`, and codes have get(group, codes of 32) and
/// set(codes of Size). Format::code_without_inverse is every code of a block whose scale is too small for an inverse; largest_level is the
/// largest level that codes stand for: 1, or 2 if all four codes of two bits are legal.
template <class Format, class Block, std::size_t Size>
struct ternary_block {
    static constexpr std::size_t block_size = Size;
    using block = Block;

    static constexpr float safe_magnitude = float16_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, Size> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t group = 0; group < Size / 32; ++group) {
            std::uint8_t codes[32];
            packed.codes.get(group, codes);
            for (std::size_t i = 0; i < 32; ++i) values[32 * group + i] = scale * static_cast<float>(codes[i] - 1);
        }
    }

    static constexpr int code_bits = 2;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels = panel_form{1, Size == 256 ? factor_form::multiples : factor_form::halves}.with_multiples(-1, 1);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -scale[0];
        packed.codes.get(group, codes);
    }

    /// The scale is the largest magnitude, so that the last code of two bits is never used.
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        const auto scale = find_magnitudes<N, Size>(values);
        const code_rule<N> rule(scale, 1.0f);
        std::int32_t halves[N];
        to_float16(scale).store(halves);
        for (std::size_t b = 0; b < N; ++b, values += Size) {
            const auto inverse = f32x<N>::set(rule.inverse[b]);
            const auto middle = i32x<N>::set(rule.rounding[b] != 0.0f ? 1 : Format::code_without_inverse);
            out[b].scale.set(static_cast<std::uint16_t>(halves[b]));
            std::uint8_t codes[Size];
            store_bytes<N, Size>(codes, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
                return round_away(f32x<N>::load(values + i) * inverse) + middle;
            });
            out[b].codes.set(codes);
        }
    }

    /// Levels up to Format::largest_level and any scale.
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, Size>& input, block* out) noexcept {
        using levels = uniform_levels<-1, Format::largest_level>;
        alignas(64) float scale[N];
        find_best_scale<levels, float16_scale, Size>(input.x, input.w, input.units(), Format::best_trials).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            std::uint8_t codes[Size];
            input.template codes<levels, Size>(lane, 0, scale[lane], 0.0f, codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            out[lane].codes.set(codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, Size> values, block& packed) noexcept { encode_block<Format>(values.data(), packed); }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
