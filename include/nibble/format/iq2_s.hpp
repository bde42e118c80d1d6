// iq2_s: 2.56 bits. Eight magnitudes at once from a codebook of 1024 points, free signs, a 4-bit sub-scale for 16 elements.
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

/// 82 bytes: [scale fp16][32 indices, low 8 bits][32 bytes of signs][8 bytes: bits 8 and 9 of 4 indices, the first lowest]
///           [8 bytes: sub-scales of 16, even sub-block low nibble]
/// value = scale * (0.5 + sub_scale) * 0.25 * sign * codebook[index]
struct iq2_s : signed_point_block<iq2_s, iq2_s_book, 16> {
    static constexpr std::string_view name = "iq2_s";
    static constexpr std::uint32_t gguf_type = 22;
    using layout = nibble::layout::points_and_signs<iq2_s_book>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t index[32];
        std::uint8_t signs[32];
        std::uint8_t high[8];
        std::uint8_t sub_scales[8];
    };

    static constexpr float safe_magnitude = float16_max * 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int code = (packed.sub_scales[j / 2] >> (4 * (j % 2))) & 15;
        return float16_to_float(packed.scale.get()) * (0.5f + static_cast<float>(code)) * 0.25f;
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept {
        return packed.index[k] | (((packed.high[k / 4] >> (2 * (k % 4))) & std::size_t{3}) << 8);
    }
    NIBBLE_INLINE static constexpr std::uint32_t signs(const block& packed, std::size_t k) noexcept { return packed.signs[k]; }

    static constexpr int code_bits = 7;
    static constexpr panel_form panels = panels_of_magnitudes(43, factor_form::multiples, iq2_s_book::values);

    /// A lane works on a whole block: without importance the weights contain the block's variance.
    static constexpr std::size_t unit_size = 256;
    struct rules {
        using book = iq2_s_book;
        static constexpr std::size_t length = 16;
        static constexpr bool even_signs = false, fitted_start = false, repeat_all = false;
        static constexpr int trials = 9;
        static constexpr float step = 0.1f;
        NIBBLE_INLINE static auto is_empty(const auto& largest) noexcept { return largest < largest.set(1e-8f); }
    };
    template <std::size_t Units>
    struct fits {
        codebook_fits<rules, Units> sub_blocks[16];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[256][N], auto& found, std::size_t at) noexcept {
        auto squares = f32x<N>::set(0.0f);
        for (std::size_t i = 0; i < 256; ++i) squares = squares + f32x<N>::load(x[i]) * f32x<N>::load(x[i]);
        const auto sigma = f32x<N>::set(2.0f) * squares / f32x<N>::set(256.0f);
        for (std::size_t j = 0; j < 16; ++j) {
            alignas(64) float weights[16][N];
            for (std::size_t i = 0; i < 16; ++i) {
                const auto v = f32x<N>::load(x[16 * j + i]);
                (f32x<N>::set(0.25f) * sigma + v * v).store(weights[i]);
            }
            find_points<rules, N>(x + 16 * j, weights, found.sub_blocks[j], at);
        }
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float*, const auto& found, std::size_t at, block& packed) noexcept {
        float scales[16];
        std::uint8_t codes[16];
        for (std::size_t j = 0; j < 16; ++j) scales[j] = found.sub_blocks[j].scale[at];
        const float scale = find_odd_codes<15>(scales, 16, codes);
        packed = {};
        packed.scale.set(float_to_float16(scale * 0.9875f));  // source of the factor: ggml, which found it by measurement
        for (std::size_t k = 0; k < 32; ++k) {
            const auto& sub_block = found.sub_blocks[k / 2];
            const std::uint16_t index = sub_block.index[2 * at + k % 2];
            packed.index[k] = static_cast<std::uint8_t>(index);
            packed.signs[k] = sub_block.signs[2 * at + k % 2];
            packed.high[k / 4] = static_cast<std::uint8_t>(packed.high[k / 4] | ((index >> 8) << (2 * (k % 4))));
        }
        for (std::size_t j = 0; j < 8; ++j) packed.sub_scales[j] = static_cast<std::uint8_t>(codes[2 * j] | (codes[2 * j + 1] << 4));
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[256][N], const float (&importance)[256][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[256][N];
        (void)weigh<N>(x, importance, sigma, weights);
        for (std::size_t j = 0; j < 16; ++j) find_points<rules, N>(x + 16 * j, weights + 16 * j, found.sub_blocks[j], at);
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
            for (std::size_t j = 0; j < 8; ++j)
                packed.sub_scales[j] = static_cast<std::uint8_t>(found.sub[lane][2 * j] | (found.sub[lane][2 * j + 1] << 4));
            for (std::size_t k = 0; k < 32; ++k) {
                packed.index[k] = static_cast<std::uint8_t>(found.index[lane][k]);
                packed.high[k / 4] = static_cast<std::uint8_t>(packed.high[k / 4] | ((found.index[lane][k] >> 8) << (2 * (k % 4))));
            }
            __builtin_memcpy(packed.signs, found.signs[lane], sizeof packed.signs);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq2_s>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
