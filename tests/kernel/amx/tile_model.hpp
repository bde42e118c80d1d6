// A model of tiles for machines without AMX, as the Intel Software Developer's Manual defines them (LDTILECFG, TILELOADD, TDPBF16PS). It takes the
// place of hardware_tiles of kernel/amx/tile.hpp. What would fault counts as a fault, and tests ask for none.
#pragma once

#include <cstring>
#include <nibble/kernel/amx/tile.hpp>

#if defined(NIBBLE_X86)

namespace model {

struct tile {
    std::size_t rows = 0, row_bytes = 0;
    std::byte bytes[16][64] = {};
};
struct state {
    bool configured = false;
    tile tiles[8];
    std::size_t faults = 0, products = 0;
};
inline thread_local state machine;

/// Denormals are zeros, in what is read and in what is written.
NIBBLE_INLINE float flushed(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7F800000u) == 0) bits &= 0x80000000u;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}
NIBBLE_INLINE float float_at(const std::byte* row, std::size_t i) {
    float value;
    std::memcpy(&value, row + 4 * i, sizeof value);
    return flushed(value);
}
NIBBLE_INLINE float bfloat16_at(const std::byte* row, std::size_t i) {
    std::uint16_t upper;
    std::memcpy(&upper, row + 2 * i, sizeof upper);
    const std::uint32_t bits = static_cast<std::uint32_t>(upper) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return flushed(value);
}

inline void configure(const std::byte (&memory)[64]) {
    const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(memory[i]); };
    if (machine.configured) machine.faults += 1;  // not one, but nobody should
    machine.configured = true;
    if (at(0) != 1 || at(1) != 0) machine.faults += 1;  // palette, start row
    for (std::size_t i = 2; i < 16; ++i) machine.faults += at(i) != 0;
    for (std::size_t i = 8; i < 16; ++i) machine.faults += at(16 + 2 * i) != 0 || at(17 + 2 * i) != 0 || at(48 + i) != 0;
    for (std::size_t i = 0; i < 8; ++i) {
        tile& t = machine.tiles[i];
        t = {at(48 + i), at(16 + 2 * i) + 256 * at(17 + 2 * i), {}};
        if (t.rows > 16 || t.row_bytes > 64 || (t.rows == 0) != (t.row_bytes == 0)) {
            machine.faults += 1;
            t = {};
        }
    }
}
inline void release() {
    machine.configured = false;
    for (tile& t : machine.tiles) t = {};
}
/// A configured tile of a shape.
inline tile& at(int index) {
    tile& t = machine.tiles[index];
    if (!machine.configured || t.rows == 0) machine.faults += 1;
    return t;
}

}  // namespace model

NIBBLE_TARGET_BEGIN_AVX512
namespace model {

/// sums += a * b. Rounds to nearest even whatever MXCSR says; the tests leave it alone.
inline void multiply(tile& sums, const tile& a, const tile& b) {
    machine.products += 1;
    const std::size_t pairs = a.row_bytes / 4, columns = sums.row_bytes / 4;
    if (&sums == &a || &sums == &b || &a == &b || a.rows != sums.rows || b.row_bytes != sums.row_bytes || b.rows != pairs || a.row_bytes % 4 != 0 ||
        sums.row_bytes % 4 != 0) {
        machine.faults += 1;
        return;
    }
    for (std::size_t m = 0; m < sums.rows; ++m) {
        float even[16] = {}, odd[16] = {};
        for (std::size_t k = 0; k < pairs; ++k) {
            const float first = bfloat16_at(a.bytes[m], 2 * k), second = bfloat16_at(a.bytes[m], 2 * k + 1);
            for (std::size_t n = 0; n < columns; ++n) {
                even[n] = flushed(__builtin_fmaf(first, bfloat16_at(b.bytes[k], 2 * n), even[n]));
                odd[n] = flushed(__builtin_fmaf(second, bfloat16_at(b.bytes[k], 2 * n + 1), odd[n]));
            }
        }
        for (std::size_t n = 0; n < columns; ++n) {
            const float sum = flushed(float_at(sums.bytes[m], n) + flushed(even[n] + odd[n]));
            std::memcpy(sums.bytes[m] + 4 * n, &sum, sizeof sum);
        }
    }
}

}  // namespace model
NIBBLE_TARGET_END

namespace model {

class tiles {
public:
    tiles() noexcept {
        const nibble::tile::shapes shapes = nibble::tile::all_whole();
        std::byte memory[64];
        std::memcpy(memory, &shapes, sizeof memory);
        configure(memory);
    }
    ~tiles() { release(); }
    tiles(const tiles&) = delete;
    tiles& operator=(const tiles&) = delete;

    template <int Tile>
    static void zero() noexcept {
        tile& t = at(Tile);
        std::memset(t.bytes, 0, sizeof t.bytes);
    }
    template <int Tile>
    static void load(const void* from) noexcept {
        tile& t = at(Tile);
        for (std::size_t i = 0; i < t.rows; ++i) std::memcpy(t.bytes[i], static_cast<const std::byte*>(from) + i * 64, t.row_bytes);
    }
    template <int Tile>
    static void store(void* to) noexcept {
        const tile& t = at(Tile);
        for (std::size_t i = 0; i < t.rows; ++i) std::memcpy(static_cast<std::byte*>(to) + i * 64, t.bytes[i], t.row_bytes);
    }
    template <int Sums, int A, int B>
    static void multiply() noexcept {
        model::multiply(at(Sums), at(A), at(B));
    }
};

}  // namespace model

#endif
