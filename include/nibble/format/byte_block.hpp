// What the formats with 32 signed bytes and one scale share. Source of the arithmetic: ggml's quantize_row_q8_0_ref and
// quantize_row_q8_1_ref.
#pragma once

#include <span>

#include "nibble/base/lane_float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/search/magnitude.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

template <bool WithSum>
struct byte_block_bytes {
    stored<std::uint16_t> scale;
    std::uint8_t codes[32];
};
template <>
struct byte_block_bytes<true> {
    stored<std::uint16_t> scale, sum;
    std::uint8_t codes[32];
};

/// [scale fp16][WithSum: scale * sum of the codes, fp16][codes int8 x 32]; value = scale * code
template <class Format, bool WithSum>
struct byte_block {
    static constexpr std::size_t block_size = 32;
    using block = byte_block_bytes<WithSum>;

    /// A sum has to fit too, and is at most that of 32 codes of 127.
    static constexpr float safe_magnitude = WithSum ? float16_max / 33.0f : float16_max * 126.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        if constexpr (WithSum) {
            if (!is_finite_float16(packed.sum.get())) return false;
        }
        return is_finite_float16(packed.scale.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(packed.codes[i]));
    }

    static constexpr int code_bits = 8;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels{128, factor_form::halves};
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -128.0f * scale[0];
        for (std::size_t i = 0; i < 32; ++i) codes[i] = packed.codes[i] ^ 0x80;
    }
    NIBBLE_INLINE static void signed_group(const block& packed, std::size_t, std::int8_t (&codes)[32], float& scale) noexcept {
        scale = float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::int8_t>(packed.codes[i]);
    }

    /// The scale maps the largest magnitude to 127.
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        const auto scale = find_magnitudes<N, 32>(values) / f32x<N>::set(127.0f);
        const code_rule<N> rule(scale, 0.0f);
        std::int32_t halves[N];
        to_float16(scale).store(halves);
        [[maybe_unused]] float sums[N];
        for (std::size_t b = 0; b < N; ++b, values += 32) {
            const auto inverse = f32x<N>::set(rule.inverse[b]);
            out[b].scale.set(static_cast<std::uint16_t>(halves[b]));
            store_bytes<N, 32>(out[b].codes, [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return round_away(f32x<N>::load(values + i) * inverse); });
            if constexpr (WithSum) {
                int sum = 0;
                for (const std::uint8_t code : out[b].codes) sum += static_cast<std::int8_t>(code);
                sums[b] = static_cast<float>(sum);
            }
        }
        if constexpr (WithSum) {
            to_float16(f32x<N>::load(sums) * scale).store(halves);
            for (std::size_t b = 0; b < N; ++b) out[b].sum.set(static_cast<std::uint16_t>(halves[b]));
        }
    }

    /// 127 / scale is close enough to whole numbers anywhere: what counts is how well the other values happen to fall.
    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        using levels = uniform_levels<-127, 127>;
        alignas(64) float scale[N];
        find_best_scale<levels, float16_scale, 32>(input.x, input.w, input.units(), {115.5f, 0.6f, 20, 0}).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<levels, 32>(lane, 0, scale[lane], 0.0f, codes);
            const float stored = scale[lane] * input.unit[lane];
            out[lane].scale.set(float_to_float16(stored));
            std::int32_t sum = 0;
            for (std::size_t i = 0; i < 32; ++i) {
                const std::int32_t code = codes[i] - 127;
                out[lane].codes[i] = static_cast<std::uint8_t>(code);
                sum += code;
            }
            if constexpr (WithSum) out[lane].sum.set(float_to_float16(static_cast<float>(sum) * stored));
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
