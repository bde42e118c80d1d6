// One tensor of a safetensors file, and what its type and shape say about its size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/safetensors/dtype.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

inline constexpr std::size_t longest_name = 65536;            ///< bytes of a tensor name or metadata key; this library's limit
inline constexpr std::uint64_t largest_header = 100'000'000;  ///< bytes; the limit of the format's own library
inline constexpr std::string_view metadata_name = "__metadata__";

/// A tensor of a file. Owns nothing: its parts are views into the reader and the file's bytes.
struct tensor_info {
    std::string_view name{};                 ///< any UTF-8: escape before printing
    dtype type{};                            ///< of the elements
    std::span<const std::uint64_t> shape{};  ///< in elements, row length last; empty for a single number
    std::uint64_t offset = 0;                ///< bytes from the start of the data section
    std::span<const std::byte> data{};       ///< at any address

    /// Elements of a row.
    NIBBLE_INLINE std::uint64_t cols() const noexcept { return shape.empty() ? 1 : shape[shape.size() - 1]; }
    /// Rows of all other dimensions together.
    NIBBLE_INLINE std::uint64_t rows() const noexcept { return elements() == 0 ? 0 : elements() / cols(); }
    /// Product of the dimensions.
    NIBBLE_INLINE std::uint64_t elements() const noexcept {
        for (const std::uint64_t n : shape) {
            if (n == 0) return 0;  // the product of the others may overflow
        }
        std::uint64_t product = 1;
        for (const std::uint64_t n : shape) product *= n;
        return product;
    }
    /// The elements as T without a copy: nothing if T has another size, if the data is not aligned for it, or on big-endian machines.
    template <class T>
    requires std::is_arithmetic_v<T> NIBBLE_INLINE std::optional<std::span<const T>> as()
    const noexcept {
        const bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % alignof(T) == 0;
        if (std::endian::native != std::endian::little || !aligned || bits_of(type) != 8 * sizeof(T)) return std::nullopt;
        return std::span<const T>(reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T));
    }
};

/// Bytes of a tensor's data; below 2^63.
/// @return errc::unsupported_type, errc::shape_overflow, errc::bad_shape (a packed type whose last byte would be half used)
inline result<std::uint64_t> data_bytes(dtype type, std::span<const std::uint64_t> shape, std::uint64_t where = 0) noexcept {
    constexpr std::uint64_t limit = ~std::uint64_t{0} >> 1;
    const std::uint64_t width = bits_of(type);
    if (width == 0) return status(errc::unsupported_type, "a tensor has an unknown type", where);
    for (const std::uint64_t n : shape) {
        if (n == 0) return std::uint64_t{0};
    }
    std::uint64_t bits = width;
    for (const std::uint64_t n : shape) {
        if (n > limit / bits) return status(errc::shape_overflow, "the dimensions of a tensor overflow: the file is damaged", where);
        bits *= n;
    }
    if (bits % 8 != 0) return status(errc::bad_shape, "a tensor of a packed type does not end with a whole byte", where);
    return bits / 8;
}

}  // namespace safetensors
NIBBLE_BASELINE_END
