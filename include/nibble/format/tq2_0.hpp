// tq2_0: ternary weights of two bits each, one scale for 256 elements.
#pragma once

#include "nibble/format/q8_k.hpp"
#include "nibble/format/stacked_codes.hpp"
#include "nibble/format/ternary_block.hpp"

NIBBLE_NAMESPACE_BEGIN

struct tq2_0_block {
    stacked_codes<2> codes;
    stored<std::uint16_t> scale;
};

/// 66 bytes: [64 bytes: two runs of 32, byte i of run h holds elements i, i + 32, i + 64, i + 96 of half h, lowest bits first]
/// [scale fp16]; value = scale * (code - 1)
struct tq2_0 : ternary_block<tq2_0, tq2_0_block, 256> {
    static constexpr std::string_view name = "tq2_0";
    static constexpr std::uint32_t gguf_type = 35;
    using layout = nibble::layout::ternary_super_block;
    using companion = q8_k;

    static constexpr int code_without_inverse = 1;
    static constexpr int largest_level = 1;
    static constexpr scale_trials best_trials = {1.0f, 0.5f, 12, 3};
};

NIBBLE_NAMESPACE_END
