// The toy of docs/extending.md: 4 bits and a scale for 32 elements, in the bytes of q4_0 but with symmetric codes -7 .. 7.
#pragma once

#include <cmath>
#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 18 bytes: [scale fp16][16 bytes, byte j: low nibble element j, high nibble element j + 16]; value = scale * (code - 8)
struct toy4 {
    static constexpr std::string_view name = "toy4";
    static constexpr std::size_t block_size = 32;
    static constexpr std::uint32_t gguf_type = 1000;

    struct block {
        stored<std::uint16_t> scale;
        std::uint8_t codes[16];
    };

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 16; ++i) {
            values[i] = scale * static_cast<float>((packed.codes[i] & 15) - 8);
            values[i + 16] = scale * static_cast<float>((packed.codes[i] >> 4) - 8);
        }
    }
    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        float largest = 0;
        for (const float v : values) largest = std::fabs(v) > largest ? std::fabs(v) : largest;
        const float scale = largest / 7, inverse = scale > 0 ? 1 / scale : 0;
        const auto code = [&](float v) { return static_cast<std::uint8_t>(std::lround(v * inverse) + 8); };
        packed.scale.set(float_to_float16(scale));
        for (std::size_t i = 0; i < 16; ++i) packed.codes[i] = static_cast<std::uint8_t>(code(values[i]) | code(values[i + 16]) << 4);
    }

#if !defined(FIRST_STEPS_ONLY)
    static constexpr int code_bits = 4;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1],
                                     float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -8 * scale[0];
        for (std::size_t i = 0; i < 16; ++i) {
            codes[i] = packed.codes[i] & 15;
            codes[i + 16] = packed.codes[i] >> 4;
        }
    }
    using layout = nibble::layout::split_nibbles<8>;
#endif
};

NIBBLE_NAMESPACE_END
