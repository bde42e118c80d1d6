// A run of a panel from its wide form, and single codes and factors of it (kernel/panel.hpp). Without loss.
#pragma once

#include <bit>
#include <cstring>

#include "nibble/base/float16.hpp"
#include "nibble/kernel/panel.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace panel {

namespace detail {

/// Indices of the codes that occur.
template <class F>
struct code_indices {
    std::uint8_t values[256];

    consteval code_indices() noexcept : values{} {
        for (std::size_t i = 0; i < panels_of<F>.code_count; ++i) values[panels_of<F>.codes[i]] = static_cast<std::uint8_t>(i);
    }
};
template <class F>
inline constexpr code_indices<F> code_indices_of{};

/// An odd integer times 2^(exponent - 150); 0 for zero.
struct dyadic {
    std::uint32_t odd;
    int exponent;
};
NIBBLE_INLINE dyadic dyadic_of(std::uint32_t magnitude_bits) noexcept {
    if (magnitude_bits == 0) return {0, 0};
    const std::uint32_t mantissa = magnitude_bits < 0x800000u ? magnitude_bits : (magnitude_bits & 0x7FFFFFu) | 0x800000u;
    const int zeros = std::countr_zero(mantissa);
    return {mantissa >> zeros, (magnitude_bits < 0x800000u ? 1 : static_cast<int>(magnitude_bits >> 23)) + zeros};
}
NIBBLE_INLINE std::uint32_t bits_of(dyadic v) noexcept {
    const int shift = std::countl_zero(v.odd) - 8, exponent = v.exponent - shift;
    return exponent < 1 ? v.odd << (v.exponent - 1) : ((v.odd << shift) & 0x7FFFFFu) | (static_cast<std::uint32_t>(exponent) << 23);
}

/// The number that the scales of a run are multiples of, and these multiples. Exact: scales are one number times integers of 8 bits, which so
/// follow from a few divisions. In integers, because programs may flush small floats to zero. If a scale is not finite it is the unit of all.
/// Turned around where that brings them into the range from `least` to `largest`.
/// @param factors    floats of one row, `panel::rows` apart
/// @param multiples  of the same row, as far apart
NIBBLE_INLINE float find_multiples(const float* factors, std::size_t count, int least, int largest, std::int8_t* multiples) noexcept {
    const auto bits = [=](std::size_t i) NIBBLE_LAMBDA_INLINE { return bit_cast<std::uint32_t>(factors[i * rows]); };
    dyadic common{0, 1 << 20};
    for (std::size_t i = 0; i < count; ++i) {
        if ((bits(i) & 0x7F800000u) == 0x7F800000u) {
            for (std::size_t k = 0; k < count; ++k) multiples[k * rows] = 1;
            return factors[i * rows];
        }
        dyadic v = dyadic_of(bits(i) & 0x7FFFFFFFu);
        if (v.odd != 0 && v.exponent < common.exponent) common.exponent = v.exponent;
        while (v.odd != 0) {
            const std::uint32_t rest = common.odd % v.odd;
            common.odd = v.odd;
            v.odd = rest;
        }
    }
    const auto multiple = [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
        const dyadic v = dyadic_of(bits(i) & 0x7FFFFFFFu);
        const int magnitude = v.odd == 0 ? 0 : static_cast<int>((v.odd / common.odd) << (v.exponent - common.exponent));
        return bits(i) >> 31 != 0 ? -magnitude : magnitude;
    };
    bool turn = false;
    for (std::size_t i = 0; i < count; ++i) turn = turn || multiple(i) < least || multiple(i) > largest;
    for (std::size_t i = 0; i < count; ++i) multiples[i * rows] = static_cast<std::int8_t>(turn ? -multiple(i) : multiple(i));
    return common.odd == 0 ? 0.0f : bit_cast<float>(bits_of(common) | (turn ? 0x80000000u : 0u));
}

template <class F>
NIBBLE_INLINE void store_factors(const float* factors, std::size_t count, std::byte* to) noexcept {
    constexpr factor_form form = panels_of<F>.factors;
    if constexpr (form == factor_form::floats) {
        std::memcpy(to, factors, count * sizeof(float));
    } else {
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t half = form == factor_form::halves ? float_to_float16(factors[i]) : float_to_bfloat16(factors[i]);
            std::memcpy(to + 2 * i, &half, 2);
        }
    }
}

}  // namespace detail

