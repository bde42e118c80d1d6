// Little-endian numbers at any address, and arithmetic that notices overflow.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

/// The bits of a value as another type of the same size. std::bit_cast, which libc++ 14 lacks.
template <class To, class From>
NIBBLE_INLINE constexpr To bit_cast(const From& value) noexcept {
    static_assert(sizeof(To) == sizeof(From));
    return __builtin_bit_cast(To, value);
}

/// Unsigned integer with the size of T.
template <std::size_t Bytes>
using uint_of = std::conditional_t<Bytes == 1, std::uint8_t,
                                   std::conditional_t<Bytes == 2, std::uint16_t, std::conditional_t<Bytes == 4, std::uint32_t, std::uint64_t>>>;

/// A number as files store it: little endian, alignment 1. Blocks are made of these, so that any byte span can hold them.
template <class T>
struct stored {
    /// as files hold them
    std::uint8_t bytes[sizeof(T)];

    /// The number.
    NIBBLE_INLINE constexpr T get() const noexcept {
        uint_of<sizeof(T)> bits = 0;
        if (in_our_order()) {
            __builtin_memcpy(&bits, bytes, sizeof bits);
            return bit_cast<T>(bits);
        }
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            bits = static_cast<uint_of<sizeof(T)>>(bits | (static_cast<uint_of<sizeof(T)>>(bytes[i]) << (8 * i)));
        }
        return bit_cast<T>(bits);
    }
    /// Stores the number.
    NIBBLE_INLINE constexpr void set(T value) noexcept {
        const auto bits = bit_cast<uint_of<sizeof(T)>>(value);
        if (in_our_order()) {
            __builtin_memcpy(bytes, &bits, sizeof bits);
            return;
        }
        for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
    }

private:
    /// Whether the bytes are the number as it lies in memory: GCC does not always see that a loop over them is one load or store.
    NIBBLE_INLINE static constexpr bool in_our_order() noexcept {
        return std::endian::native == std::endian::little && !std::is_constant_evaluated();
    }
};

namespace detail {
/// Where the first NaN or infinity is; there must be one.
NIBBLE_INLINE std::size_t first_nonfinite(const float* values) noexcept {
    for (std::size_t i = 0;; ++i) {
        std::uint32_t bits = 0;
        __builtin_memcpy(&bits, values + i, sizeof bits);  // from memory: -ffast-math believes that no float is one
        if ((bits & 0x7F800000u) == 0x7F800000u) return i;
    }
}
}  // namespace detail

/// a * b, or false if it does not fit.
NIBBLE_INLINE constexpr bool checked_multiply(std::size_t a, std::size_t b, std::size_t& product) noexcept {
    return !__builtin_mul_overflow(a, b, &product);
}

/// a + b, or false if it does not fit.
NIBBLE_INLINE constexpr bool checked_add(std::size_t a, std::size_t b, std::size_t& sum) noexcept {
    return !__builtin_add_overflow(a, b, &sum);
}

/// Quotient rounded up; `b` must not be 0.
NIBBLE_INLINE constexpr std::size_t divide_up(std::size_t a, std::size_t b) noexcept { return a / b + (a % b != 0 ? 1 : 0); }

NIBBLE_NAMESPACE_END
