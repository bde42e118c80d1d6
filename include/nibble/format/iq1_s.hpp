// iq1_s: 1.56 bits. Eight levels -1, 0, 1 at once from a codebook of 2048 points, a shift and a 3-bit sub-scale for 32 elements.
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
#include "nibble/format/search/odd_codes.hpp"
#include "nibble/format/search/ternary.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 50 bytes: [scale fp16][32 indices, low 8 bits][8 x u16, one a sub-block of 32: bits 8 to 10 of 4 indices, 3 bits sub-scale, shift]
/// value = scale * (2 * sub_scale + 1) * (codebook[index] + (shift ? -0.125 : 0.125))
///
/// ggml refuses this format without importance. nibble does not: the weights are then the squares of the values, as in iq1_m.
struct iq1_s : shifted_point_block<iq1_s, iq1_book, 32> {
    static constexpr std::string_view name = "iq1_s";
    static constexpr std::uint32_t gguf_type = 19;
    using layout = nibble::layout::shifted_points<iq1_book>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t index[32];
        stored<std::uint16_t> high[8];
    };

    static constexpr float safe_magnitude = float16_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int code = (packed.high[j].get() >> 12) & 7;
        return float16_to_float(packed.scale.get()) * static_cast<float>(2 * code + 1);
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept {
        return packed.index[k] | (((std::size_t{packed.high[k / 4].get()} >> (3 * (k % 4))) & 7) << 8);
    }
    NIBBLE_INLINE static constexpr bool shifts_down(const block& packed, std::size_t k) noexcept { return (packed.high[k / 4].get() >> 15) != 0; }

    static constexpr int code_bits = 5;
    static constexpr panel_form panels = panels_of_magnitudes(16, factor_form::multiples, iq1_book::shifted_eighths).with_multiples(-15, 15, true);

    static constexpr int strands = 2;
    static constexpr std::size_t unit_size = 32;
    struct rules {
        static constexpr std::size_t length = 32;
        static constexpr bool halves = false;
        NIBBLE_INLINE static auto is_empty(const auto& magnitude) noexcept { return magnitude < magnitude.set(1e-12f); }
    };
    template <std::size_t Units>
    using fits = ternary_fits<rules, Units>;

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        weigh_squares<N>(x, weights);
        find_ternary_points<rules, N>(x, weights, found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float*, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t codes[8];
        const float scale = find_odd_codes<7>(found.scale + at, 8, codes);
        packed.scale.set(float_to_float16(scale * 1.125f));  // source of the factor: ggml, which found it by measurement
        const auto& table = neighbours<iq1_book>();
        for (std::size_t j = 0; j < 8; ++j) {
            std::uint32_t high = 0;
            for (std::size_t k = 0; k < 4; ++k) {
                const auto index = table.index_of(found.levels[k][at + j]);
                packed.index[4 * j + k] = static_cast<std::uint8_t>(index);
                high |= (std::uint32_t{index} >> 8) << (3 * k);
            }
            const std::uint32_t shift = found.center[0][at + j] > 1.0f ? 8 : 0;
            if (scale != 0.0f) high |= (codes[j] | shift) << 12;
            packed.high[j].set(static_cast<std::uint16_t>(high));
        }
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_ternary_points<rules, N>(x, weights, found, at);
    }

    using best_rules = shifted_point_rules<rules, 32>;
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(best_input<N, 256>& input, block* out) noexcept {
        best_points<best_rules, N> found;
        point_search<best_rules, N>(input.x, input.w).run(input.units(), {.first = 1.0f, .step = 0.25f, .count = 9, .window = 1, .refits = 1}, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            block& packed = out[lane];
            packed = {};
            packed.scale.set(found.scale[lane]);
            for (std::size_t j = 0; j < 8; ++j) {
                std::uint32_t high = static_cast<std::uint32_t>(found.sub[lane][j] | (found.shift[lane][4 * j] << 3)) << 12;
                for (std::size_t k = 0; k < 4; ++k) {
                    const std::uint32_t index = found.index[lane][4 * j + k];
                    packed.index[4 * j + k] = static_cast<std::uint8_t>(index);
                    high |= (index >> 8) << (3 * k);
                }
                packed.high[j].set(static_cast<std::uint16_t>(high));
            }
        }
    }

    /// The best block of least error is too small (best/stretch.hpp).
    NIBBLE_INLINE static void stretch(block& packed, float factor) noexcept {
        packed.scale.set(float_to_float16(float16_to_float(packed.scale.get()) * factor));
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq1_s>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
