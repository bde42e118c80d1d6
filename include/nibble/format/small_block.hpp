// What the formats with 32 codes of 4 or 5 bits share. Source of the arithmetic: ggml's quantize_row_q4_0_ref and its like; with
// importance quantize_q4_0 and its like.
#pragma once

#include <span>

#include "nibble/base/lane_float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/line.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/search/magnitude.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/search/with_offset.hpp"
#include "nibble/format/split_codes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
/// The variance term of importance is that of the whole row.
struct weighted_by_row {
    static constexpr bool row_sigma = true;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
};

/// weights = importance * sqrt(sigma + x * x) in each lane.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void weigh_by_row(const float (&x)[Count][N], const float (&importance)[Count][N], const f32x<N>& sigma,
                                float (&weights)[Count][N]) noexcept {
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = f32x<N>::load(x[i]);
        (f32x<N>::load(importance[i]) * sqrt(sigma + v * v)).store(weights[i]);
    }
}

/// Packs codes that are there already.
template <int Bits, lane_count auto N>
NIBBLE_INLINE void set_codes(const std::int32_t (&codes)[32], split_codes<Bits>& packed) noexcept {
    packed.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return i32x<N>::load(codes + i); });
}
}  // namespace detail

/// [scale fp16][codes]; value = scale * (code - middle), where middle is half the number of codes.
template <class Format, int Bits>
struct centered_block : detail::weighted_by_row {
    static constexpr std::size_t block_size = 32;
    static constexpr int middle = 1 << (Bits - 1);

    struct block {
        stored<std::uint16_t> scale;
        split_codes<Bits> codes;
    };

    static constexpr float safe_magnitude = float16_max * static_cast<float>(middle / 2);
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i] - middle);
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels{middle, factor_form::halves};
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -static_cast<float>(middle) * scale[0];
        packed.codes.get(codes);
    }

    /// The scale maps the value of largest magnitude to code 0, so its sign gets the extra level.
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        const auto scale = find_extremes<N, 32>(values) / f32x<N>::set(-static_cast<float>(middle));
        const code_rule<N> rule(scale, static_cast<float>(middle) + 0.5f);
        std::int32_t halves[N];
        to_float16(scale).store(halves);
        for (std::size_t b = 0; b < N; ++b, values += 32) {
            const auto inverse = f32x<N>::set(rule.inverse[b]), rounding = f32x<N>::set(rule.rounding[b]);
            out[b].scale.set(static_cast<std::uint16_t>(halves[b]));
            out[b].codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
                return cut_off(f32x<N>::load(values + i) * inverse + rounding, 2 * middle - 1);
            });
        }
    }

    /// With importance: the symmetric search, whose codes are stored as found.
    static constexpr std::size_t unit_size = 32;
    static constexpr int strands = 2;
    template <std::size_t Units>
    struct fits {
        float scale[Units], inverse[Units];
        std::int32_t zero_point[Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale<middle, N>(x, weights);
        fit.scale.store(found.scale + at);
        fit.inverse.store(found.inverse + at);
        // An empty block gets code 0 from the reference, not the middle.
        select(fit.empty, i32x<N>::set(0), i32x<N>::set(middle)).store(found.zero_point + at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]);
        const auto zero_point = i32x<N>::set(found.zero_point[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(round_even(inverse * f32x<N>::load(values + i)), -middle, middle - 1) + zero_point;
        });
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        using levels = uniform_levels<-middle, middle - 1>;
        constexpr scale_trials trials = {0.875f * middle, Bits == 4 ? 0.25f : 0.4f, 14, 0};
        alignas(64) float scale[N];
        find_best_scale<levels, float16_scale, 32>(input.x, input.w, input.units(), trials).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<levels, 32>(lane, 0, scale[lane], 0.0f, codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            detail::set_codes<Bits, N>(codes, out[lane].codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }
};

/// [scale fp16][offset fp16][codes]; value = scale * code + offset.
template <class Format, int Bits>
struct shifted_block : detail::weighted_by_row {
    static constexpr std::size_t block_size = 32;
    static constexpr int max_code = (1 << Bits) - 1;

    struct block {
        stored<std::uint16_t> scale, offset;
        split_codes<Bits> codes;
    };

    /// The offset is about the least value, and the search may move it a little further.
    static constexpr float safe_magnitude = float16_max * 0.5f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return is_finite_float16(packed.scale.get()) && is_finite_float16(packed.offset.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get()), offset = float16_to_float(packed.offset.get());
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i]) + offset;
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels{-1, factor_form::halves};
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = float16_to_float(packed.offset.get());
        packed.codes.get(codes);
    }

    /// The least value gets code 0, the largest the last code.
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        f32x<N> low, high;
        find_ranges<N, 32>(values, low, high);
        const auto scale = (high - low) / f32x<N>::set(static_cast<float>(max_code));
        const code_rule<N> rule(scale, 0.5f);
        std::int32_t halves[N], offset_halves[N];
        float lows[N];
        to_float16(scale).store(halves);
        to_float16(low).store(offset_halves);
        low.store(lows);
        for (std::size_t b = 0; b < N; ++b, values += 32) {
            const auto inverse = f32x<N>::set(rule.inverse[b]), rounding = f32x<N>::set(rule.rounding[b]), from = f32x<N>::set(lows[b]);
            out[b].scale.set(static_cast<std::uint16_t>(halves[b]));
            out[b].offset.set(static_cast<std::uint16_t>(offset_halves[b]));
            out[b].codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
                // At most max_code + 1/2 and a little. Only C minds numbers that are none, which scales beyond fp16 lead to.
                const auto position = (f32x<N>::load(values + i) - from) * inverse + rounding;
                if constexpr (N == 1) return cut_off(position, max_code);
                else return truncate(position);
            });
        }
    }

    /// With importance: the search for scale and offset, whose codes are stored as found.
    static constexpr std::size_t unit_size = 32;
    static constexpr int strands = 2;
    template <std::size_t Units>
    struct fits {
        float scale[Units], offset[Units], inverse[Units], low[Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale_and_offset<max_code, N>(x, weights, {-0.9f, 0.05f, 36, false});
        fit.scale.store(found.scale + at);
        (-fit.offset).store(found.offset + at);
        fit.inverse.store(found.inverse + at);
        fit.low.store(found.low + at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), low = f32x<N>::set(found.low[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.offset.set(float_to_float16(found.offset[at]));
        packed.codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(round_even(inverse * (f32x<N>::load(values + i) - low)), 0, max_code);
        });
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        using levels = uniform_levels<0, max_code>;
        constexpr line_trials trials = {Bits == 4 ? -0.02f : -0.015f, Bits == 4 ? 0.04f : 0.02f, 4, 2};
        const auto line = find_best_line<max_code, float16_scale, 32>(input.x, input.w, input.units(), trials);
        alignas(64) float scale[N], offset[N];
        line.scale.store(scale);
        line.offset.store(offset);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<levels, 32>(lane, 0, scale[lane], -offset[lane], codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            out[lane].offset.set(float_to_float16(offset[lane] * input.unit[lane]));
            detail::set_codes<Bits, N>(codes, out[lane].codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
