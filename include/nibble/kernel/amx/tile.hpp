// Tiles: eight registers of 16 rows by 64 bytes, here always whole and from 1024 consecutive bytes.
//
// Inline assembly instead of the intrinsics: GCC's spell their arguments into the instruction, so that a tile cannot be a template parameter, and
// GCC 12's _tile_loadconfig says that it reads 8 of the 64 bytes, after which the stores of the others vanish and ldtilecfg faults.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/target.hpp"

#if defined(NIBBLE_X86)
NIBBLE_NAMESPACE_BEGIN
namespace tile {

inline constexpr std::size_t rows = 16, row_bytes = 64, bytes = 1024;

/// What ldtilecfg reads.
struct shapes {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
};
static_assert(sizeof(shapes) == 64);

/// All eight tiles whole.
NIBBLE_INLINE constexpr shapes all_whole() noexcept {
    shapes all;
    for (std::size_t i = 0; i < 8; ++i) {
        all.row_bytes[i] = row_bytes;
        all.rows[i] = rows;
    }
    return all;
}

}  // namespace tile
NIBBLE_NAMESPACE_END

NIBBLE_TARGET_BEGIN_AMX
NIBBLE_BASELINE_BEGIN
namespace amx {

/// The tiles of this machine: they exist in this thread while an object lives. Each piece of work has its own, because a thread that keeps tiles
/// is expensive to switch. The class is a template parameter of the products, so that tests can put a model in its place.
class hardware_tiles {
public:
    NIBBLE_INLINE hardware_tiles() noexcept {
        const tile::shapes shapes = tile::all_whole();
        __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
    }
    NIBBLE_INLINE ~hardware_tiles() { __asm__ volatile("tilerelease" : : : "memory"); }
    hardware_tiles(const hardware_tiles&) = delete;
    hardware_tiles& operator=(const hardware_tiles&) = delete;

    template <int Tile>
    NIBBLE_INLINE static void zero() noexcept {
        __asm__ volatile("tilezero %%tmm%c0" : : "i"(Tile));
    }
    template <int Tile>
    NIBBLE_INLINE static void load(const void* from) noexcept {
        __asm__ volatile("{tileloadd (%0,%1,1), %%tmm%c2|tileloadd tmm%c2, [%0+%1*1]}" : : "r"(from), "r"(tile::row_bytes), "i"(Tile) : "memory");
    }
    template <int Tile>
    NIBBLE_INLINE static void store(void* to) noexcept {
        __asm__ volatile("{tilestored %%tmm%c2, (%0,%1,1)|tilestored [%0+%1*1], tmm%c2}" : : "r"(to), "r"(tile::row_bytes), "i"(Tile) : "memory");
    }
    /// Sums[m][n] += A[m][2 k] * B[k][2 n] + A[m][2 k + 1] * B[k][2 n + 1], over k = 0 .. 15; A and B are bfloat16, sums are floats.
    template <int Sums, int A, int B>
    NIBBLE_INLINE static void multiply() noexcept {
        __asm__ volatile("{tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbf16ps tmm%c0, tmm%c1, tmm%c2}" : : "i"(Sums), "i"(A), "i"(B));
    }
};

}  // namespace amx
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
