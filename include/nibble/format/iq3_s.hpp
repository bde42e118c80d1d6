// iq3_s: 3.44 bits. Four magnitudes at once from a codebook of 512 points, free signs, a 4-bit sub-scale for 32 elements.
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

/// 110 bytes: [scale fp16][64 indices, low 8 bits][8 bytes: bit k of byte j is bit 8 of index k of sub-block j]
///            [32 bytes of signs][4 bytes: sub-scales, even sub-block low nibble]
/// value = scale * (1 + 2 * sub_scale) * sign * codebook[index]
struct iq3_s : signed_point_block<iq3_s, iq3_s_book, 32> {
    static constexpr std::string_view name = "iq3_s";
    static constexpr std::uint32_t gguf_type = 21;
    using layout = nibble::layout::quads_and_signs<iq3_s_book>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t index[64];
        std::uint8_t high[8];
        std::uint8_t signs[32];
        std::uint8_t sub_scales[4];
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int code = (packed.sub_scales[j / 2] >> (4 * (j % 2))) & 15;
        return float16_to_float(packed.scale.get()) * static_cast<float>(1 + 2 * code);
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept {
        return packed.index[k] | (((packed.high[k / 8] >> (k % 8)) & std::size_t{1}) << 8);
    }
    NIBBLE_INLINE static constexpr std::uint32_t signs(const block& packed, std::size_t k) noexcept { return packed.signs[k]; }

    static constexpr int code_bits = 5;
    static constexpr panel_form panels = panels_of_magnitudes(16, factor_form::multiples, iq3_s_book::values);

    static constexpr std::size_t unit_size = 32;
    struct rules {
        using book = iq3_s_book;
        static constexpr std::size_t length = 32;
        static constexpr bool even_signs = false, fitted_start = false, repeat_all = true;
        static constexpr int trials = 9;
        static constexpr float step = 0.2f;
        NIBBLE_INLINE static auto is_empty(const auto& largest) noexcept { return largest == largest.set(0.0f); }
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
        packed = {};
        packed.scale.set(float_to_float16(scale * 1.033f));  // source of the factor: ggml, which found it by measurement
        // The reference does not advance over an all-zero sub-block where it writes indices and signs: what follows moves forward and
        // decodes wrongly. Same bytes means same defect.
        std::size_t to = 0;
        for (std::size_t j = 0; j < 8; ++j) {
            packed.sub_scales[j / 2] = static_cast<std::uint8_t>(packed.sub_scales[j / 2] | (codes[j] << (4 * (j % 2))));
            if (found.empty[at + j]) continue;
            for (std::size_t k = 0; k < 8; ++k) {
                const std::uint16_t index = found.index[(at + j) * 8 + k];
                packed.index[8 * to + k] = static_cast<std::uint8_t>(index);
                packed.high[j] = static_cast<std::uint8_t>(packed.high[j] | ((index >> 8) << k));
            }
            for (std::size_t k = 0; k < 4; ++k) packed.signs[4 * to + k] = found.signs[(at + j) * 4 + k];
            ++to;
        }
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_points<rules, N>(x, weights, found, at);
    }

    struct best_rules : signed_point_rules<rules> {
        static constexpr float factor = 1.0f;
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
                packed.sub_scales[j / 2] = static_cast<std::uint8_t>(packed.sub_scales[j / 2] | (found.sub[lane][j] << (4 * (j % 2))));
            }
            for (std::size_t k = 0; k < 64; ++k) {
                packed.index[k] = static_cast<std::uint8_t>(found.index[lane][k]);
                packed.high[k / 8] = static_cast<std::uint8_t>(packed.high[k / 8] | ((found.index[lane][k] >> 8) << (k % 8)));
            }
            __builtin_memcpy(packed.signs, found.signs[lane], sizeof packed.signs);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq3_s>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
