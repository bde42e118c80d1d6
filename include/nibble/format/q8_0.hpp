// q8_0: 8 bits and one scale for 32 elements. The weight format closest to lossless, and the companion of the 4- and 5-bit ones.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 34 bytes: [scale fp16][codes int8 x 32]; value = scale * code
struct q8_0 {
    static constexpr std::string_view name = "q8_0";
    static constexpr std::size_t block_size = 32;
    static constexpr std::uint32_t gguf_type = 8;
    using layout = nibble::layout::signed_bytes;
    using companion = q8_0;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t codes[32];
    };

    static constexpr float safe_magnitude = float16_max * 126.0f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(packed.codes[i]));
    }

    static constexpr int code_bits = 8;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -128.0f * scale[0];
        for (std::size_t i = 0; i < 32; ++i) codes[i] = packed.codes[i] ^ 0x80;
    }

    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units], inverse[Units];
    };

    /// The scale maps the largest magnitude to 127.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        auto magnitude = f32x<N>::set(0.0f);
        for (std::size_t i = 0; i < 32; ++i) {
            const auto v = abs(f32x<N>::load(x[i]));
            magnitude = select(v > magnitude, v, magnitude);
        }
        const auto scale = magnitude / f32x<N>::set(127.0f);
        scale.store(found.scale + at);
        select(scale != f32x<N>::set(0.0f), f32x<N>::set(1.0f) / scale, scale).store(found.inverse + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        packed.scale.set(float_to_float16(found.scale[at]));
        const auto inverse = f32x<N>::set(found.inverse[at]);
        for (std::size_t i = 0; i < 32; i += N) store_bytes(round_away(f32x<N>::load(values + i) * inverse), packed.codes + i);
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_blocks<q8_0, 1>(values.data(), 1, 1, nullptr, &packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
