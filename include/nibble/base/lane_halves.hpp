// More lanes than a register has: two halves. Left to themselves, GCC takes such vectors apart into single elements wherever it compares or chooses,
// and Clang packs and unpacks their masks.
#pragma once

#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

template <lane_count auto N>
inline constexpr auto half_of = static_cast<decltype(N)>(N / 2);

template <lane_count auto N>
    requires(N > lanes_of_register<N>)
struct mask32<N> {
    mask32<half_of<N>> low, high;

    NIBBLE_INLINE friend mask32 operator&(const mask32& a, const mask32& b) noexcept { return {a.low & b.low, a.high & b.high}; }
    NIBBLE_INLINE friend mask32 operator|(const mask32& a, const mask32& b) noexcept { return {a.low | b.low, a.high | b.high}; }
    NIBBLE_INLINE friend mask32 operator!(const mask32& a) noexcept { return {!a.low, !a.high}; }
};

template <lane_count auto N>
    requires(N > lanes_of_register<N>)
struct i32x<N> {
    i32x<half_of<N>> low, high;

    NIBBLE_INLINE static i32x set(std::int32_t value) noexcept { return {i32x<half_of<N>>::set(value), i32x<half_of<N>>::set(value)}; }
    NIBBLE_INLINE static i32x load(const std::int32_t* from) noexcept { return {i32x<half_of<N>>::load(from), i32x<half_of<N>>::load(from + N / 2)}; }
    NIBBLE_INLINE void store(std::int32_t* to) const noexcept {
        low.store(to);
        high.store(to + N / 2);
    }

    NIBBLE_INLINE friend i32x operator+(const i32x& a, const i32x& b) noexcept { return {a.low + b.low, a.high + b.high}; }
    NIBBLE_INLINE friend i32x operator-(const i32x& a, const i32x& b) noexcept { return {a.low - b.low, a.high - b.high}; }
    NIBBLE_INLINE friend i32x operator*(const i32x& a, const i32x& b) noexcept { return {a.low * b.low, a.high * b.high}; }
    NIBBLE_INLINE friend i32x operator&(const i32x& a, const i32x& b) noexcept { return {a.low & b.low, a.high & b.high}; }
    NIBBLE_INLINE friend i32x operator|(const i32x& a, const i32x& b) noexcept { return {a.low | b.low, a.high | b.high}; }
    NIBBLE_INLINE friend i32x operator^(const i32x& a, const i32x& b) noexcept { return {a.low ^ b.low, a.high ^ b.high}; }
    NIBBLE_INLINE friend i32x operator<<(const i32x& a, int bits) noexcept { return {a.low << bits, a.high << bits}; }
    NIBBLE_INLINE friend i32x operator>>(const i32x& a, int bits) noexcept { return {a.low >> bits, a.high >> bits}; }
    NIBBLE_INLINE friend mask32<N> operator<(const i32x& a, const i32x& b) noexcept { return {a.low < b.low, a.high < b.high}; }
    NIBBLE_INLINE friend mask32<N> operator>(const i32x& a, const i32x& b) noexcept { return {a.low > b.low, a.high > b.high}; }
    NIBBLE_INLINE friend mask32<N> operator==(const i32x& a, const i32x& b) noexcept { return {a.low == b.low, a.high == b.high}; }
};

template <lane_count auto N>
    requires(N > lanes_of_register<N>)
struct f32x<N> {
    f32x<half_of<N>> low, high;

    NIBBLE_INLINE static f32x set(float value) noexcept { return {f32x<half_of<N>>::set(value), f32x<half_of<N>>::set(value)}; }
    NIBBLE_INLINE static f32x load(const float* from) noexcept { return {f32x<half_of<N>>::load(from), f32x<half_of<N>>::load(from + N / 2)}; }
    NIBBLE_INLINE void store(float* to) const noexcept {
        low.store(to);
        high.store(to + N / 2);
    }

    NIBBLE_INLINE friend f32x operator+(const f32x& a, const f32x& b) noexcept { return {a.low + b.low, a.high + b.high}; }
    NIBBLE_INLINE friend f32x operator-(const f32x& a, const f32x& b) noexcept { return {a.low - b.low, a.high - b.high}; }
    NIBBLE_INLINE friend f32x operator*(const f32x& a, const f32x& b) noexcept { return {a.low * b.low, a.high * b.high}; }
    NIBBLE_INLINE friend f32x operator/(const f32x& a, const f32x& b) noexcept { return {a.low / b.low, a.high / b.high}; }
    NIBBLE_INLINE friend f32x operator-(const f32x& a) noexcept { return {-a.low, -a.high}; }
    NIBBLE_INLINE friend mask32<N> operator<(const f32x& a, const f32x& b) noexcept { return {a.low < b.low, a.high < b.high}; }
    NIBBLE_INLINE friend mask32<N> operator>(const f32x& a, const f32x& b) noexcept { return {a.low > b.low, a.high > b.high}; }
    NIBBLE_INLINE friend mask32<N> operator<=(const f32x& a, const f32x& b) noexcept { return {a.low <= b.low, a.high <= b.high}; }
    NIBBLE_INLINE friend mask32<N> operator>=(const f32x& a, const f32x& b) noexcept { return {a.low >= b.low, a.high >= b.high}; }
    NIBBLE_INLINE friend mask32<N> operator==(const f32x& a, const f32x& b) noexcept { return {a.low == b.low, a.high == b.high}; }
    NIBBLE_INLINE friend mask32<N> operator!=(const f32x& a, const f32x& b) noexcept { return {a.low != b.low, a.high != b.high}; }
};

template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE bool any(const mask32<N>& mask) noexcept {
    return any(mask.low | mask.high);
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> select(const mask32<N>& mask, const f32x<N>& yes, const f32x<N>& no) noexcept {
    return {select(mask.low, yes.low, no.low), select(mask.high, yes.high, no.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE i32x<N> select(const mask32<N>& mask, const i32x<N>& yes, const i32x<N>& no) noexcept {
    return {select(mask.low, yes.low, no.low), select(mask.high, yes.high, no.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE i32x<N> ones_where(const mask32<N>& mask) noexcept {
    return {ones_where(mask.low), ones_where(mask.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE i32x<N> clamp(const i32x<N>& from, std::int32_t low, std::int32_t high) noexcept {
    return {clamp(from.low, low, high), clamp(from.high, low, high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> lesser(const f32x<N>& a, const f32x<N>& b) noexcept {
    return {lesser(a.low, b.low), lesser(a.high, b.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> greater(const f32x<N>& a, const f32x<N>& b) noexcept {
    return {greater(a.low, b.low), greater(a.high, b.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE i32x<N> bits_of(const f32x<N>& value) noexcept {
    return {bits_of(value.low), bits_of(value.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> float_of_bits(const i32x<N>& bits) noexcept {
    return {float_of_bits(bits.low), float_of_bits(bits.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> to_float(const i32x<N>& value) noexcept {
    return {to_float(value.low), to_float(value.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE i32x<N> truncate(const f32x<N>& value) noexcept {
    return {truncate(value.low), truncate(value.high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> round_within(const f32x<N>& value, int low, int high) noexcept {
    return {round_within(value.low, low, high), round_within(value.high, low, high)};
}
template <lane_count auto N>
    requires(N > lanes_of_register<N>)
NIBBLE_INLINE f32x<N> sqrt(const f32x<N>& value) noexcept {
    return {sqrt(value.low), sqrt(value.high)};
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
