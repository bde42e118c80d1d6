// Lanes that change places: floats of several rows side by side, rows reduced to one lane each, integers narrowed to bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
/// to[k] = element Index[k] of a followed by b.
template <class To, class From, int... Index>
NIBBLE_INLINE void permute(const From& a, const From& b, To& to, std::integer_sequence<int, Index...>) noexcept {
#if defined(__CUDACC__)
    // nvcc's front end loses the expansion of a pack in the builtin.
    constexpr int index[] = {Index...}, size = static_cast<int>(sizeof(From) / sizeof(a[0]));
    for (int k = 0; k < static_cast<int>(sizeof...(Index)); ++k) to[k] = index[k] < size ? a[index[k]] : b[index[k] - size];
#else
    to = __builtin_shufflevector(a, b, Index...);
#endif
}
/// Every Step-th element.
template <int Step, class From, class To, int... I>
NIBBLE_INLINE void permute_every(const From& a, const From& b, To& to, std::integer_sequence<int, I...>) noexcept {
    constexpr int first = std::endian::native == std::endian::little ? 0 : Step - 1;  // the low parts of integers
    permute(a, b, to, std::integer_sequence<int, (Step * I + first)...>{});
}
}  // namespace detail

/// The low byte of each lane, in order.
template <lane_count auto N>
NIBBLE_INLINE void store_bytes(const i32x<N>& value, std::uint8_t* to) noexcept {
    if constexpr (N > lanes_of_register<N>) {
        store_bytes(value.low, to);
        store_bytes(value.high, to + N / 2);
    } else if constexpr (N == 1) {
        *to = static_cast<std::uint8_t>(value.raw);
#if !defined(__CUDACC__)
    } else if constexpr (N == 8) {
        // In two steps, within the halves and then between them: a conversion of the vector GCC does lane by lane.
        const auto all = __builtin_bit_cast(raw_lanes<std::uint8_t, 32>, value.raw);
        const auto quads = __builtin_shufflevector(all, all, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 16, 20, 24, 28, 16, 20, 24, 28, 16,
                                                   20, 24, 28, 16, 20, 24, 28);
        const auto words = __builtin_bit_cast(raw_lanes<std::int32_t, 8>, quads);
        const auto bytes = __builtin_shufflevector(words, words, 0, 4, 0, 4, 0, 4, 0, 4);
        __builtin_memcpy(to, &bytes, 8);
#endif
    } else {
        const auto bytes = __builtin_convertvector(value.raw, raw_lanes<std::uint8_t, N>);
        __builtin_memcpy(to, &bytes, sizeof bytes);
    }
}
/// The same of four neighbours: 4 * N bytes.
template <lane_count auto N>
NIBBLE_INLINE void store_bytes(const i32x<N> (&values)[4], std::uint8_t* to) noexcept {
    if constexpr (N == 1) {
        for (std::size_t i = 0; i < 4; ++i) store_bytes(values[i], to + i);
    } else {
        using words = raw_lanes<std::uint16_t, 2 * N>;
        using bytes = raw_lanes<std::uint8_t, 4 * N>;
        words low, high;
        bytes all;
        detail::permute_every<2>(__builtin_bit_cast(words, values[0].raw), __builtin_bit_cast(words, values[1].raw), low,
                                 std::make_integer_sequence<int, 2 * N>{});
        detail::permute_every<2>(__builtin_bit_cast(words, values[2].raw), __builtin_bit_cast(words, values[3].raw), high,
                                 std::make_integer_sequence<int, 2 * N>{});
        detail::permute_every<2>(__builtin_bit_cast(bytes, low), __builtin_bit_cast(bytes, high), all, std::make_integer_sequence<int, 4 * N>{});
        __builtin_memcpy(to, &all, sizeof all);
    }
}

/// The same of two neighbours, whose values are 0 .. 255: 2 * N bytes.
template <lane_count auto N>
NIBBLE_INLINE void store_bytes(const i32x<N> (&values)[2], std::uint8_t* to) noexcept {
#if !defined(__CUDACC__)
    if constexpr (N == 8) {
        const auto all = __builtin_bit_cast(raw_lanes<std::uint8_t, 32>, (values[0] | values[1] << 16).raw);
        const auto quads = __builtin_shufflevector(all, all, 0, 4, 8, 12, 2, 6, 10, 14, 0, 4, 8, 12, 2, 6, 10, 14, 16, 20, 24, 28, 18, 22, 26, 30, 16,
                                                   20, 24, 28, 18, 22, 26, 30);
        const auto words = __builtin_bit_cast(raw_lanes<std::int32_t, 8>, quads);
        const auto bytes = __builtin_shufflevector(words, words, 0, 4, 1, 5, 0, 4, 1, 5);
        __builtin_memcpy(to, &bytes, 16);
        return;
    }
#endif
    store_bytes(values[0], to);
    store_bytes(values[1], to + N);
}

