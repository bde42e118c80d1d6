// The structures of codebook blocks, as types for kernels, and what they share. All have 256 elements and, where not said otherwise, begin
// with an fp16 scale. A point is eight coordinates (a quad four) at an index of a codebook (codebook/books.hpp).
#pragma once

#include <cstdint>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace layout {

/// For each 32 elements: 4 indices of 8 bits, then in 32 bits 4 times 7 signs and 4 bits sub-scale.
template <class Book>
struct points_beside_signs {};

/// 32 times 16 bits: 9 of index, 7 signs; then 8 bytes of sub-scale nibbles for 16 elements each.
template <class Book>
struct points_with_signs {};

/// Low bytes of 32 indices, 32 bytes of signs, 8 bytes with the upper 2 bits of 4 indices each, 8 bytes of sub-scale nibbles.
template <class Book>
struct points_and_signs {};

/// 64 indices of 8 bits, then for each 32 elements 4 times 7 signs and 4 bits sub-scale in 32 bits.
template <class Book>
struct quads_beside_signs {};

/// Low bytes of 64 indices, 8 bytes with bit 8 of 8 indices each, 32 bytes of signs, 4 bytes of sub-scale nibbles for 32 elements each.
template <class Book>
struct quads_and_signs {};

/// Low bytes of 32 indices, then for each 32 elements 16 bits: 4 times 3 upper bits, 3 bits sub-scale, the sign of the shift.
template <class Book>
struct shifted_points {};

/// No scale in front: low bytes of 32 indices, 32 nibbles with 3 upper bits and the sign of a shift, and 4 times 16 bits: 4 times 3 bits of
/// sub-scale for 16 elements each, and a nibble of the scale on top.
template <class Book>
struct singly_shifted_points {};

}  // namespace layout

/// Eight signs from seven: the eighth makes their number even.
NIBBLE_INLINE constexpr std::uint32_t even_signs(std::uint32_t seven) noexcept {
    const std::uint32_t fold = seven ^ (seven >> 4);
    return seven | (((0x6996u >> (fold & 15u)) & 1u) << 7);
}

NIBBLE_NAMESPACE_END
