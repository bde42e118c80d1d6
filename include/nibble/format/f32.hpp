// f32: the float itself, as files store it.
#pragma once

#include <span>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/format/layout.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 4 bytes: [value fp32]
struct f32 {
    static constexpr std::string_view name = "f32";
    static constexpr std::size_t block_size = 1;
    static constexpr std::uint32_t gguf_type = 0;
    using layout = nibble::layout::float32;
    using companion = f32;

    struct block {
        stored<float> value;
    };

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 1> values) noexcept { values[0] = packed.value.get(); }
    NIBBLE_INLINE static constexpr void encode(std::span<const float, 1> values, block& packed) noexcept { packed.value.set(values[0]); }
};

NIBBLE_NAMESPACE_END
