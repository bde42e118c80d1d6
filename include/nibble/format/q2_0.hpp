// q2_0: two bits, one scale for 64 elements.
#pragma once

#include "nibble/format/eight_codes.hpp"
#include "nibble/format/q8_0.hpp"
#include "nibble/format/ternary_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 16 bytes: code i at bit 2 * (i % 4) of byte i / 4.
struct consecutive_pairs {
    std::uint8_t bytes[16];

    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) codes[i] = (bytes[8 * group + i / 4] >> (2 * (i % 4))) & 3;
    }
    NIBBLE_INLINE void set(const std::uint8_t (&codes)[64]) noexcept {
        for (std::size_t i = 0; i < 64; i += 8) {
            const std::uint16_t pairs = eight_codes::load(codes + i).low_pairs();
            bytes[i / 4] = static_cast<std::uint8_t>(pairs);
            bytes[i / 4 + 1] = static_cast<std::uint8_t>(pairs >> 8);
        }
    }
};

struct q2_0_block {
    stored<std::uint16_t> scale;
    consecutive_pairs codes;
};

/// 18 bytes: [scale fp16][16 bytes: four consecutive codes each, lowest bits first]; value = scale * (code - 1), codes 0 .. 3
struct q2_0 : ternary_block<q2_0, q2_0_block, 64> {
    static constexpr std::string_view name = "q2_0";
    static constexpr std::uint32_t gguf_type = 42;
    using layout = nibble::layout::consecutive_pairs;
    using companion = q8_0;

    static constexpr int code_without_inverse = 0;
    static constexpr int largest_level = 2;
    static constexpr scale_trials best_trials = {0.8f, 0.2f, 14, 2};
};

NIBBLE_NAMESPACE_END
