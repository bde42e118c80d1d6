// q8_k: 8 bits and one fp32 scale for 256 elements, with sums of codes. The companion of the K-quants; not a weight format.
#pragma once

#include <span>

#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/search/magnitude.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// 292 bytes: [scale fp32][codes int8 x 256][sums int16 x 16, of 16 codes each]; value = scale * code
/// The sums of an all-zero block, which the reference leaves undefined, are zeros.
struct q8_k {
    static constexpr std::string_view name = "q8_k";
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::uint32_t gguf_type = 15;
    using layout = nibble::layout::signed_bytes_with_sums;

    struct block {
        stored<float> scale;
        std::uint8_t codes[256];
        stored<std::int16_t> sums[16];
    };

    /// 127 times the scale must not overflow, whatever the rounding of the scale.
    static constexpr float safe_magnitude = 3.4e38f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return (bit_cast<std::uint32_t>(packed.scale.get()) & 0x7FFFFFFFu) <= bit_cast<std::uint32_t>(safe_magnitude / 127.0f);
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 256> values) noexcept {
        const float scale = packed.scale.get();
        for (std::size_t i = 0; i < 256; ++i) values[i] = scale * static_cast<float>(static_cast<std::int8_t>(packed.codes[i]));
    }

    NIBBLE_INLINE static void signed_group(const block& packed, std::size_t group, std::int8_t (&codes)[32], float& scale) noexcept {
        scale = packed.scale.get();
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::int8_t>(packed.codes[32 * group + i]);
    }

    /// The value of largest magnitude becomes -127.
    template <lane_count auto N>
    NIBBLE_INLINE static void pack(const float* values, block* out) noexcept {
        float extremes[N];
        find_extremes<N, 256>(values).store(extremes);
        for (std::size_t b = 0; b < N; ++b, values += 256) {
            block& packed = out[b];
            if (extremes[b] == 0.0f) {
                packed = {};
                continue;
            }
            const float inverse = -127.0f / extremes[b];
            packed.scale.set(1.0f / inverse);
            store_bytes<N, 256>(packed.codes, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
                const auto code = round_even(f32x<N>::set(inverse) * f32x<N>::load(values + i));
                return select(code > i32x<N>::set(127), i32x<N>::set(127), code);
            });
            for (std::size_t j = 0; j < 16; ++j) {
                int sum = 0;
                for (std::size_t i = 16 * j; i < 16 * j + 16; ++i) sum += static_cast<std::int8_t>(packed.codes[i]);
                packed.sums[j].set(static_cast<std::int16_t>(sum));
            }
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 256> values, block& packed) noexcept {
        encode_block<q8_k>(values.data(), packed);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
