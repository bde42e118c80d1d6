// q8_0: 8 bits and one scale for 32 elements. The weight format closest to lossless, and the companion of the 4- and 5-bit ones.
#pragma once

#include "nibble/format/byte_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 34 bytes: [scale fp16][codes int8 x 32]; value = scale * code
struct q8_0 : byte_block<q8_0, false> {
    static constexpr std::string_view name = "q8_0";
    static constexpr std::uint32_t gguf_type = 8;
    using layout = nibble::layout::signed_bytes;
    using companion = q8_0;
};

NIBBLE_NAMESPACE_END
