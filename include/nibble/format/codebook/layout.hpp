// The arrangements of codebook blocks, as types for kernels, and what they share. Each format has an arrangement of its own, drawn in
// the comment of its struct.
#pragma once

#include <cstdint>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace layout {

struct iq1_s {};
struct iq1_m {};
struct iq2_xxs {};
struct iq2_xs {};
struct iq2_s {};
struct iq3_xxs {};
struct iq3_s {};

}  // namespace layout

/// Eight signs from seven: the eighth makes their number even.
NIBBLE_INLINE constexpr std::uint32_t even_signs(std::uint32_t seven) noexcept {
    const std::uint32_t fold = seven ^ (seven >> 4);
    return seven | (((0x6996u >> (fold & 15u)) & 1u) << 7);
}

NIBBLE_NAMESPACE_END
