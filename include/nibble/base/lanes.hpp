// Lanes: N floats, integers or truths that go through the same arithmetic side by side.
//
// A scale search is sequential float code whose order of operations decides the bytes of a file. Written over these types it runs
// in N (sub-)blocks at once, one a lane, and each lane does exactly what the one-lane instance does: that instance is the scalar
// definition. The types are the compilers' vector extensions, so the surrounding region (base/target.hpp) decides which
// instructions they become, and the code needs no intrinsics. N is 1 or a power of two; more lanes than the machine has are legal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nibble/base/target.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
template <class T, int N>
struct vector_of {
    typedef T type __attribute__((vector_size(sizeof(T) * N)));
};
template <class T>
struct vector_of<T, 1> {
    using type = T;
};
}  // namespace detail

/// N elements of T as the compiler's own vector; T itself for one.
template <class T, int N>
using raw_lanes = typename detail::vector_of<T, N>::type;

namespace detail {
/// A value in all lanes. Not value - raw_lanes<T, N>{}: GCC makes scalar code of that where the value is no constant from the start.
template <class Lanes, class T, int... I>
NIBBLE_INLINE Lanes spread(T value, std::integer_sequence<int, I...>) noexcept {
#if defined(__CUDACC__)
    return {value - raw_lanes<T, sizeof...(I)>{}};
#else
    const raw_lanes<T, 4> one = {value, T{}, T{}, T{}};
    return {__builtin_shufflevector(one, one, (I & 0)...)};
#endif
}
}  // namespace detail

/// N truths, the result of a comparison.
template <int N>
struct mask32 {
    std::conditional_t<N == 1, bool, raw_lanes<std::int32_t, N>> raw;

    NIBBLE_INLINE friend mask32 operator&(const mask32& a, const mask32& b) noexcept {
        if constexpr (N == 1) return {a.raw && b.raw};
        else return {a.raw & b.raw};
    }
    NIBBLE_INLINE friend mask32 operator|(const mask32& a, const mask32& b) noexcept {
        if constexpr (N == 1) return {a.raw || b.raw};
        else return {a.raw | b.raw};
    }
    NIBBLE_INLINE friend mask32 operator!(const mask32& a) noexcept {
        if constexpr (N == 1) return {!a.raw};
        else return {~a.raw};
    }
};

/// True if any lane is.
template <int N>
NIBBLE_INLINE bool any(const mask32<N>& mask) noexcept {
    if constexpr (N == 1) {
        return mask.raw;
    } else {
        std::int32_t all = 0;
        for (int i = 0; i < N; ++i) all |= mask.raw[i];
        return all != 0;
    }
}

/// N 32-bit integers.
template <int N>
struct i32x {
    raw_lanes<std::int32_t, N> raw;

    NIBBLE_INLINE static i32x set(std::int32_t value) noexcept {
        if constexpr (N == 1) return {value};
        else return detail::spread<i32x>(value, std::make_integer_sequence<int, N>{});
    }
    NIBBLE_INLINE static i32x load(const std::int32_t* from) noexcept {
        i32x lanes;
        __builtin_memcpy(&lanes.raw, from, sizeof lanes.raw);
        return lanes;
    }
    NIBBLE_INLINE void store(std::int32_t* to) const noexcept { __builtin_memcpy(to, &raw, sizeof raw); }

