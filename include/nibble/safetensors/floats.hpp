// Elements of a safetensors file as floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/float16.hpp"
#include "nibble/base/float8.hpp"
#include "nibble/base/result.hpp"
#include "nibble/safetensors/dtype.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

/// True for the types that to_floats() converts: all floats of 8 bits and more. Integers are not weights, and the smaller floats mean
/// nothing without the scales of another tensor.
NIBBLE_INLINE constexpr bool has_floats(dtype type) noexcept {
    switch (type) {
        case dtype::f8_e5m2:
        case dtype::f8_e4m3:
        case dtype::f8_e8m0:
        case dtype::f8_e4m3fnuz:
        case dtype::f8_e5m2fnuz:
        case dtype::f16:
        case dtype::bf16:
        case dtype::f32:
        case dtype::f64: return true;
        default: return false;
    }
}

namespace internal {
/// Reads little-endian numbers at any address. @param convert from the stored number to a float
template <class T, class Convert>
void convert_each(std::span<const std::byte> data, std::span<float> out, const Convert& convert) noexcept {
    for (std::size_t i = 0; i < out.size(); ++i) {
        stored<T> number;
        __builtin_memcpy(number.bytes, data.data() + i * sizeof(T), sizeof(T));
        out[i] = convert(number.get());
    }
}
}  // namespace internal

/// Converts; exact, but for f64, which is rounded to nearest, to infinity if it is too large.
/// @param data exactly out.size() elements
/// @return errc::unsupported_type (see has_floats), errc::size_mismatch
inline status to_floats(dtype type, std::span<const std::byte> data, std::span<float> out) noexcept {
    if (!has_floats(type)) return errc::unsupported_type;
    if (data.size() % (bits_of(type) / 8) != 0 || data.size() / (bits_of(type) / 8) != out.size()) return errc::size_mismatch;
    switch (type) {
        case dtype::f8_e5m2:
            internal::convert_each<std::uint8_t>(data, out, [](std::uint8_t b) noexcept { return float8_e5m2_to_float(b); });
            break;
        case dtype::f8_e4m3:
            internal::convert_each<std::uint8_t>(data, out, [](std::uint8_t b) noexcept { return float8_e4m3_to_float(b); });
            break;
        case dtype::f8_e8m0:
            internal::convert_each<std::uint8_t>(data, out, [](std::uint8_t b) noexcept { return float8_e8m0_to_float(b); });
            break;
        case dtype::f8_e4m3fnuz:
            internal::convert_each<std::uint8_t>(data, out, [](std::uint8_t b) noexcept { return float8_e4m3fnuz_to_float(b); });
            break;
        case dtype::f8_e5m2fnuz:
            internal::convert_each<std::uint8_t>(data, out, [](std::uint8_t b) noexcept { return float8_e5m2fnuz_to_float(b); });
            break;
        case dtype::f16:
            internal::convert_each<std::uint16_t>(data, out, [](std::uint16_t b) noexcept { return float16_to_float(b); });
            break;
        case dtype::bf16:
            internal::convert_each<std::uint16_t>(data, out, [](std::uint16_t b) noexcept { return bfloat16_to_float(b); });
            break;
        case dtype::f32: internal::convert_each<float>(data, out, [](float value) noexcept { return value; }); break;
        default: internal::convert_each<double>(data, out, [](double value) noexcept { return static_cast<float>(value); }); break;
    }
    return {};
}

}  // namespace safetensors
NIBBLE_BASELINE_END
