// iq1_m: 1.75 bits. As iq1_s, with a 3-bit sub-scale for 16 elements and a shift for 8. The block's scale hides between the sub-scales.
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

/// 56 bytes: [32 indices, low 8 bits][32 nibbles, low first: bits 8 to 10 of an index, shift][4 x u16: 4 x 3 bits of sub-scales,
///           4 bits of the scale (fp16, the first u16 has its lowest nibble) on top]
/// value = scale * (2 * sub_scale + 1) * (codebook[index] + (shift ? -0.125 : 0.125))
struct iq1_m : shifted_point_block<iq1_m, iq1_book, 16> {
    static constexpr std::string_view name = "iq1_m";
    static constexpr std::uint32_t gguf_type = 29;
    using layout = nibble::layout::singly_shifted_points<iq1_book>;
    using companion = q8_k;

    struct block {
        std::uint8_t index[32];
        std::uint8_t high[16];
        stored<std::uint16_t> scales[4];
    };

    static constexpr float safe_magnitude = float16_max / 16.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(scale_bits(packed)); }

    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int code = (packed.scales[j / 4].get() >> (3 * (j % 4))) & 7;
        return float16_to_float(scale_bits(packed)) * static_cast<float>(2 * code + 1);
    }
    NIBBLE_INLINE static constexpr std::size_t index(const block& packed, std::size_t k) noexcept {
        return packed.index[k] | (((packed.high[k / 2] >> (4 * (k % 2))) & std::size_t{7}) << 8);
    }
    NIBBLE_INLINE static constexpr bool shifts_down(const block& packed, std::size_t k) noexcept {
        return ((packed.high[k / 2] >> (4 * (k % 2))) & 8) != 0;
    }

    static constexpr int code_bits = 5;
    static constexpr panel_form panels = panels_of_magnitudes(16, factor_form::multiples, iq1_book::shifted_eighths).with_multiples(-15, 15, true);

    static constexpr int strands = 2;
    static constexpr std::size_t unit_size = 16;
    struct rules {
        static constexpr std::size_t length = 16;
        static constexpr bool halves = true;
        NIBBLE_INLINE static auto is_empty(const auto& magnitude) noexcept { return magnitude < magnitude.set(1e-7f); }
    };
    template <std::size_t Units>
    using fits = ternary_fits<rules, Units>;

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[16][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[16][N];
        weigh_squares<N>(x, weights);
        find_ternary_points<rules, N>(x, weights, found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t codes[16];
        const float scale = find_odd_codes<7>(found.scale + at, 16, codes);
        packed = {};
        const auto& table = neighbours<iq1_book>();
        for (std::size_t k = 0; k < 32; ++k) {
            const std::size_t unit = at + k / 2;
            const auto index = table.index_of(found.levels[k % 2][unit]);
            packed.index[k] = static_cast<std::uint8_t>(index);
            const int shift = scale != 0.0f && found.center[k % 2][unit] > 1.0f ? 8 : 0;
            packed.high[k / 2] = static_cast<std::uint8_t>(packed.high[k / 2] | (((index >> 8) | shift) << (4 * (k % 2))));
        }
        if (scale == 0.0f) return;
        // The scale is fitted once more, to everything that has been rounded by now.
        float sum_cx = 0.0f, sum_cc = 0.0f;
        for (std::size_t j = 0; j < 16; ++j) {
            for (std::size_t i = 0; i < 16; ++i) {
                const auto level = detail::level_at<iq1_book>(i32x<1>{found.levels[i / 8][at + j]}, i % 8).raw;
                const float code = (level - found.center[i / 8][at + j]) * static_cast<float>(2 * codes[j] + 1);
                const float weighted = found.weights[i][at + j] * code;
                sum_cx = sum_cx + weighted * values[16 * j + i];
                sum_cc = sum_cc + weighted * code;
            }
        }
        const float fitted = sum_cc > 0.0f ? sum_cx / sum_cc : scale;
        const std::uint32_t bits = float_to_float16(fitted * 1.1125f);  // source of the factor: ggml, which found it by measurement
        set_scales(bits, codes, packed);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[16][N], const float (&importance)[16][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[16][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_ternary_points<rules, N>(x, weights, found, at);
    }

    using best_rules = shifted_point_rules<rules, 8>;
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(best_input<N, 256>& input, block* out) noexcept {
        best_points<best_rules, N> found;
        point_search<best_rules, N>(input.x, input.w).run(input.units(), {.first = 1.0f, .step = 0.25f, .count = 9, .window = 1, .refits = 1}, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            block& packed = out[lane];
            packed = {};
            for (std::size_t k = 0; k < 32; ++k) {
                const std::uint32_t index = found.index[lane][k], high = (index >> 8) | (std::uint32_t{found.shift[lane][k]} << 3);
                packed.index[k] = static_cast<std::uint8_t>(index);
                packed.high[k / 2] = static_cast<std::uint8_t>(packed.high[k / 2] | (high << (4 * (k % 2))));
            }
            set_scales(found.scale[lane], found.sub[lane], packed);
        }
    }

    /// The best block of least error is too small (best/stretch.hpp).
    NIBBLE_INLINE static void stretch(block& packed, float factor) noexcept {
        const std::uint32_t scale = float_to_float16(float16_to_float(scale_bits(packed)) * factor);
        for (std::size_t part = 0; part < 4; ++part)
            packed.scales[part].set(static_cast<std::uint16_t>((packed.scales[part].get() & 0xFFFu) | ((scale >> (4 * part)) & 15u) << 12));
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq1_m>(values.data(), packed);
    }

private:
    NIBBLE_INLINE static void set_scales(std::uint32_t scale, const std::uint8_t (&sub_scales)[16], block& packed) noexcept {
        for (std::size_t part = 0; part < 4; ++part) {
            std::uint32_t scales = ((scale >> (4 * part)) & 15u) << 12;
            for (std::size_t k = 0; k < 4; ++k) scales |= std::uint32_t{sub_scales[4 * part + k]} << (3 * k);
            packed.scales[part].set(static_cast<std::uint16_t>(scales));
        }
    }
    NIBBLE_INLINE static constexpr std::uint16_t scale_bits(const block& packed) noexcept {
        std::uint32_t bits = 0;
        for (std::size_t part = 0; part < 4; ++part) bits |= (std::uint32_t{packed.scales[part].get()} >> 12) << (4 * part);
        return static_cast<std::uint16_t>(bits);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
