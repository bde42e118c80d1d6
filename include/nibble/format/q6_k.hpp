// q6_k: 6 bits, sixteen sub-blocks of 16 with their own signed 8-bit scale. Nearly lossless; used for sensitive tensors.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/sub_scales.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/stacked_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 210 bytes: [low 128][high 64][sub-scales int8 x 16][scale fp16], in two halves of 128 elements: low[l] holds the low nibbles of
/// elements l and l + 64, low[l + 32] those of l + 32 and l + 96; high[l] the upper two bits of l, l + 32, l + 64, l + 96.
/// value = scale * sub_scale * (code - 32)
struct q6_k {
    static constexpr std::string_view name = "q6_k";
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::uint32_t gguf_type = 14;
    using layout = nibble::layout::six_bit_super_block;
    using companion = q8_k;

    struct block {
        std::uint8_t low[128];
        stacked_codes<2> high;
        std::uint8_t sub_scales[16];
        stored<std::uint16_t> scale;
    };

    static constexpr float safe_magnitude = float16_max * 128.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t h = 0; h < 2; ++h) {
            for (std::size_t quarter = 0; quarter < 4; ++quarter) {
                for (std::size_t l = 0; l < 32; ++l) {
                    const std::uint8_t low = packed.low[64 * h + 32 * (quarter % 2) + l];
                    const int code = (quarter < 2 ? low & 15 : low >> 4) | (packed.high.at(4 * h + quarter, l) << 4);
                    const std::size_t i = 128 * h + 32 * quarter + l;
                    const float s = scale * static_cast<float>(static_cast<std::int8_t>(packed.sub_scales[i / 16]));
                    values[i] = s * static_cast<float>(code - 32);
                }
            }
        }
    }

    static constexpr int code_bits = 6;
    static constexpr std::size_t parts = 2;
    static constexpr panel_form panels{32, factor_form::multiples};
    NIBBLE_INLINE static void affine(const block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[2],
                                     float (&offset)[2]) noexcept {
        for (std::size_t part = 0; part < 2; ++part) {
            const auto sub_scale = static_cast<std::int8_t>(packed.sub_scales[2 * group + part]);
            scale[part] = float16_to_float(packed.scale.get()) * static_cast<float>(sub_scale);
            offset[part] = -32.0f * scale[part];
        }
        const std::size_t half = group / 4, quarter = group % 4;
        for (std::size_t l = 0; l < 32; ++l) {
            const std::uint8_t pair = packed.low[64 * half + 32 * (quarter % 2) + l];
            codes[l] = static_cast<std::uint8_t>((quarter < 2 ? pair & 15 : pair >> 4) | (packed.high.at(group, l) << 4));
        }
    }

    static constexpr int strands = 2;
    static constexpr std::size_t unit_size = 16;
    template <std::size_t Units>
    struct fits {
        float scale[Units], inverse[Units], middle[Units];
    };

    template <lane_count auto N>
    NIBBLE_INLINE static void search(const float (&x)[16][N], auto& found, std::size_t at) noexcept {
        keep(find_scale<32, N>(x, nullptr), found, at);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const float extreme = find_extreme(found.scale + at, 16);
        if (__builtin_fabsf(extreme) < 1e-15f) {
            packed = {};
            return;
        }
        const float to_code = -128.0f / extreme;
        packed.scale.set(float_to_float16(1.0f / to_code));
        const float rounded_scale = float16_to_float(packed.scale.get());
        std::uint8_t codes[256];
        for (std::size_t j = 0; j < 16; ++j) {
            const int rounded = round_even(f32x<1>{to_code * found.scale[at + j]}).raw;
            const int sub_scale = static_cast<std::int8_t>(rounded > 127 ? 127 : rounded);
            packed.sub_scales[j] = static_cast<std::uint8_t>(sub_scale);
            const float s = rounded_scale * static_cast<float>(sub_scale);
            // An empty sub-block has code 0 from its search, which stands for -32.
            const auto middle = i32x<N>::set(s != 0.0f ? 32 : static_cast<std::int32_t>(found.middle[at + j]));
            for (std::size_t i = 16 * j; i < 16 * j + 16; i += N) {
                const auto v = f32x<N>::load(values + i);
                const auto level = s != 0.0f ? v / f32x<N>::set(s) : f32x<N>::set(found.inverse[at + j]) * v;
                store_bytes(clamp(round_even(level), -32, 31) + middle, codes + i);
            }
        }
        set_codes(codes, packed);
    }

    /// Importance is the weight itself, without a variance term.
    static constexpr bool row_sigma = false;
    template <lane_count auto N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[16][N], const float (&importance)[16][N], const f32x<N>&, auto& found,
                                              std::size_t at) noexcept {
        keep(find_scale<32, N>(x, importance), found, at);
    }

    template <lane_count auto N>
    NIBBLE_INLINE static void search_best(const best_input<N, 256>& input, block* out) noexcept {
        using levels = uniform_levels<-32, 31>;
        nibble::sub_scales<16, N> found;
        find_best_sub_scales<levels, float16_scale, -128, 127, 16, 16>(input.x, input.w, input.units(), {{29.0f, 1.0f, 4, 0}, 6, 10, 2}, found);
        for (std::size_t lane = 0; lane < N; ++lane) {
            auto& packed = out[lane];
            std::uint8_t codes[256];
            for (std::size_t j = 0; j < 16; ++j) {
                packed.sub_scales[j] = static_cast<std::uint8_t>(static_cast<int>(found.sub[j][lane]));
                input.template codes<levels, 16>(lane, 16 * j, found.scale[lane] * found.sub[j][lane], 0.0f, codes + 16 * j);
            }
            packed.scale.set(float_to_float16(found.scale[lane] * input.unit[lane]));
            set_codes(codes, packed);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<q6_k>(values.data(), packed);
    }

private:
    NIBBLE_INLINE static void set_codes(const std::uint8_t (&codes)[256], block& packed) noexcept {
        for (std::size_t h = 0; h < 2; ++h) {
            const std::uint8_t* c = codes + 128 * h;
            for (std::size_t l = 0; l < 32; ++l) {
                packed.low[64 * h + l] = static_cast<std::uint8_t>((c[l] & 15) | (c[l + 64] << 4));
                packed.low[64 * h + l + 32] = static_cast<std::uint8_t>((c[l + 32] & 15) | (c[l + 96] << 4));
            }
        }
        packed.high.set<4>(codes);
    }
    template <lane_count auto N>
    NIBBLE_INLINE static void keep(const symmetric_fit<N>& fit, auto& found, std::size_t at) noexcept {
        fit.scale.store(found.scale + at);
        fit.inverse.store(found.inverse + at);
        select(fit.empty, f32x<N>::set(0.0f), f32x<N>::set(32.0f)).store(found.middle + at);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
