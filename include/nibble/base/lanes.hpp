// Lanes: N floats, integers or truths that go through the same arithmetic side by side.
//
// A scale search is sequential float code whose order of operations decides the bytes of a file. Written over these types it runs
// in N (sub-)blocks at once, one a lane, and each lane does exactly what the one-lane instance does: that instance is the scalar
// definition. The types are the compilers' vector extensions, so the surrounding region (base/target.hpp) decides which
// instructions they become, and the code needs no intrinsics. N is 1 or a power of two; more lanes than a register has are two halves
// (lane_halves.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nibble/base/target.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// A number of lanes, as an int is one; but it also says that registers have 512 bits, which 16 lanes alone would not say.
enum wide_lanes : int {};

/// The types of N. An array's bound does not have it: where N follows from other parameters, write [+N], from which nothing is deduced.
template <class T>
concept lane_count = std::is_same_v<T, int> || std::is_same_v<T, wide_lanes>;

/// The most lanes that are one vector.
template <lane_count auto N>
inline constexpr int lanes_of_register = std::is_same_v<decltype(N), wide_lanes> ? 16 : 8;

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
template <lane_count auto N>
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
template <lane_count auto N>
NIBBLE_INLINE bool any(const mask32<N>& mask) noexcept {
    if constexpr (N == 1) {
        return mask.raw;
#if defined(NIBBLE_X86) && !defined(__clang__)
    } else if constexpr (N == 8) {
        return __builtin_ia32_movmskps256(__builtin_bit_cast(raw_lanes<float, 8>, mask.raw)) != 0;  // as many lanes are only used with AVX
#endif
    } else {
        std::int32_t all = 0;
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i) all |= mask.raw[i];
        return all != 0;
    }
}

/// N 32-bit integers.
template <lane_count auto N>
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
template <lane_count auto N>
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

