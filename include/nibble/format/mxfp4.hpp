// mxfp4: 4-bit floats with a power of two as scale for 32 elements. The MXFP4 of the Open Compute Project, as gpt-oss ships it.
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
#include "nibble/format/split_codes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 17 bytes: [scale E8M0][16 bytes of E2M1: element j in the low, element j + 16 in the high nibble]
/// value = scale * code as a float; in integers, half the scale * level[code]. Scale 0xFF is NaN by the standard; here, as in ggml, 2^128.
struct mxfp4 {
    static constexpr std::string_view name = "mxfp4";
    static constexpr std::size_t block_size = 32;
    static constexpr std::uint32_t gguf_type = 39;
    using levels = e2m1_levels;
    using layout = nibble::layout::nibble_levels_with_exponent<levels>;
    using companion = q8_0;

    struct block {
        std::uint8_t exponent;
        split_codes<4> codes;
    };

    /// 2^(exponent - 128), the factor of levels.
    NIBBLE_INLINE static constexpr float half_scale(std::uint8_t exponent) noexcept {
        return bit_cast<float>(exponent < 2 ? 0x200000u << exponent : (exponent - 1u) << 23);
    }
    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float unit = half_scale(packed.exponent);
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = unit * static_cast<float>(levels::values[codes[i]]);
    }

    static constexpr int code_bits = 5;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels = panels_of_levels(levels::zero, factor_form::powers, levels::values);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        packed.codes.get(codes);
        bool empty = true;
        for (std::uint8_t& code : codes) {
            empty = empty && levels::values[code] == 0;
            code = level_byte<levels>(code);
        }
        // The reference writes huge scales for blocks below 2^-125: their offset would drown what else there is in a sum.
        scale[0] = empty ? 0.0f : half_scale(packed.exponent);
        offset[0] = -static_cast<float>(levels::zero) * scale[0];
    }

    static constexpr std::size_t unit_size = 32;
    static constexpr int strands = 2;
    template <std::size_t Units>
    struct fits {
        std::int32_t exponent[Units];
    };

    /// The largest element decodes to 4 to 6 times the scale, and saturates if it is more. Below 2^-125 the exponent wraps around, which
    /// leaves code 0 everywhere: the bytes of ggml's x86 builds.
    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        const auto magnitude = find_magnitude<N>(x);
        select(magnitude > f32x<N>::set(0.0f), exponent_of<N>(magnitude), i32x<N>::set(0)).store(found.exponent + at);
    }
    /// The exponent for a largest magnitude that is not zero.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> exponent_of(const f32x<N>& magnitude) noexcept {
        return (floor_of_log2<N>(magnitude) + i32x<N>::set(127 - 2)) & i32x<N>::set(255);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        packed.exponent = static_cast<std::uint8_t>(found.exponent[at]);
        const e2m1_rounding rounding(half_scale(packed.exponent));
        packed.codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return rounding.code(f32x<N>::load(values + i)); });
    }

    /// The largest element decodes to 2 to 6 times the scale, or to all that is left of it.
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        alignas(64) std::int32_t exponent[N];
        find_best_scale_code<float4_levels, half_e8m0_scale, 32>(input.x, input.w, input.units(), 8.0f, 1, 2).store(exponent);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<float4_levels, 32>(lane, 0, half_e8m0_scale::value_of(i32x<1>{exponent[lane]}).raw / input.unit[lane], 0.0f, codes);
            out[lane].exponent = static_cast<std::uint8_t>(exponent[lane]);
            out[lane].codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return i32x<N>::load(codes + i); });
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<mxfp4>(values.data(), packed);
    }

private:
    /// floor(log2f(v)) with a correctly rounded log2f, which is what the reference computes: just below 2^k the logarithm rounds up to k.
    /// It does so where the distance to 2^k is at most ln 2 times the power of two below |log2 v|, in units of the last of 24 bits.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> floor_of_log2(const f32x<N>& v) noexcept {
        using floats = f32x<N>;
        using ints = i32x<N>;
        const auto subnormal = v < floats::set(1.17549435e-38f);
        const auto bits = bits_of(select(subnormal, v * floats::set(16777216.0f), v));
        const auto below = (bits >> 23) - select(subnormal, ints::set(127 + 24), ints::set(127));
        const auto distance = ints::set(0x800000) - (bits & ints::set(0x7FFFFF));
        const auto logarithm = select(below < ints::set(0), ints::set(-1) - below, below);  // |log2 v|, rounded down
        const auto power = float_of_bits(bits_of(to_float(logarithm)) & ints::set(0x7F800000));
        const auto reach = truncate(power * floats::set(0.693147181f));
        return below + select(distance > reach, ints::set(0), ints::set(1));
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
