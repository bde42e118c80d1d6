// Rows of any tensor type to floats and back. The only file of the tool that knows formats as types: it compiles longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nibble/algo/executor.hpp>
#include <nibble/algo/quantize.hpp>
#include <nibble/base/result.hpp>
#include <nibble/tensor/shape.hpp>
#include <span>

namespace tool {

/// True for types that have floats; false for those that files merely carry (integers, f64) and for unknown ones.
bool can_decode(std::uint32_t type);

/// Bytes of a row of `cols` elements; 0 for an unknown type.
std::size_t row_bytes(std::uint32_t type, std::size_t cols);

/// Packed rows to floats.
nibble::status decode(std::uint32_t type, std::span<const std::byte> packed, nibble::shape shape, std::span<float> values,
                      nibble::executor threads);

/// Whether packed rows decode to numbers: errc::nonfinite, and the element in where(), if one of them is NaN or infinite.
nibble::status validate(std::uint32_t type, std::span<const std::byte> packed, nibble::shape shape, nibble::executor threads);

/// Floats to packed rows.
nibble::status encode(std::uint32_t type, std::span<const float> values, nibble::shape shape, std::span<std::byte> packed,
                      const nibble::quantize_options& options);

}  // namespace tool
