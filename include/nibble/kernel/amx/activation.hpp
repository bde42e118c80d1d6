// Float rows in tiles of bfloat16: [row / 16][column / 32][row % 16][column % 32], rounded to nearest even, padded with zeros.
#pragma once

#include "nibble/base/bits.hpp"
#include "nibble/kernel/amx/tile.hpp"
#include "nibble/kernel/avx512/bfloat16.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AMX
NIBBLE_BASELINE_BEGIN
namespace amx {

/// Columns of a tile of bfloat16.
inline constexpr std::size_t tile_cols = 32;

/// Tiles that hold the columns of a row.
NIBBLE_INLINE constexpr std::size_t steps_of(std::size_t cols) noexcept { return divide_up(cols, tile_cols); }

using avx512bf16::load_finite;
using avx512bf16::to_bfloat16;

/// op::linear's workspace and prepare.
inline std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return divide_up(count, tile::rows) * steps_of(cols) * tile::bytes; }

inline void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
    const std::size_t steps = steps_of(cols);
    const auto line = [=](std::size_t r, std::size_t step) NIBBLE_LAMBDA_INLINE {
        return out + (r / tile::rows * steps + step) * tile::bytes + r % tile::rows * tile::row_bytes;
    };
    for (std::size_t r = first; r < last; ++r) {
        const float* row = x + r * cols;
        for (std::size_t c = 0; c < cols; c += tile_cols) {
            const std::size_t left = cols - c;
            const __m512 high = left > 16 ? load_finite(row + c + 16, left - 16) : _mm512_setzero_ps();
            _mm512_store_si512(line(r, c / tile_cols), to_bfloat16(load_finite(row + c, left), high));
        }
    }
    if (last != count) return;
    for (std::size_t r = count; r % tile::rows != 0; ++r) {
        for (std::size_t step = 0; step < steps; ++step) _mm512_store_si512(line(r, step), _mm512_setzero_si512());
    }
}

}  // namespace amx
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
