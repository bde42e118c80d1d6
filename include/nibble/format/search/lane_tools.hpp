// Arithmetic between lanes, which the codebook searches need and the others do not. Each function is written in the form that both
// compilers turn into the one or two instructions it stands for.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nibble/base/lane_order.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN
namespace detail {

#if defined(__clang__)
template <lane_count auto N, int... I>
NIBBLE_INLINE f32x<N> pick_raw(const f32x<N>& table, const i32x<N>& index, std::integer_sequence<int, I...>) noexcept {
    return {raw_lanes<float, N>{table.raw[index.raw[I]]...}};
}
#endif
/// Each lane takes an entry of a table with N entries. The index counts modulo N.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> pick(const f32x<N>& table, const i32x<N>& index) noexcept {
#if defined(__clang__)
    return pick_raw(table, index & i32x<N>::set(N - 1), std::make_integer_sequence<int, N>{});
#else
    return {__builtin_shuffle(table.raw, index.raw)};
#endif
}

/// Eight uint16 as integers.
NIBBLE_INLINE i32x<8> load_u16x8(const std::uint16_t* from) noexcept {
    raw_lanes<std::uint16_t, 8> values;
    const raw_lanes<std::uint16_t, 8> zeros = {};
    __builtin_memcpy(&values, from, sizeof values);
    return {__builtin_bit_cast(raw_lanes<std::int32_t, 8>, __builtin_shufflevector(values, zeros, 0, 8, 1, 8, 2, 8, 3, 8, 4, 8, 5, 8, 6, 8, 7, 8))};
}

/// The smallest of eight lanes, in all of them.
template <class Lanes>
NIBBLE_INLINE Lanes least_of_8(const Lanes& from) noexcept {
    auto a = from.raw;
    auto b = __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3);
    a = b < a ? b : a;
    b = __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5);
    a = b < a ? b : a;
    b = __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6);
    a = b < a ? b : a;
    return {a};
}

/// The first lane that is true; 0 if none is.
NIBBLE_INLINE std::size_t first_lane(const mask32<8>& mask) noexcept {
    std::uint8_t lanes[8];
    store_bytes(i32x<8>{mask.raw}, lanes);
    const auto bits = __builtin_bit_cast(std::uint64_t, lanes);
    if (bits == 0) return 0;
    return static_cast<std::size_t>(std::endian::native == std::endian::little ? __builtin_ctzll(bits) : __builtin_clzll(bits)) / 8;
}

}  // namespace detail
NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
