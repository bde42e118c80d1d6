// q3_k: 3 bits, sixteen sub-blocks of 16 with their own signed 6-bit scale.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/sub_scales.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/search/descent.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/stacked_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 110 bytes: [32 bytes: bit g of byte i is the high bit of element i of group g of 32]
/// [64 bytes: two runs of 32, byte i of run h holds the low pairs of elements i, i + 32, i + 64, i + 96 of half h, lowest bits first]
/// [12 bytes: 16 sub-scales plus 32 of 6 bits: low nibbles of 0..7 low and 8..15 high in bytes 0..7; the top two bits of j in byte
/// 8 + j % 4 at bit 2 * (j / 4)] [scale fp16]; value = scale * sub_scale * (code - 4)
struct q3_k {
    static constexpr std::string_view name = "q3_k";
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::uint32_t gguf_type = 11;
    using layout = nibble::layout::three_bit_super_block;
    using companion = q8_k;

    struct block {
        stacked_codes<1> high;
        stacked_codes<2> low;
        std::uint8_t sub_scales[12];
        stored<std::uint16_t> scale;
    };

    static constexpr float safe_magnitude = float16_max * 64.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        for (std::size_t j = 0; j < 16; ++j) {
            const float scale = sub_scale(packed, j);
            for (std::size_t i = 16 * j; i < 16 * (j + 1); ++i) values[i] = scale * static_cast<float>(code(packed, i / 32, i % 32) - 4);
        }
    }

    static constexpr int code_bits = 3;
    static constexpr std::size_t parts = 2;
    static constexpr panel_form panels = panel_form{4, factor_form::multiples}.with_multiples(-32, 31);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[2],
                                     float (&offset)[2]) noexcept {
        for (std::size_t part = 0; part < 2; ++part) {
            scale[part] = sub_scale(packed, 2 * group + part);
            offset[part] = -4.0f * scale[part];
        }
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(code(packed, group, i));
    }

    static constexpr std::size_t unit_size = 16;
    template <std::size_t Units>
    struct fits {
        float scale[Units];
        std::int32_t codes[2][Units];  // four bits each
        // Without importance:
        float sum_cx[Units], sum_cc[Units];
        std::int32_t open[Units];
        // With importance:
        float weight[Units], block_scale[Units / 16];
        std::uint8_t sub_scale[Units];
    };

    static constexpr int strands = 4;
    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[16][N], auto& found, std::size_t at) noexcept {
        scale_descent<4, N, 16> descent;
        descent.start(x);
        descent.scale().store(found.scale + at);
        descent.sum_cx().store(found.sum_cx + at);
        descent.sum_cc().store(found.sum_cc + at);
        ones_where(descent.changed()).store(found.open + at);
        const auto code_at = [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return descent.code(i); };
        for (std::size_t half = 0; half < 2; ++half) join_codes<N>(half, code_at).store(found.codes[half] + at);
    }
    /// Searches that did not end in their first round. Those that did not end in a later one either move together.
    template <lane_count auto N>
    NIBBLE_INLINE static void finish(const float* values, auto& found, std::size_t units) noexcept {
        std::size_t open[sizeof found.open / sizeof found.open[0]], count = 0;
        for (std::size_t j = 0; j < units; ++j) {
            open[count] = j;
            count += found.open[j] != 0;
        }
        for (int round = 1; round < scale_descent<4, N, 16>::rounds; ++round) {
            std::size_t left = 0;
            for (std::size_t first = 0; first < count; first += N) left += go_on<N>(values, found, open + first, count - first, open + left);
            count = left;
        }
    }
    /// One round for the first N of `count` searches.
    /// @param left  receives those that changed, which may be written over `open`
    /// @return their number
    template <lane_count auto N>
    NIBBLE_INLINE static std::size_t go_on(const float* values, auto& found, const std::size_t* open, std::size_t count, std::size_t* left) noexcept {
        const float* from[N];
        alignas(64) float x[16][N], sum_cx[N], sum_cc[N], scale[N];
        alignas(64) std::int32_t codes[2][N], changed[N];
        std::size_t unit[N];
        for (std::size_t lane = 0; lane < N; ++lane) {
            const std::size_t j = open[lane < count ? lane : count - 1];  // the last one several times
            unit[lane] = j;
            from[lane] = values + 16 * j;
            sum_cx[lane] = found.sum_cx[j];
            sum_cc[lane] = found.sum_cc[j];
            for (std::size_t half = 0; half < 2; ++half) codes[half][lane] = found.codes[half][j];
        }
        gather_lanes<N>(from, x);
        scale_descent<4, N, 16> descent;
        const auto old_code_at = [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return (i32x<N>::load(codes[i / 8]) >> static_cast<int>(4 * (i % 8))) & i32x<N>::set(15);
        };
        descent.go_on(x, old_code_at, f32x<N>::load(sum_cx), f32x<N>::load(sum_cc));
        descent.scale().store(scale);
        descent.sum_cx().store(sum_cx);
        descent.sum_cc().store(sum_cc);
        ones_where(descent.changed()).store(changed);
        const auto code_at = [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return descent.code(i); };
        for (std::size_t half = 0; half < 2; ++half) join_codes<N>(half, code_at).store(codes[half]);
        std::size_t number = 0;
        for (std::size_t lane = 0; lane < N && lane < count; ++lane) {
            if (changed[lane] == 0) continue;
            const std::size_t j = unit[lane];
            left[number++] = j;
            found.scale[j] = scale[lane];
            found.sum_cx[j] = sum_cx[lane];
            found.sum_cc[j] = sum_cc[lane];
            for (std::size_t half = 0; half < 2; ++half) found.codes[half][j] = codes[half][lane];
        }
        return number;
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const float extreme = find_extreme(found.scale + at, 16);
        std::uint8_t sub_scales[16] = {};
        float scale = 0.0f;
        if (extreme != 0.0f) {
            const float to_code = -32.0f / extreme;
            for (std::size_t j = 0; j < 16; ++j) {
                sub_scales[j] = static_cast<std::uint8_t>(clamp(round_even(f32x<1>{to_code * found.scale[at + j]}), -32, 31).raw + 32);
            }
            scale = 1.0f / to_code;
        }
        write<N>(values, found, at, scale, sub_scales, packed);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[16][N], const float (&importance)[16][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[16][N];
        weigh<N>(x, importance, sigma, weights).store(found.weight + at);
        const auto fit = find_scale<4, N>(x, weights);
        fit.scale.store(found.scale + at);
        const auto code_at = [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return stored_code<4>(fit, f32x<N>::load(x[i])); };
        for (std::size_t half = 0; half < 2; ++half) join_codes<N>(half, code_at).store(found.codes[half] + at);
    }
    /// The sub-scales are searched like the values of a sub-block.
    template <lane_count auto N>
    NIBBLE_INLINE static void settle(auto& found) noexcept {
        alignas(64) float scales[16][N], weights[16][N];
        alignas(64) std::int32_t sub[16][N];
        gather_rows<N>(found.scale, scales);
        gather_rows<N>(found.weight, weights);
        const auto fit = find_scale<32, N>(scales, weights);
        fit.scale.store(found.block_scale);
        for (std::size_t j = 0; j < 16; ++j) stored_code<32>(fit, f32x<N>::load(scales[j])).store(sub[j]);
        spread_codes<N>(sub, found.sub_scale);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        std::uint8_t sub_scales[16];
        __builtin_memcpy(sub_scales, found.sub_scale + at, sizeof sub_scales);
        write<N>(values, found, at, found.block_scale[at / 16], sub_scales, packed);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 256>& input, block* out) noexcept {
        using levels = uniform_levels<-4, 3>;
        nibble::sub_scales<16, N> found;
        find_best_sub_scales<levels, float16_scale, -32, 31, 16, 16>(input.x, input.w, input.units(), {{3.0f, 0.25f, 8, 0}, 6, 4, 2}, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            std::uint8_t codes[256], sub_scales[16];
            for (std::size_t j = 0; j < 16; ++j) {
                sub_scales[j] = static_cast<std::uint8_t>(static_cast<int>(found.sub[j][lane]) + 32);
                input.template codes<levels, 16>(lane, 16 * j, found.scale[lane] * found.sub[j][lane], 0.0f, codes + 16 * j);
            }
            out[lane].scale.set(float_to_float16(found.scale[lane] * input.unit[lane]));
            set_sub_scales(sub_scales, out[lane]);
            out[lane].low.set(codes);
            out[lane].high.template set<2>(codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<q3_k>(values.data(), packed);
    }

private:
    /// Eight codes, four bits each, lowest bits first.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> join_codes(std::size_t half, auto code_at) noexcept {
        auto joined = code_at(8 * half);
        for (std::size_t i = 1; i < 8; ++i) joined = joined | (code_at(8 * half + i) << static_cast<int>(4 * i));
        return joined;
    }
    NIBBLE_INLINE static void set_sub_scales(const std::uint8_t (&sub_scales)[16], block& packed) noexcept {
        for (std::size_t j = 0; j < 8; ++j) packed.sub_scales[j] = static_cast<std::uint8_t>((sub_scales[j] & 15) | ((sub_scales[j + 8] & 15) << 4));
        for (std::size_t j = 0; j < 4; ++j) {
            packed.sub_scales[8 + j] = static_cast<std::uint8_t>((sub_scales[j] >> 4) | ((sub_scales[j + 4] >> 4) << 2) |
                                                                 ((sub_scales[j + 8] >> 4) << 4) | ((sub_scales[j + 12] >> 4) << 6));
        }
    }
    NIBBLE_INLINE static constexpr int code(const block& packed, std::size_t group, std::size_t i) noexcept {
        return packed.low.at(group, i) | (packed.high.at(group, i) << 2);
    }
    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int low = (packed.sub_scales[j % 8] >> (4 * (j / 8))) & 15, high = (packed.sub_scales[8 + j % 4] >> (2 * (j / 4))) & 3;
        return float16_to_float(packed.scale.get()) * static_cast<float>((low | (high << 4)) - 32);
    }
    /// Codes come from the rounded scales; a sub-block whose scale rounded to 0 keeps the codes of its search.
    template <lane_count auto N>
    NIBBLE_INLINE static void write(const float* values, const auto& found, std::size_t at, float scale, const std::uint8_t (&sub_scales)[16],
                                    block& packed) noexcept {
        packed.scale.set(float_to_float16(scale));
        set_sub_scales(sub_scales, packed);
        std::uint8_t codes[256];
        for (std::size_t j = 0; j < 16; ++j) {
            const float s = sub_scale(packed, j);
            if (s == 0.0f) {
                for (std::size_t i = 0; i < 16; ++i)
                    codes[16 * j + i] = static_cast<std::uint8_t>((found.codes[i / 8][at + j] >> (4 * (i % 8))) & 15);
                continue;
            }
            for (std::size_t i = 16 * j; i < 16 * (j + 1); i += N) {
                store_bytes(clamp(round_even(f32x<N>::load(values + i) / f32x<N>::set(s)), -4, 3) + i32x<N>::set(4), codes + i);
            }
        }
        packed.low.set(codes);
        packed.high.set<2>(codes);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