    NIBBLE_INLINE friend i32x operator+(const i32x& a, const i32x& b) noexcept { return {a.raw + b.raw}; }
    NIBBLE_INLINE friend i32x operator-(const i32x& a, const i32x& b) noexcept { return {a.raw - b.raw}; }
    NIBBLE_INLINE friend i32x operator*(const i32x& a, const i32x& b) noexcept { return {a.raw * b.raw}; }
    NIBBLE_INLINE friend i32x operator&(const i32x& a, const i32x& b) noexcept { return {a.raw & b.raw}; }
    NIBBLE_INLINE friend i32x operator|(const i32x& a, const i32x& b) noexcept { return {a.raw | b.raw}; }
    NIBBLE_INLINE friend i32x operator^(const i32x& a, const i32x& b) noexcept { return {a.raw ^ b.raw}; }
    NIBBLE_INLINE friend i32x operator<<(const i32x& a, int bits) noexcept { return {a.raw << bits}; }
    NIBBLE_INLINE friend i32x operator>>(const i32x& a, int bits) noexcept { return {a.raw >> bits}; }
    NIBBLE_INLINE friend mask32<N> operator<(const i32x& a, const i32x& b) noexcept { return {a.raw < b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator>(const i32x& a, const i32x& b) noexcept { return {a.raw > b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator==(const i32x& a, const i32x& b) noexcept { return {a.raw == b.raw}; }
};

/// N floats. Each operation rounds; products and sums are never fused.
template <int N>
struct f32x {
    raw_lanes<float, N> raw;

    NIBBLE_INLINE static f32x set(float value) noexcept {
        if constexpr (N == 1) return {value};
        else return detail::spread<f32x>(value, std::make_integer_sequence<int, N>{});
    }
    NIBBLE_INLINE static f32x load(const float* from) noexcept {
        f32x lanes;
        __builtin_memcpy(&lanes.raw, from, sizeof lanes.raw);
        return lanes;
    }
    NIBBLE_INLINE void store(float* to) const noexcept { __builtin_memcpy(to, &raw, sizeof raw); }

    NIBBLE_INLINE friend f32x operator+(const f32x& a, const f32x& b) noexcept { return {a.raw + b.raw}; }
    NIBBLE_INLINE friend f32x operator-(const f32x& a, const f32x& b) noexcept { return {a.raw - b.raw}; }
    NIBBLE_INLINE friend f32x operator*(const f32x& a, const f32x& b) noexcept { return {a.raw * b.raw}; }
    NIBBLE_INLINE friend f32x operator/(const f32x& a, const f32x& b) noexcept { return {a.raw / b.raw}; }
    NIBBLE_INLINE friend f32x operator-(const f32x& a) noexcept { return {-a.raw}; }
    NIBBLE_INLINE friend mask32<N> operator<(const f32x& a, const f32x& b) noexcept { return {a.raw < b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator>(const f32x& a, const f32x& b) noexcept { return {a.raw > b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator<=(const f32x& a, const f32x& b) noexcept { return {a.raw <= b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator>=(const f32x& a, const f32x& b) noexcept { return {a.raw >= b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator==(const f32x& a, const f32x& b) noexcept { return {a.raw == b.raw}; }
    NIBBLE_INLINE friend mask32<N> operator!=(const f32x& a, const f32x& b) noexcept { return {a.raw != b.raw}; }
};

template <int N>
NIBBLE_INLINE f32x<N> select(const mask32<N>& mask, const f32x<N>& yes, const f32x<N>& no) noexcept {
    return {mask.raw ? yes.raw : no.raw};
}
/// 1 where the mask is true, 0 elsewhere.
template <int N>
NIBBLE_INLINE i32x<N> ones_where(const mask32<N>& mask) noexcept {
    if constexpr (N == 1) return {mask.raw};
    else return {-mask.raw};
}
template <int N>
NIBBLE_INLINE i32x<N> select(const mask32<N>& mask, const i32x<N>& yes, const i32x<N>& no) noexcept {
    return {mask.raw ? yes.raw : no.raw};
}
template <int N>
NIBBLE_INLINE i32x<N> clamp(const i32x<N>& from, std::int32_t low, std::int32_t high) noexcept {
    i32x<N> value = from;
    // Comparison and choice in one expression: that is how compilers recognise a minimum.
    const auto floor = i32x<N>::set(low).raw, ceiling = i32x<N>::set(high).raw;
    value.raw = value.raw < floor ? floor : value.raw;
    value.raw = value.raw > ceiling ? ceiling : value.raw;
    return value;
}
template <int N>
NIBBLE_INLINE i32x<N> bits_of(const f32x<N>& value) noexcept {
    return {__builtin_bit_cast(raw_lanes<std::int32_t, N>, value.raw)};
}
template <int N>
NIBBLE_INLINE f32x<N> float_of_bits(const i32x<N>& bits) noexcept {
    return {__builtin_bit_cast(raw_lanes<float, N>, bits.raw)};
}
template <int N>
NIBBLE_INLINE f32x<N> abs(const f32x<N>& value) noexcept {
    return float_of_bits(bits_of(value) & i32x<N>::set(0x7FFFFFFF));
}
template <int N>
NIBBLE_INLINE f32x<N> to_float(const i32x<N>& value) noexcept {
    if constexpr (N == 1) return {static_cast<float>(value.raw)};
    else return {__builtin_convertvector(value.raw, raw_lanes<float, N>)};
}
/// C's conversion: toward zero. Values outside of the range of int are the caller's mistake.
template <int N>
NIBBLE_INLINE i32x<N> truncate(const f32x<N>& value) noexcept {
    if constexpr (N == 1) return {static_cast<std::int32_t>(value.raw)};
    else return {__builtin_convertvector(value.raw, raw_lanes<std::int32_t, N>)};
}
/// IEEE square root.
template <int N>
NIBBLE_INLINE f32x<N> sqrt(const f32x<N>& value) noexcept {
    if constexpr (N == 1) {
        return {__builtin_sqrtf(value.raw)};
    } else {
        f32x<N> root = value;
        for (int i = 0; i < N; ++i) root.raw[i] = __builtin_sqrtf(root.raw[i]);
        return root;
    }
}
/// Half to even for |value| <= 4194303; outside of that it returns what ggml's `nearest_int` returns, which is arbitrary but
/// decides bytes, so it is this expression and not a conversion instruction.
template <int N>
NIBBLE_INLINE i32x<N> round_even(const f32x<N>& value) noexcept {
    const auto shifted = bits_of(value + f32x<N>::set(12582912.0f));
    return (shifted & i32x<N>::set(0x7FFFFF)) - i32x<N>::set(0x400000);
}
/// Half away from zero for |value| < 2^23 (C's roundf).
template <int N>
NIBBLE_INLINE i32x<N> round_away(const f32x<N>& value) noexcept {
    const auto whole = truncate(value);
    const auto rest = value - to_float(whole);  // exact
    const auto half = f32x<N>::set(0.5f);
    const auto one = i32x<N>::set(1), zero = i32x<N>::set(0);
    return whole + select(rest >= half, one, zero) - select(rest <= -half, one, zero);
}
/// The low byte of each lane, in order.
template <int N>
NIBBLE_INLINE void store_bytes(const i32x<N>& value, std::uint8_t* to) noexcept {
    if constexpr (N == 1) {
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

namespace detail {
#if defined(__CUDACC__)
// nvcc's front end loses the expansion of a pack in this builtin.
template <int N, int Distance, int... Lane>
NIBBLE_INLINE void exchange(raw_lanes<float, N>& low, raw_lanes<float, N>& high, std::integer_sequence<int, Lane...>) noexcept {
    const raw_lanes<float, N> a = low, b = high;
    for (int lane = 0; lane < N; ++lane) {
        const bool kept = (lane & Distance) == 0;
        low[lane] = kept ? a[lane] : b[lane - Distance];
        high[lane] = kept ? a[lane + Distance] : b[lane];
    }
}
#else
template <int N, int Distance, int... Lane>
NIBBLE_INLINE void exchange(raw_lanes<float, N>& low, raw_lanes<float, N>& high, std::integer_sequence<int, Lane...>) noexcept {
    const auto upper = __builtin_shufflevector(low, high, ((Lane & Distance) == 0 ? Lane : N + Lane - Distance)...);
    high = __builtin_shufflevector(low, high, ((Lane & Distance) == 0 ? Lane + Distance : N + Lane)...);
    low = upper;
}
#endif
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
}  // namespace detail

/// Puts `count` (a multiple of N, or anything for N = 1) consecutive floats of N places side by side: to[i][lane] = from[lane][i].
template <int N, std::size_t Count>
NIBBLE_INLINE void gather_lanes(const float* const (&from)[N], float (&to)[Count][N]) noexcept {
    if constexpr (N == 1) {
        __builtin_memcpy(to, from[0], sizeof to);
    } else {
        static_assert(Count % N == 0);
        for (std::size_t i = 0; i < Count; i += N) {
            raw_lanes<float, N> rows[N];
#pragma GCC unroll 16
            for (int lane = 0; lane < N; ++lane) __builtin_memcpy(&rows[lane], from[lane] + i, sizeof rows[lane]);
            detail::transpose_from<N, 1>(rows);
#pragma GCC unroll 16
            for (int lane = 0; lane < N; ++lane) __builtin_memcpy(to[i + static_cast<std::size_t>(lane)], &rows[lane], sizeof rows[lane]);
        }
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
