// The element types of safetensors files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "nibble/base/config.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

/// In the order of the format's own list, which is that of their alignment. f4, f6_e2m3 and f6_e3m2 are packed without gaps.
enum class dtype : std::uint8_t {
    boolean,  ///< one byte
    f4,
    f6_e2m3,
    f6_e3m2,
    u8,
    i8,
    f8_e5m2,
    f8_e4m3,
    f8_e8m0,
    f8_e4m3fnuz,
    f8_e5m2fnuz,
    i16,
    u16,
    f16,
    bf16,
    i32,
    u32,
    f32,
    c64,  ///< two f32
    f64,
    i64,
    u64,
};

inline constexpr std::size_t dtype_count = 22;

/// As files spell it, e.g. "BF16"; "unknown" for a value that is no type.
NIBBLE_INLINE constexpr std::string_view name_of(dtype type) noexcept {
    constexpr std::string_view names[dtype_count] = {"BOOL",    "F4",          "F6_E2M3",     "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
                                                     "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",     "U16", "F16", "BF16",    "I32",
                                                     "U32",     "F32",         "C64",         "F64",     "I64", "U64"};
    return static_cast<std::size_t>(type) < dtype_count ? names[static_cast<std::size_t>(type)] : "unknown";
}

/// Bits of one element; 0 for a value that is no type.
NIBBLE_INLINE constexpr std::uint32_t bits_of(dtype type) noexcept {
    constexpr std::uint8_t bits[dtype_count] = {8, 4, 6, 6, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 32, 32, 32, 64, 64, 64, 64};
    return static_cast<std::size_t>(type) < dtype_count ? bits[static_cast<std::size_t>(type)] : 0;
}

/// The type of that name, spelled exactly so.
NIBBLE_INLINE constexpr std::optional<dtype> find_dtype(std::string_view name) noexcept {
    for (std::size_t i = 0; i < dtype_count; ++i) {
        if (name_of(static_cast<dtype>(i)) == name) return static_cast<dtype>(i);
    }
    return std::nullopt;
}

}  // namespace safetensors
NIBBLE_BASELINE_END
