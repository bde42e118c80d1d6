// iq4_xs: 4.25 bits. The levels of iq4_nl, with a 6-bit sub-scale for 32 elements and one scale for 256.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/sub_scales.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/levels.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/search/levels.hpp"
#include "nibble/format/split_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 136 bytes: [scale fp16][u16: bits 2 j and 2 j + 1 are the upper bits of sub-scale j][4 bytes: their lower nibbles, even j low]
///            [8 x 16 bytes: nibbles of 32 elements as in iq4_nl]
/// value = scale * (sub_scale - 32) * level[code]
struct iq4_xs : level_search<iq4_levels> {
    static constexpr std::string_view name = "iq4_xs";
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::uint32_t gguf_type = 23;
    using levels = iq4_levels;
    using layout = nibble::layout::nibble_levels_super_block<levels>;
    using companion = q8_k;

    struct block {
        stored<std::uint16_t> scale;
        stored<std::uint16_t> high;
        std::uint8_t low[4];
        split_codes<4> codes[8];
    };

    static constexpr float safe_magnitude = float16_max * 2048.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        for (std::size_t j = 0; j < 8; ++j) {
            const float scale = sub_scale(packed, j);
            std::uint8_t codes[32];
            packed.codes[j].get(codes);
            for (std::size_t i = 0; i < 32; ++i) values[32 * j + i] = scale * static_cast<float>(levels::values[codes[i]]);
        }
    }

    static constexpr int code_bits = 8;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels = panels_of_levels(levels::zero, factor_form::multiples, levels::values);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        scale[0] = sub_scale(packed, group);
        offset[0] = -static_cast<float>(levels::zero) * scale[0];
        packed.codes[group].get(codes);
        for (std::uint8_t& code : codes) code = level_byte<levels>(code);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        float sub_scales[8][1];
        __builtin_memcpy(sub_scales, found.scale + at, sizeof sub_scales);
        const float scale = -find_extreme<1>(sub_scales).raw / 32.0f;
        const float inverse = inverse_or_zero(f32x<1>{scale}).raw;
        packed.scale.set(float_to_float16(scale));
        std::uint32_t high = 0, low = 0;
        for (std::size_t j = 0; j < 8; ++j) {
            const int sub_scale = clamp(round_even(f32x<1>{inverse * sub_scales[j][0]}), -32, 31).raw;
            const auto stored = static_cast<std::uint32_t>(sub_scale + 32);
            high |= (stored >> 4) << (2 * j);
            low |= (stored & 15u) << (4 * j);
            set_nearest_levels<levels, N>(values + 32 * j, scale * static_cast<float>(sub_scale), packed.codes[j]);
        }
        packed.high.set(static_cast<std::uint16_t>(high));
        for (std::size_t j = 0; j < 4; ++j) packed.low[j] = static_cast<std::uint8_t>(low >> (8 * j));
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 256>& input, block* out) noexcept {
        nibble::sub_scales<8, N> found;
        find_best_sub_scales<listed_levels<levels>, float16_scale, -32, 31, 8, 32>(input.x, input.w, input.units(), {{105.0f, 8.0f, 8, 0}, 6, 4, 2},
                                                                                   found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            block& packed = out[lane];
            packed.scale.set(float_to_float16(found.scale[lane] * input.unit[lane]));
            std::uint32_t high = 0, low = 0;
            for (std::size_t j = 0; j < 8; ++j) {
                alignas(64) std::int32_t codes[32];
                input.template codes<listed_levels<levels>, 32>(lane, 32 * j, found.scale[lane] * found.sub[j][lane], 0.0f, codes);
                packed.codes[j].template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return i32x<N>::load(codes + i); });
                const auto sub_scale = static_cast<std::uint32_t>(static_cast<int>(found.sub[j][lane]) + 32);
                high |= (sub_scale >> 4) << (2 * j);
                low |= (sub_scale & 15u) << (4 * j);
            }
            packed.high.set(static_cast<std::uint16_t>(high));
            for (std::size_t j = 0; j < 4; ++j) packed.low[j] = static_cast<std::uint8_t>(low >> (8 * j));
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<iq4_xs>(values.data(), packed);
    }

private:
    NIBBLE_INLINE static constexpr float sub_scale(const block& packed, std::size_t j) noexcept {
        const int low = (packed.low[j / 2] >> (4 * (j % 2))) & 15, high = (packed.high.get() >> (2 * j)) & 3;
        return float16_to_float(packed.scale.get()) * static_cast<float>((low | (high << 4)) - 32);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
