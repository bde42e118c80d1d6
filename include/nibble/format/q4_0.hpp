// q4_0: 4 bits and one scale for 32 elements, the simplest 4-bit format.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/q8_0.hpp"
#include "nibble/format/search/symmetric.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 18 bytes: [scale fp16][16 bytes, byte j: low nibble element j, high nibble element j + 16]; value = scale * (code - 8)
struct q4_0 {
    static constexpr std::string_view name = "q4_0";
    static constexpr std::size_t block_size = 32;
    static constexpr std::uint32_t gguf_type = 2;
    using layout = nibble::layout::split_nibbles<8>;
    using companion = q8_0;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t codes[16];
    };

    static constexpr float safe_magnitude = float16_max * 4.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t j = 0; j < 16; ++j) {
            values[j] = scale * static_cast<float>((packed.codes[j] & 15) - 8);
            values[j + 16] = scale * static_cast<float>((packed.codes[j] >> 4) - 8);
        }
    }

    static constexpr int code_bits = 4;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -8.0f * scale[0];
        for (std::size_t j = 0; j < 16; ++j) {
            codes[j] = packed.codes[j] & 15;
            codes[j + 16] = packed.codes[j] >> 4;
        }
    }

    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units], inverse[Units], middle[Units];
    };

    /// The scale maps the value of largest magnitude to code 0, so its sign gets the extra level.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        const auto scale = find_extreme<N>(x) / f32x<N>::set(-8.0f);
        scale.store(found.scale + at);
        select(scale != f32x<N>::set(0.0f), f32x<N>::set(1.0f) / scale, f32x<N>::set(0.0f)).store(found.inverse + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), half = f32x<N>::set(8.5f);
        write<N>(found.scale[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            // The reference truncates to int8 and clamps from above only; in range both bounds hold by themselves.
            return clamp(truncate(f32x<N>::load(values + i) * inverse + half), -128, 15);
        });
    }

    /// With importance: the symmetric search, whose codes are stored as found.
    static constexpr bool row_sigma = true;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        for (std::size_t i = 0; i < 32; ++i) {
            const auto v = f32x<N>::load(x[i]);
            (f32x<N>::load(importance[i]) * sqrt(sigma + v * v)).store(weights[i]);
        }
        const auto fit = find_scale<8, N>(x, weights);
        fit.scale.store(found.scale + at);
        fit.inverse.store(found.inverse + at);
        // An empty block gets code 0 from the reference, not the middle.
        select(fit.empty, f32x<N>::set(0.0f), f32x<N>::set(8.0f)).store(found.middle + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]);
        const auto middle = i32x<N>::set(static_cast<std::int32_t>(found.middle[at]));
        write<N>(found.scale[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(round_even(inverse * f32x<N>::load(values + i)), -8, 7) + middle;
        });
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_blocks<q4_0, 1>(values.data(), 1, 1, nullptr, &packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static void write(float scale, block& packed, auto code_at) noexcept {
        packed.scale.set(float_to_float16(scale));
        std::uint8_t codes[32];
        for (std::size_t i = 0; i < 32; i += N) store_bytes(code_at(i), codes + i);
        for (std::size_t j = 0; j < 16; ++j) packed.codes[j] = static_cast<std::uint8_t>((codes[j] & 15) | (codes[j + 16] << 4));
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
