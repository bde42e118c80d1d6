// iq4_nl: 4 bits, one scale for 32 elements, levels that are dense around zero. Better than q4_0 at the same size.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/levels.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_0.hpp"
#include "nibble/format/search/levels.hpp"
#include "nibble/format/split_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 18 bytes: [scale fp16][16 bytes: element j in the low, element j + 16 in the high nibble]
/// value = scale * level[code]
struct iq4_nl : level_search<iq4_levels> {
    static constexpr std::string_view name = "iq4_nl";
    static constexpr std::size_t block_size = 32;
    static constexpr std::uint32_t gguf_type = 20;
    using levels = iq4_levels;
    using layout = nibble::layout::split_nibble_levels<levels>;
    using companion = q8_0;

    struct block {
        stored<std::uint16_t> scale;
        split_codes<4> codes;
    };

    static constexpr float safe_magnitude = float16_max * 64.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(levels::values[codes[i]]);
    }

    static constexpr int code_bits = 8;
    static constexpr std::size_t parts = 1;
    static constexpr panel_form panels = panels_of_levels(levels::zero, factor_form::halves, levels::values);
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -static_cast<float>(levels::zero) * scale[0];
        packed.codes.get(codes);
        for (std::uint8_t& code : codes) code = level_byte<levels>(code);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        packed.scale.set(float_to_float16(found.scale[at]));
        set_nearest_levels<levels, N>(values, found.scale[at], packed.codes);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        alignas(64) float scale[N];
        find_best_scale<listed_levels<levels>, float16_scale, 32>(input.x, input.w, input.units(), {105.0f, 5.0f, 12, 2}).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<listed_levels<levels>, 32>(lane, 0, scale[lane], 0.0f, codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            out[lane].codes.template set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE { return i32x<N>::load(codes + i); });
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<iq4_nl>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
