// bf16: the upper half of a float, rounded to nearest even.
#pragma once

#include <span>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/base/float16.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 2 bytes: [value bf16]
struct bf16 {
    static constexpr std::string_view name = "bf16";
    static constexpr std::size_t block_size = 1;
    static constexpr std::uint32_t gguf_type = 30;
    using layout = nibble::layout::bfloat16;
    using companion = bf16;

    struct block {
        stored<std::uint16_t> value;
    };

    static constexpr float safe_magnitude = bfloat16_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return (packed.value.get() & 0x7F80u) != 0x7F80u; }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 1> values) noexcept {
        values[0] = bfloat16_to_float(packed.value.get());
    }
    NIBBLE_INLINE static constexpr void encode(std::span<const float, 1> values, block& packed) noexcept {
        packed.value.set(float_to_bfloat16(values[0]));
    }
};

NIBBLE_NAMESPACE_END
