// q8_1: 8 bits and one scale for 32 elements, with the sum that formats with an offset need. Their companion; not a weight format.
#pragma once

#include "nibble/format/byte_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 36 bytes: [scale fp16][sum fp16: unrounded scale * sum of the codes][codes int8 x 32]; value = scale * code
struct q8_1 : byte_block<q8_1, true> {
    static constexpr std::string_view name = "q8_1";
    static constexpr std::uint32_t gguf_type = 9;
    using layout = nibble::layout::signed_bytes_with_sum;
};

NIBBLE_NAMESPACE_END
