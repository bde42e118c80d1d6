// Eight codes of one byte each as one 64-bit integer: shifted, masked and gathered side by side, wherever there is no vector for it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Code i is byte i. No code may outgrow its byte.
struct eight_codes {
    std::uint64_t raw;

    NIBBLE_INLINE static eight_codes load(const std::uint8_t* from) noexcept {
        std::uint64_t bytes;
        __builtin_memcpy(&bytes, from, sizeof bytes);
        return {ordered(bytes)};
    }
    NIBBLE_INLINE void store(std::uint8_t* to) const noexcept {
        const std::uint64_t bytes = ordered(raw);
        __builtin_memcpy(to, &bytes, sizeof bytes);
    }

    NIBBLE_INLINE friend eight_codes operator|(const eight_codes& a, const eight_codes& b) noexcept { return {a.raw | b.raw}; }
    NIBBLE_INLINE friend eight_codes operator&(const eight_codes& a, std::uint64_t mask) noexcept { return {a.raw & mask * 0x0101010101010101u}; }
    NIBBLE_INLINE friend eight_codes operator<<(const eight_codes& a, int bits) noexcept { return {a.raw << bits}; }
    /// Bits of the next code come in from above; the caller masks.
    NIBBLE_INLINE friend eight_codes operator>>(const eight_codes& a, int bits) noexcept { return {a.raw >> bits}; }

    /// The lowest bit of code i at bit i.
    NIBBLE_INLINE std::uint8_t low_bits() const noexcept {
        return static_cast<std::uint8_t>(((raw & 0x0101010101010101u) * 0x0102040810204080u) >> 56);
    }
    /// The lowest two bits of code i at bit 2 * i.
    NIBBLE_INLINE std::uint16_t low_pairs() const noexcept {
        const std::uint64_t pairs = raw & 0x0303030303030303u, quads = pairs | pairs >> 6 | pairs >> 12 | pairs >> 18;
        return static_cast<std::uint16_t>((quads & 0xFF) | ((quads >> 24) & 0xFF00));
    }

private:
    NIBBLE_INLINE static std::uint64_t ordered(std::uint64_t bytes) noexcept {
        return std::endian::native == std::endian::little ? bytes : __builtin_bswap64(bytes);
    }
};

NIBBLE_NAMESPACE_END
