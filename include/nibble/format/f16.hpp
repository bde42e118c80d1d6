// f16: IEEE binary16, rounded to nearest even.
#pragma once

#include <span>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/base/float16.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 2 bytes: [value fp16]
struct f16 {
    static constexpr std::string_view name = "f16";
    static constexpr std::size_t block_size = 1;
    static constexpr std::uint32_t gguf_type = 1;
    using layout = nibble::layout::float16;
    using companion = f16;

    struct block {
        stored<std::uint16_t> value;
    };

    static constexpr float safe_magnitude = float16_max;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.value.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 1> values) noexcept {
        values[0] = float16_to_float(packed.value.get());
    }
    NIBBLE_INLINE static constexpr void encode(std::span<const float, 1> values, block& packed) noexcept {
        packed.value.set(float_to_float16(values[0]));
    }
};

NIBBLE_NAMESPACE_END
