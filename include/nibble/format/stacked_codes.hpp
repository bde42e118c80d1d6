// Codes of 256 elements that are stacked: a run of 32 bytes holds the codes of 8 / Bits groups of 32 elements, the first group in the
// lowest bits. The planes of the super-blocks: low and high bits of a code are often in two of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/format/eight_codes.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Bits is 1, 2 or 4.
template <int Bits>
struct stacked_codes {
    static constexpr std::size_t together = 8 / Bits;  ///< groups in one run
    static constexpr int mask = (1 << Bits) - 1;

    std::uint8_t bytes[32 * Bits];

    /// The code of element i of a group.
    NIBBLE_INLINE constexpr int at(std::size_t group, std::size_t i) const noexcept {
        return (bytes[group / together * 32 + i] >> (Bits * static_cast<int>(group % together))) & mask;
    }
    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(at(group, i));
    }
    /// Stores bits Drop .. Drop + Bits - 1 of each code.
    template <int Drop = 0>
    NIBBLE_INLINE void set(const std::uint8_t (&codes)[256]) noexcept {
        for (std::size_t run = 0; run < Bits; ++run) {
            for (std::size_t i = 0; i < 32; i += 8) {
                eight_codes all = {0};
                for (std::size_t k = 0; k < together; ++k) {
                    const auto some = eight_codes::load(codes + 32 * (run * together + k) + i);
                    all = all | ((some >> Drop) & mask) << (Bits * static_cast<int>(k));
                }
                all.store(bytes + 32 * run + i);
            }
        }
    }
};

NIBBLE_NAMESPACE_END
