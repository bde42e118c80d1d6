// Panel order: the order that gemm kernels read weights in. Never written to a file.
//
// A panel holds 16 packed rows. For each group of 32 columns it has
//   512 bytes  codes, unsigned: [column / 4][row][column % 4], so that 64 bytes are one zmm of 16 rows by 4 columns (two ymm of 8 rows)
//   parts * 64 bytes  scales  fp32: [part][row]
//   parts * 64 bytes  offsets fp32: [part][row]
// with value = scale * code + offset; a part is the stretch of columns that shares a scale: 32 columns (1 part) or 16 (2 parts).
// Rows past the end are zeros, columns too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/bits.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace panel {

inline constexpr std::size_t rows = 16;       ///< rows of a panel
inline constexpr std::size_t group = 32;      ///< columns of a group
inline constexpr std::size_t run = 256;       ///< columns are padded to a multiple of this
inline constexpr std::size_t code_bytes = 512;

/// Bytes of one group of a panel.
NIBBLE_INLINE constexpr std::size_t group_bytes(std::size_t parts) noexcept { return code_bytes + 2 * parts * rows * sizeof(float); }

/// Bytes of `row_count` rows in panel order.
NIBBLE_INLINE constexpr std::size_t bytes(std::size_t row_count, std::size_t cols, std::size_t parts) noexcept {
    return divide_up(row_count, rows) * divide_up(cols, run) * (run / group) * group_bytes(parts);
}

}  // namespace panel
NIBBLE_NAMESPACE_END