/// Keeps a run in wide form, of which each byte is written.
template <class F>
NIBBLE_INLINE void keep_run(const std::byte* wide, std::byte* packed) noexcept {
    using order = panel::order<F>;
    constexpr std::size_t parts = F::parts, size = wide_group_bytes(parts);
    constexpr plane_pair planes = planes_of(index_bits<F>);
    const auto keep_plane = [&]<int Width, int Lowest>(const std::uint8_t* indices, std::byte* out) NIBBLE_LAMBDA_INLINE {
        constexpr std::size_t count = Width, together = 8 / count;  // vectors of a plane, quads in each
        for (std::size_t v = 0; v < count; ++v) {
            for (std::size_t i = 0; i < 64; ++i) {
                unsigned all = 0;
#pragma GCC unroll 8
                for (std::size_t t = 0; t < together; ++t) {
                    all |= ((static_cast<unsigned>(indices[64 * (v + count * t) + i]) >> Lowest) & ((1u << Width) - 1u)) << (count * t);
                }
                out[64 * v + i] = static_cast<std::byte>(all);
            }
        }
    };
    float factors[order::kinds][groups * parts * rows];
    for (std::size_t g = 0; g < groups; ++g, wide += size) {
        std::uint8_t indices[wide_code_bytes];
        std::memcpy(indices, wide, sizeof indices);
        if constexpr (order::form.code_count != 0) {
            for (std::uint8_t& index : indices) index = detail::code_indices_of<F>.values[index];
        }
        std::byte* out = packed + g * order::group_bytes;
        keep_plane.template operator()<planes.first.width, 0>(indices, out);
        if constexpr (planes.second.width != 0)
            keep_plane.template operator()<planes.second.width, planes.second.lowest>(indices, out + planes.second.at);
        for (std::size_t kind = 0; kind < order::kinds; ++kind) {
            std::memcpy(&factors[kind][g * parts * rows], wide + wide_code_bytes + kind * parts * rows * sizeof(float), parts * rows * sizeof(float));
        }
    }
    for (std::size_t kind = 0; kind < order::kinds; ++kind) {
        if constexpr (order::has_units) {
            std::int8_t multiples[groups * parts * rows];
            float units[rows];
            const int least = kind == 0 ? order::form.least_multiple : -128, largest = kind == 0 ? order::form.largest_multiple : 127;
            for (std::size_t r = 0; r < rows; ++r)
                units[r] = detail::find_multiples(factors[kind] + r, groups * parts, least, largest, multiples + r);
            std::memcpy(packed + order::unit_at(kind), units, sizeof units);
            std::memcpy(packed + order::factor_at(kind, 0, 0), multiples, sizeof multiples);
        } else {
            detail::store_factors<F>(factors[kind], groups * parts * rows, packed + order::factor_at(kind, 0, 0));
        }
    }
}

/// The code of a row in a column of group g.
template <class F>
NIBBLE_INLINE int code_at(const std::byte* packed, std::size_t g, std::size_t column, std::size_t row) noexcept {
    const std::byte* from = packed + g * order<F>::group_bytes + 4 * row + column % 4;
    const std::size_t quad = column / 4;
    const auto bits = [&](const plane& p) NIBBLE_LAMBDA_INLINE {
        const auto vectors = static_cast<std::size_t>(p.width);
        const auto byte = std::to_integer<unsigned>(from[p.at + 64 * (quad % vectors)]);
        return static_cast<int>(((byte >> (vectors * (quad / vectors))) & ((1u << p.width) - 1u)) << p.lowest);
    };
    constexpr plane_pair planes = planes_of(index_bits<F>);
    int index = bits(planes.first);
    if constexpr (planes.second.width != 0) index |= bits(planes.second);
    if constexpr (panels_of<F>.code_count != 0) index = panels_of<F>.codes[static_cast<std::size_t>(index)];
    return index;
}

/// A scale (kind 0) or an offset (kind 1, for formats that have some) of a row.
template <class F>
NIBBLE_INLINE float factor_at(const std::byte* packed, std::size_t kind, std::size_t g, std::size_t part, std::size_t row) noexcept {
    using order = panel::order<F>;
    const std::byte* from = packed + order::factor_at(kind, g, part) + row * order::factor_size;
    if constexpr (order::has_units) {
        float unit;
        std::memcpy(&unit, packed + order::unit_at(kind) + row * sizeof unit, sizeof unit);
        return unit * static_cast<float>(static_cast<std::int8_t>(*from));
    } else if constexpr (order::form.factors == factor_form::floats) {
        float value;
        std::memcpy(&value, from, sizeof value);
        return value;
    } else {
        std::uint16_t half;
        std::memcpy(&half, from, sizeof half);
        return order::form.factors == factor_form::halves ? float16_to_float(half) : bfloat16_to_float(half);
    }
}

}  // namespace panel
NIBBLE_NAMESPACE_END