template <lane_count auto N>
NIBBLE_INLINE f32x<N> select(const mask32<N>& mask, const f32x<N>& yes, const f32x<N>& no) noexcept {
    return {mask.raw ? yes.raw : no.raw};
}
/// 1 where the mask is true, 0 elsewhere.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> ones_where(const mask32<N>& mask) noexcept {
    if constexpr (N == 1) return {mask.raw};
    else return {-mask.raw};
}
template <lane_count auto N>
NIBBLE_INLINE i32x<N> select(const mask32<N>& mask, const i32x<N>& yes, const i32x<N>& no) noexcept {
    return {mask.raw ? yes.raw : no.raw};
}
template <lane_count auto N>
NIBBLE_INLINE i32x<N> clamp(const i32x<N>& from, std::int32_t low, std::int32_t high) noexcept {
    i32x<N> value = from;
    // Comparison and choice in one expression: that is how compilers recognise a minimum.
    const auto floor = i32x<N>::set(low).raw, ceiling = i32x<N>::set(high).raw;
    value.raw = value.raw < floor ? floor : value.raw;
    value.raw = value.raw > ceiling ? ceiling : value.raw;
    return value;
}
/// The lesser and the greater of each lane; b where they are no numbers. One instruction each.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> lesser(const f32x<N>& a, const f32x<N>& b) noexcept {
    return {a.raw < b.raw ? a.raw : b.raw};
}
template <lane_count auto N>
NIBBLE_INLINE f32x<N> greater(const f32x<N>& a, const f32x<N>& b) noexcept {
    return {a.raw > b.raw ? a.raw : b.raw};
}
template <lane_count auto N>
NIBBLE_INLINE i32x<N> bits_of(const f32x<N>& value) noexcept {
    return {__builtin_bit_cast(raw_lanes<std::int32_t, N>, value.raw)};
}
template <lane_count auto N>
NIBBLE_INLINE f32x<N> float_of_bits(const i32x<N>& bits) noexcept {
    return {__builtin_bit_cast(raw_lanes<float, N>, bits.raw)};
}
template <lane_count auto N>
NIBBLE_INLINE f32x<N> abs(const f32x<N>& value) noexcept {
    return float_of_bits(bits_of(value) & i32x<N>::set(0x7FFFFFFF));
}
template <lane_count auto N>
NIBBLE_INLINE f32x<N> to_float(const i32x<N>& value) noexcept {
    if constexpr (N == 1) return {static_cast<float>(value.raw)};
    else return {__builtin_convertvector(value.raw, raw_lanes<float, N>)};
}
/// C's conversion: toward zero. Values outside of the range of int are the caller's mistake.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> truncate(const f32x<N>& value) noexcept {
    if constexpr (N == 1) return {static_cast<std::int32_t>(value.raw)};
    else return {__builtin_convertvector(value.raw, raw_lanes<std::int32_t, N>)};
}
#if defined(NIBBLE_X86) && defined(__clang__)
namespace detail {
template <lane_count auto N>
struct float_halves {
    raw_lanes<float, N / 2> low, high;
};
template <lane_count auto N>
NIBBLE_INLINE f32x<N> sqrt_of_halves(const f32x<N>& value) noexcept {
    const auto halves = __builtin_bit_cast(float_halves<N>, value.raw);
    const f32x<N / 2> low = {halves.low}, high = {halves.high};
    return {__builtin_bit_cast(raw_lanes<float, N>, float_halves<N>{sqrt(low).raw, sqrt(high).raw})};
}
}  // namespace detail
#endif
/// IEEE square root.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> sqrt(const f32x<N>& value) noexcept {
    if constexpr (N == 1) {
        return {__builtin_sqrtf(value.raw)};
#if defined(NIBBLE_X86)
        // Every x86-64 has an instruction. The loop below stays one, because C's square root of a negative number sets errno.
    } else if constexpr (N == 4) {
        return {__builtin_ia32_sqrtps(value.raw)};
#if defined(__clang__)
    } else if constexpr (N > 4) {
        return detail::sqrt_of_halves(value);
#else
    } else if constexpr (N == 8) {
        return {__builtin_ia32_sqrtps256(value.raw)};  // as many lanes are only used with AVX
#endif
#endif
    } else {
        f32x<N> root = value;
        for (int i = 0; i < N; ++i) root.raw[i] = __builtin_sqrtf(root.raw[i]);
        return root;
    }
}
/// Half to even for |value| <= 4194303; outside of that it returns what ggml's `nearest_int` returns, which is arbitrary but
/// decides bytes, so it is this expression and not a conversion instruction.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> round_even(const f32x<N>& value) noexcept {
    const auto shifted = bits_of(value + f32x<N>::set(12582912.0f));
    return (shifted & i32x<N>::set(0x7FFFFF)) - i32x<N>::set(0x400000);
}
/// clamp(round_even(value), low, high) as floats, in fewer steps, but only for |value| <= 4194303: elsewhere the results differ. low <= 0 <= high.
template <lane_count auto N>
NIBBLE_INLINE f32x<N> round_within(const f32x<N>& value, int low, int high) noexcept {
#if defined(NIBBLE_X86) && !(defined(__clang__) && defined(__FAST_MATH__))
    if constexpr (N >= 8) {
        // As many lanes are only used with AVX, which rounds in one step; Clang cannot say so where operations may trap (base/target.hpp).
        // Floats order like their bits: negative ones like unsigned integers, the others like signed ones.
        using unsigned_lanes = raw_lanes<std::uint32_t, N>;
        const auto least = bits_of(f32x<N>::set(static_cast<float>(low))).raw, most = bits_of(f32x<N>::set(static_cast<float>(high))).raw;
#if defined(__clang__)
        auto bits = bits_of(f32x<N>{__builtin_elementwise_roundeven(value.raw)}).raw;
#else
        auto bits = bits_of(f32x<N>{__builtin_ia32_roundps256(value.raw, 8)}).raw;
#endif
        bits = bits > most ? most : bits;
        if (low == 0) {
            bits = bits < least ? least : bits;
        } else {
            const auto from = __builtin_bit_cast(unsigned_lanes, bits), limit = __builtin_bit_cast(unsigned_lanes, least);
            bits = __builtin_bit_cast(decltype(bits), from > limit ? limit : from);
        }
        return float_of_bits(i32x<N>{bits});
    } else
#endif
    {
        // Floats of this size order like their bits, and minima of integers are something that compilers recognise.
        constexpr float large = 12582912.0f;
        const auto shifted = clamp(bits_of(value + f32x<N>::set(large)), 0x4B400000 + low, 0x4B400000 + high);
        return float_of_bits(shifted) - f32x<N>::set(large);
    }
}
/// Half away from zero for |value| < 2^23 (C's roundf). The largest float below 1/2 is enough to carry a half over, and too little for
/// what is below a half.
template <lane_count auto N>
NIBBLE_INLINE i32x<N> round_away(const f32x<N>& value) noexcept {
    const auto sign = bits_of(value) & i32x<N>::set(static_cast<std::int32_t>(0x80000000u));
    return truncate(value + float_of_bits(sign | i32x<N>::set(0x3EFFFFFF)));
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END

#include "nibble/base/lane_halves.hpp"
#include "nibble/base/wide_lanes.hpp"