/// The low bytes of Count integers, which value_at(i) gives as those of i .. i + N - 1.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void store_bytes(std::uint8_t* to, auto value_at) noexcept {
    if constexpr (N > 1 && Count % (4 * N) == 0) {
        for (std::size_t i = 0; i < Count; i += 4 * N) {
            const i32x<N> values[4] = {value_at(i), value_at(i + N), value_at(i + 2 * N), value_at(i + 3 * N)};
            store_bytes(values, to + i);
        }
    } else {
        for (std::size_t i = 0; i < Count; i += N) store_bytes(value_at(i), to + i);
    }
}

/// The bits of all lanes in one integer, those of lane i moved up by i.
template <lane_count auto N>
NIBBLE_INLINE std::int32_t join_bits(const i32x<N>& value) noexcept {
    if constexpr (N == 1) {
        return value.raw;
    } else {
        raw_lanes<std::int32_t, N> places;
        for (int i = 0; i < N; ++i) places[i] = i;
        const auto moved = value.raw << places;
        std::int32_t all = 0;
        for (int i = 0; i < N; ++i) all |= moved[i];
        return all;
    }
}

namespace detail {
template <int N, int Distance, int... Lane>
NIBBLE_INLINE void exchange(raw_lanes<float, N>& low, raw_lanes<float, N>& high, std::integer_sequence<int, Lane...>) noexcept {
    const raw_lanes<float, N> a = low, b = high;
    permute(a, b, low, std::integer_sequence<int, ((Lane & Distance) == 0 ? Lane : N + Lane - Distance)...>{});
    permute(a, b, high, std::integer_sequence<int, ((Lane & Distance) == 0 ? Lane + Distance : N + Lane)...>{});
}
template <int N, int Distance>
NIBBLE_INLINE void transpose_from(raw_lanes<float, N> (&rows)[N]) noexcept {
    if constexpr (Distance < N) {
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) {
            if ((i & Distance) == 0) exchange<N, Distance>(rows[i], rows[i + Distance], std::make_integer_sequence<int, N>{});
        }
        transpose_from<N, 2 * Distance>(rows);
    }
}
/// Halves the rows until one is left.
template <lane_count auto N, int Distance>
NIBBLE_INLINE void reduce_from(f32x<N> (&rows)[N], auto choose) noexcept {
    if constexpr (Distance < N) {
#pragma GCC unroll 16
        for (int i = 0; i < N; i += 2 * Distance) {
            exchange<N, Distance>(rows[i].raw, rows[i + Distance].raw, std::make_integer_sequence<int, N>{});
            rows[i] = choose(rows[i], rows[i + Distance]);
        }
        reduce_from<N, 2 * Distance>(rows, choose);
    }
}
}  // namespace detail

/// Lane r of the result is what `choose(f32x, f32x)` makes of the lanes of row r, in any order.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> reduce_rows(f32x<N> (&rows)[N], auto choose) noexcept {
    detail::reduce_from<N, 1>(rows, choose);
    return rows[0];
}

/// Puts Count (a multiple of N, or anything for N = 1) consecutive floats of N places side by side: to[i][lane] = from[lane][i].
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void gather_lanes(const float* const (&from)[N], float (&to)[Count][N]) noexcept {
    constexpr std::size_t width = N < 8 ? N : 8;
    if constexpr (N == 1) {
        __builtin_memcpy(to, from[0], sizeof to);
    } else {
        static_assert(Count % width == 0);
        for (std::size_t first = 0; first < N; first += width) {
            for (std::size_t i = 0; i < Count; i += width) {
                raw_lanes<float, width> rows[width];
#pragma GCC unroll 8
                for (std::size_t lane = 0; lane < width; ++lane) __builtin_memcpy(&rows[lane], from[first + lane] + i, sizeof rows[lane]);
                detail::transpose_from<width, 1>(rows);
#pragma GCC unroll 8
                for (std::size_t lane = 0; lane < width; ++lane) __builtin_memcpy(to[i + lane] + first, &rows[lane], sizeof rows[lane]);
            }
        }
    }
}

/// The same of rows of Count floats that follow one another: to[i][lane] = from[lane * Count + i].
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void gather_rows(const float* from, float (&to)[Count][N]) noexcept {
    if constexpr (N == 1 || Count % (N < 8 ? N : 8) == 0) {
        const float* rows[N];
        for (std::size_t lane = 0; lane < N; ++lane) rows[lane] = from + lane * Count;
        gather_lanes<N>(rows, to);
    } else {
        for (std::size_t i = 0; i < Count; ++i) {
            for (std::size_t lane = 0; lane < N; ++lane) to[i][lane] = from[lane * Count + i];
        }
    }
}
/// Back to rows, as bytes: to[lane * Count + i] = from[i][lane].
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE void spread_codes(const std::int32_t (&from)[Count][N], std::uint8_t* to) noexcept {
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t i = 0; i < Count; ++i) to[lane * Count + i] = static_cast<std::uint8_t>(from[i][lane]);
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
