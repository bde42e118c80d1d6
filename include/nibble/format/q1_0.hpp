// q1_0: the sign of each weight, and one scale for 128 elements.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_0.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 18 bytes: [scale fp16][16 bytes: bit i % 8 of byte i / 8 is 1 if element i is not negative]; value = bit ? scale : -scale
/// The scale is the mean magnitude. Source of the arithmetic: ggml's quantize_row_q1_0_ref.
struct q1_0 {
    static constexpr std::string_view name = "q1_0";
    static constexpr std::size_t block_size = 128;
    static constexpr std::uint32_t gguf_type = 41;
    using layout = nibble::layout::sign_bits;
    using companion = q8_0;

    struct block {
        stored<std::uint16_t> scale;
        stored<std::uint32_t> bits[4];
    };

    static constexpr float safe_magnitude = float16_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 128> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 128; ++i) values[i] = bit(packed, i) != 0 ? scale : -scale;
    }

    static constexpr int code_bits = 2;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels{1, factor_form::halves};
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -scale[0];
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(2 * bit(packed, 32 * group + i));
    }

    static constexpr std::size_t unit_size = 128;
    static constexpr int strands = 2;
    template <std::size_t Units>
    struct fits {
        float scale[Units];
        std::int32_t bits[4][Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[128][N], auto& found, std::size_t at) noexcept {
        auto sum = f32x<N>::set(0.0f);
        for (std::size_t k = 0; k < 4; ++k) {
            auto bits = i32x<N>::set(0);
            for (int i = 0; i < 32; ++i) {
                const auto v = f32x<N>::load(x[32 * k + static_cast<std::size_t>(i)]);
                sum = sum + abs(v);
                bits = bits | select(v >= f32x<N>::set(0.0f), i32x<N>::set(1), i32x<N>::set(0)) << i;
            }
            bits.store(found.bits[k] + at);
        }
        (sum / f32x<N>::set(128.0f)).store(found.scale + at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float*, const auto& found, std::size_t at, block& packed) noexcept {
        packed.scale.set(float_to_float16(found.scale[at]));
        for (std::size_t k = 0; k < 4; ++k) packed.bits[k].set(static_cast<std::uint32_t>(found.bits[k][at]));
    }

    /// The mean magnitude is the best scale already, except that importance has a say in the mean.
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 128>& input, block* out) noexcept {
        alignas(64) float scale[N];
        find_best_scale<sign_levels, float16_scale, 128>(input.x, input.w, input.units(), {1.0f, 0.0f, 2, 0}).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            std::uint8_t codes[128];
            input.template codes<sign_levels, 128>(lane, 0, scale[lane], 0.0f, codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            for (std::size_t k = 0; k < 4; ++k) {
                std::uint32_t bits = 0;
                for (std::size_t i = 0; i < 32; ++i) bits |= std::uint32_t{codes[32 * k + i]} << i;
                out[lane].bits[k].set(bits);
            }
        }
    }

    /// The best block of least error is too small (best/stretch.hpp).
    NIBBLE_INLINE static void stretch(block& packed, float factor) noexcept {
        packed.scale.set(float_to_float16(float16_to_float(packed.scale.get()) * factor));
    }

    NIBBLE_INLINE static void encode(std::span<const float, 128> values, block& packed) noexcept { encode_block<q1_0>(values.data(), packed); }

private:
    NIBBLE_INLINE static constexpr std::uint32_t bit(const block& packed, std::size_t i) noexcept {
        return (packed.bits[i / 32].get() >> (i % 32)) & 1;
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
