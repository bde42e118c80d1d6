// One tensor of a GGUF file, and what its type and shape say about its size.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/format/list.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

inline constexpr std::uint32_t most_dims = 4;
inline constexpr std::uint64_t smallest_alignment = 8;  ///< that is written, and that a strict reader accepts
inline constexpr std::uint64_t largest_alignment = 1u << 20;

/// A tensor of a file. Owns nothing: name and data are views into the file's bytes.
struct tensor_info {
    std::string_view name{};                                 ///< any bytes: escape before printing
    std::uint32_t type = 0;                                  ///< GGUF type number; traits_of(type) knows its block
    std::uint32_t dims = 0;                                  ///< dimensions that the file lists, 0 to 4
    std::array<std::uint64_t, most_dims> shape{1, 1, 1, 1};  ///< elements, row length first; 1 where the file lists none
    std::uint64_t offset = 0;                                ///< bytes from the start of the data section
    std::span<const std::byte> data{};                       ///< without padding

    /// Elements of a row.
    NIBBLE_INLINE std::uint64_t cols() const noexcept { return shape[0]; }
    /// Rows of all further dimensions together.
    NIBBLE_INLINE std::uint64_t rows() const noexcept { return cols() == 0 ? 0 : elements() / cols(); }
    /// Product of the dimensions, below 2^63 in every tensor that a reader hands out.
    NIBBLE_INLINE std::uint64_t elements() const noexcept {
        for (const std::uint64_t n : shape) {
            if (n == 0) return 0;  // the product of the others may overflow
        }
        return shape[0] * shape[1] * shape[2] * shape[3];
    }
};

/// A power of two between `smallest` and 2^20.
NIBBLE_INLINE constexpr bool is_alignment(std::uint64_t value, std::uint64_t smallest) noexcept {
    return std::has_single_bit(value) && value >= smallest && value <= largest_alignment;
}

/// `size` rounded up to a multiple of `alignment`, a power of two; size must be below 2^63.
NIBBLE_INLINE constexpr std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) noexcept {
    return (size + alignment - 1) & ~(alignment - 1);
}

/// Bytes of a tensor's data, without padding; below 2^63.
/// @param shape up to four dimensions, row length first; missing ones count as 1
/// @return errc::unsupported_type, errc::bad_shape (over four dimensions, or rows that are not whole blocks), errc::shape_overflow
inline result<std::uint64_t> data_bytes(std::uint32_t type, std::span<const std::uint64_t> shape, std::uint64_t where = 0) noexcept {
    constexpr std::uint64_t limit = ~std::uint64_t{0} >> 1;
    constexpr std::string_view too_large = "the dimensions of a tensor overflow: the file is damaged";
    const format_traits traits = traits_of(type);
    if (traits.block_size == 0) {
        return status(errc::unsupported_type, "a tensor has an unknown or withdrawn type: make the file again with a current tool", where);
    }
    if (shape.size() > most_dims) return status(errc::bad_shape, "a tensor has more than four dimensions", where);

    bool empty = false;
    for (const std::uint64_t n : shape) {
        if (n > limit) return status(errc::shape_overflow, "a tensor has a negative dimension: the file is damaged", where);
        if (n == 0) empty = true;
    }
    const std::uint64_t cols = shape.empty() ? 1 : shape[0];
    if (cols % traits.block_size != 0) {
        return status(errc::bad_shape, "the rows of a tensor are not whole blocks of its type", where);
    }
    if (empty) return std::uint64_t{0};

    std::uint64_t elements = 1;
    for (const std::uint64_t n : shape) {
        if (n > limit / elements) return status(errc::shape_overflow, too_large, where);
        elements *= n;
    }
    const std::uint64_t blocks = elements / traits.block_size;
    if (blocks > limit / traits.block_bytes) return status(errc::shape_overflow, too_large, where);
    return blocks * traits.block_bytes;
}

}  // namespace gguf
NIBBLE_BASELINE_END
