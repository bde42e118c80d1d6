// iq2_xs: 2.31 bits. Eight magnitudes at once from a codebook of 512 points, with signs and a 4-bit sub-scale for 16 elements.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/points.hpp"
#include "nibble/format/codebook/layout.hpp"
#include "nibble/format/codebook/point_block.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/search/codebook.hpp"
#include "nibble/format/search/odd_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 74 bytes: [scale fp16][32 x u16: 9 bits index, 7 signs on top][8 bytes: sub-scales of 16, even sub-block low nibble]
/// The sign of the eighth element makes the product of eight signs positive.
/// value = scale * (0.5 + sub_scale) * 0.25 * sign * codebook[index]
///
/// ggml refuses this format without importance. nibble does not: the weights are then the squares of the values, as in iq3_xxs.
struct iq2_xs : signed_point_block<iq2_xs, iq2_xs_book, 16> {
    static constexpr std::string_view name = "iq2_xs";
    static constexpr std::uint32_t gguf_type = 17;
    using layout = nibble::layout::points_with_signs<iq2_xs_book>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        stored<std::uint16_t> codes[32];
        std::uint8_t sub_scales[8];
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int code = (packed.sub_scales[j / 2] >> (4 * (j % 2))) & 15;
        return float16_to_float(packed.scale.get()) * (0.5f + static_cast<float>(code)) * 0.25f;
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept { return packed.codes[k].get() & 511u; }
    NIBBLE_INLINE static constexpr std::uint32_t signs(const block& packed, std::size_t k) noexcept {
        return even_signs(std::uint32_t{packed.codes[k].get()} >> 9);
    }

    static constexpr int code_bits = 7;
    static constexpr panel_form panels = panels_of_magnitudes(43, factor_form::multiples, iq2_xs_book::values);

    static constexpr std::size_t unit_size = 16;
    struct rules {
        using book = iq2_xs_book;
        static constexpr std::size_t length = 16;
        static constexpr bool even_signs = true, fitted_start = false, repeat_all = false;
        static constexpr int trials = 9;
        static constexpr float step = 0.1f;
        NIBBLE_INLINE static auto is_empty(const auto& largest) noexcept { return largest < largest.set(1e-15f); }
    };
    template <std::size_t Units>
    using fits = codebook_fits<rules, Units>;

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[16][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[16][N];
        weigh_squares<N>(x, weights);
        find_points<rules, N>(x, weights, found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float*, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t codes[16];
        const float scale = find_odd_codes<15>(found.scale + at, 16, codes);
        if (scale == 0.0f) {
            packed = {};
            return;
        }
        packed.scale.set(float_to_float16(scale));
        for (std::size_t k = 0; k < 32; ++k) {
            const std::size_t from = 2 * at + k;
            packed.codes[k].set(static_cast<std::uint16_t>(found.index[from] | (found.signs[from] << 9)));
        }
        for (std::size_t j = 0; j < 8; ++j) packed.sub_scales[j] = static_cast<std::uint8_t>(codes[2 * j] | (codes[2 * j + 1] << 4));
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[16][N], const float (&importance)[16][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[16][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_points<rules, N>(x, weights, found, at);
    }

    struct best_rules : signed_point_rules<rules> {
        static constexpr float factor = 0.125f;
    };
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(best_input<N, 256>& input, block* out) noexcept {
        best_points<best_rules, N> found;
        point_search<best_rules, N>(input.x, input.w).run(input.units(), {}, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            block& packed = out[lane];
            packed = {};
            packed.scale.set(found.scale[lane]);
            for (std::size_t k = 0; k < 32; ++k) {
                packed.codes[k].set(static_cast<std::uint16_t>(found.index[lane][k] | ((found.signs[lane][k] & 127) << 9)));
            }
            for (std::size_t j = 0; j < 8; ++j)
                packed.sub_scales[j] = static_cast<std::uint8_t>(found.sub[lane][2 * j] | (found.sub[lane][2 * j + 1] << 4));
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq2_xs>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
