// nvfp4: 4-bit floats with an 8-bit float as scale for 16 elements.
#pragma once

#include <span>

#include "nibble/base/float8.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/levels.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_0.hpp"
#include "nibble/format/search/e2m1.hpp"
#include "nibble/format/search/magnitude.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 36 bytes: [4 scales E4M3 without sign][4 x 8 bytes of E2M1: of 16 elements, element j in the low, element j + 8 in the high nibble]
/// value = scale * code as a float; in integers, half the scale * level[code]. Scale 0x7F decodes to 0, as in ggml.
///
/// Scales end at 448, so elements beyond 2688 saturate. Models that need more have a factor for each tensor, which is not part of the
/// format.
struct nvfp4 {
    static constexpr std::string_view name = "nvfp4";
    static constexpr std::size_t block_size = 64;
    static constexpr std::uint32_t gguf_type = 40;
    using levels = e2m1_levels;
    using layout = nibble::layout::nibble_levels_with_float8_scales<levels>;
    using companion = q8_0;

    struct block {
        std::uint8_t scale[4];
        std::uint8_t codes[4][8];
    };

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 64> values) noexcept {
        for (std::size_t s = 0; s < 4; ++s) {
            const float unit = half_scale(packed.scale[s]);
            for (std::size_t j = 0; j < 8; ++j) {
                values[16 * s + j] = unit * static_cast<float>(levels::values[packed.codes[s][j] & 15]);
                values[16 * s + j + 8] = unit * static_cast<float>(levels::values[packed.codes[s][j] >> 4]);
            }
        }
    }

    static constexpr int code_bits = 5;
    static constexpr std::size_t parts = 2;
    static constexpr panel_form panels = panels_of_levels(levels::zero, factor_form::halves, levels::values);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[2],
                                     float (&offset)[2]) noexcept {
        for (std::size_t part = 0; part < 2; ++part) {
            const std::size_t s = 2 * group + part;
            scale[part] = half_scale(packed.scale[s]);
            offset[part] = -static_cast<float>(levels::zero) * scale[part];
            for (std::size_t j = 0; j < 8; ++j) {
                codes[16 * part + j] = level_byte<levels>(packed.codes[s][j] & 15);
                codes[16 * part + j + 8] = level_byte<levels>(packed.codes[s][j] >> 4);
            }
        }
    }

    static constexpr std::size_t unit_size = 16;
    static constexpr int strands = 2;
    template <std::size_t Units>
    struct fits {
        std::int32_t scale[Units];
    };

    static constexpr std::uint8_t last_scale = 0x7E;
    /// The scale for a largest magnitude, which decodes to 6 times the scale.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> scale_of(const f32x<N>& magnitude) noexcept {
        return to_scale<N>(magnitude / f32x<N>::set(6.0f));
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[16][N], auto& found, std::size_t at) noexcept {
        scale_of<N>(find_magnitude<N>(x)).store(found.scale + at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        constexpr int lanes = N < 8 ? N : 8;
        for (std::size_t s = 0; s < 4; ++s, values += 16) {
            packed.scale[s] = static_cast<std::uint8_t>(found.scale[at + s]);
            const float unit = half_scale(packed.scale[s]);
            const auto set = [&](auto code_of) NIBBLE_LAMBDA_INLINE {
                const auto code_at = [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return code_of(f32x<lanes>::load(values + i)); };
                for (std::size_t j = 0; j < 8; j += lanes) store_bytes(code_at(j) | (code_at(j + 8) << 4), packed.codes[s] + j);
            };
            if (packed.scale[s] == last_scale) {  // values may be anywhere above
                set([&](const auto& v) NIBBLE_LAMBDA_INLINE { return find_nearest_e2m1_anywhere(v, unit); });
            } else {
                const e2m1_rounding rounding(unit);
                set([&](const auto& v) NIBBLE_LAMBDA_INLINE { return rounding.code(v); });
            }
        }
    }

    /// Every scale that makes sense is tried: there are eight from one power of two to the next.
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 64>& input, block* out) noexcept {
        for (std::size_t s = 0; s < 4; ++s) {
            alignas(64) std::int32_t scale[N];
            find_best_scale_code<float4_levels, half_e4m3_scale, 16>(input.x + 16 * s, input.w + 16 * s, input.units(), 12.0f, 5, 10).store(scale);
            for (std::size_t lane = 0; lane < N; ++lane) {
                std::uint8_t codes[16];
                input.template codes<float4_levels, 16>(lane, 16 * s, half_e4m3_scale::value_of(i32x<1>{scale[lane]}).raw / input.unit[lane], 0.0f,
                                                        codes);
                out[lane].scale[s] = static_cast<std::uint8_t>(scale[lane]);
                for (std::size_t j = 0; j < 8; ++j) out[lane].codes[s][j] = static_cast<std::uint8_t>(codes[j] | (codes[j + 8] << 4));
            }
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 64> values, block& packed) noexcept {
        encode_block<nvfp4>(values.data(), packed);
    }

private:
    NIBBLE_INLINE static constexpr float half_scale(std::uint8_t scale) noexcept {
        return scale == 0x7F ? 0.0f : 0.5f * detail::small_float<3, 7>(static_cast<std::uint8_t>(scale & 0x7Fu));
    }
    /// E4M3 as the reference rounds it: half up, subnormals cut at 7 units, and everything from 248 on becomes 448.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> to_scale(const f32x<N>& v) noexcept {
        using floats = f32x<N>;
        using ints = i32x<N>;
        const auto subnormal = v < floats::set(0.015625f);
        const auto units = truncate(select(subnormal, v * floats::set(512.0f), floats::set(0.0f)) + floats::set(0.5f));
        const auto code = ((bits_of(v) + ints::set(1 << 19)) >> 20) - ints::set(120 << 3);
        return select(subnormal, clamp(units, 0, 7), select(code < ints::set(15 << 3), code, ints::set(last_scale)));
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
