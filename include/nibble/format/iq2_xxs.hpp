// iq2_xxs: 2.06 bits. Eight magnitudes at once from a codebook of 256 points, with their signs and a 4-bit sub-scale for 32 elements.
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

/// 66 bytes: [scale fp16], then for each sub-block of 32: [4 indices, 8 bits][u32: 4 x 7 signs, 4 bits sub-scale on top]
/// The sign of the eighth element makes the product of eight signs positive.
/// value = scale * (0.5 + sub_scale) * 0.25 * sign * codebook[index]
///
/// ggml refuses this format without importance. nibble does not: the weights are then the squares of the values, as in iq3_xxs.
struct iq2_xxs : signed_point_block<iq2_xxs, iq2_xxs_book, 32> {
    static constexpr std::string_view name = "iq2_xxs";
    static constexpr std::uint32_t gguf_type = 16;
    using layout = nibble::layout::points_beside_signs<iq2_xxs_book>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        struct {
            std::uint8_t index[4];
            stored<std::uint32_t> signs_and_scale;
        } sub[8];
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const auto code = packed.sub[j].signs_and_scale.get() >> 28;
        return float16_to_float(packed.scale.get()) * (0.5f + static_cast<float>(code)) * 0.25f;
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept { return packed.sub[k / 4].index[k % 4]; }
    NIBBLE_INLINE static constexpr std::uint32_t signs(const block& packed, std::size_t k) noexcept {
        return even_signs((packed.sub[k / 4].signs_and_scale.get() >> (7 * (k % 4))) & 127u);
    }

    static constexpr int code_bits = 7;
    static constexpr panel_form panels = panels_of_magnitudes(43, factor_form::multiples, iq2_xxs_book::values);

    static constexpr std::size_t unit_size = 32;
    struct rules {
        using book = iq2_xxs_book;
        static constexpr std::size_t length = 32;
        static constexpr bool even_signs = true, fitted_start = true, repeat_all = true;
        static constexpr int trials = 6;
        static constexpr float step = 0.1f;
        NIBBLE_INLINE static auto is_empty(const auto& largest) noexcept { return largest < largest.set(1e-15f); }
    };
    template <std::size_t Units>
    using fits = codebook_fits<rules, Units>;

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        weigh_squares<N>(x, weights);
        find_points<rules, N>(x, weights, found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float*, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t codes[8];
        const float scale = find_odd_codes<15>(found.scale + at, 8, codes);
        if (scale == 0.0f) {
            packed = {};
            return;
        }
        packed.scale.set(float_to_float16(scale));
        for (std::size_t j = 0; j < 8; ++j) {
            std::uint32_t signs = 0;
            for (std::size_t k = 0; k < 4; ++k) {
                const std::size_t from = (at + j) * 4 + k;
                packed.sub[j].index[k] = static_cast<std::uint8_t>(found.index[from]);
                signs |= std::uint32_t{found.signs[from]} << (7 * k);
            }
            packed.sub[j].signs_and_scale.set(signs | (std::uint32_t{codes[j]} << 28));
        }
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
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
            for (std::size_t j = 0; j < 8; ++j) {
                std::uint32_t signs = 0;
                for (std::size_t k = 0; k < 4; ++k) {
                    packed.sub[j].index[k] = static_cast<std::uint8_t>(found.index[lane][4 * j + k]);
                    signs |= (found.signs[lane][4 * j + k] & 127u) << (7 * k);
                }
                packed.sub[j].signs_and_scale.set(signs | (std::uint32_t{found.sub[lane][j]} << 28));
            }
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq2_xxs>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
