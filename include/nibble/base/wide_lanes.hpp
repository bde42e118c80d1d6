// Sixteen lanes in one register of AVX-512 with GCC, which takes comparisons and choices of its own 512-bit vectors apart into single lanes. So
// masks are 16 bits, and what has to do with them is a builtin. Not an intrinsic: that is a function of AVX-512, and what calls it here is one of
// no level before it becomes part of a kernel.
#pragma once

#include "nibble/base/lanes.hpp"

#if defined(NIBBLE_X86) && !defined(__clang__)
NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
inline constexpr std::uint16_t all_wide = 0xFFFF;
inline constexpr int current_rounding = 4;  // _MM_FROUND_CUR_DIRECTION
}  // namespace detail

template <>
struct mask32<wide_lanes{16}> {
    std::uint16_t raw;

    NIBBLE_INLINE friend mask32 operator&(const mask32& a, const mask32& b) noexcept { return {static_cast<std::uint16_t>(a.raw & b.raw)}; }
    NIBBLE_INLINE friend mask32 operator|(const mask32& a, const mask32& b) noexcept { return {static_cast<std::uint16_t>(a.raw | b.raw)}; }
    NIBBLE_INLINE friend mask32 operator!(const mask32& a) noexcept { return {static_cast<std::uint16_t>(~a.raw)}; }
};
using wide_mask = mask32<wide_lanes{16}>;

template <>
struct i32x<wide_lanes{16}> {
    raw_lanes<std::int32_t, 16> raw;

    NIBBLE_INLINE static i32x set(std::int32_t value) noexcept {
        return {__builtin_ia32_pbroadcastd512_gpr_mask(value, raw_lanes<std::int32_t, 16>{}, detail::all_wide)};
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
    NIBBLE_INLINE friend wide_mask operator<(const i32x& a, const i32x& b) noexcept { return compare<_MM_CMPINT_LT>(a, b); }
    NIBBLE_INLINE friend wide_mask operator>(const i32x& a, const i32x& b) noexcept { return compare<_MM_CMPINT_LT>(b, a); }
    NIBBLE_INLINE friend wide_mask operator==(const i32x& a, const i32x& b) noexcept { return compare<_MM_CMPINT_EQ>(a, b); }

private:
    template <int How>
    NIBBLE_INLINE static wide_mask compare(const i32x& a, const i32x& b) noexcept {
        return {static_cast<std::uint16_t>(__builtin_ia32_cmpd512_mask(a.raw, b.raw, How, detail::all_wide))};
    }
};
using wide_i32 = i32x<wide_lanes{16}>;

template <>
struct f32x<wide_lanes{16}> {
    raw_lanes<float, 16> raw;

    NIBBLE_INLINE static f32x set(float value) noexcept {
        return {__builtin_ia32_broadcastss512(raw_lanes<float, 4>{value}, raw_lanes<float, 16>{}, detail::all_wide)};
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
    NIBBLE_INLINE friend wide_mask operator<(const f32x& a, const f32x& b) noexcept { return compare<_CMP_LT_OS>(a, b); }
    NIBBLE_INLINE friend wide_mask operator>(const f32x& a, const f32x& b) noexcept { return compare<_CMP_LT_OS>(b, a); }
    NIBBLE_INLINE friend wide_mask operator<=(const f32x& a, const f32x& b) noexcept { return compare<_CMP_LE_OS>(a, b); }
    NIBBLE_INLINE friend wide_mask operator>=(const f32x& a, const f32x& b) noexcept { return compare<_CMP_LE_OS>(b, a); }
    NIBBLE_INLINE friend wide_mask operator==(const f32x& a, const f32x& b) noexcept { return compare<_CMP_EQ_OQ>(a, b); }
    NIBBLE_INLINE friend wide_mask operator!=(const f32x& a, const f32x& b) noexcept { return compare<_CMP_NEQ_UQ>(a, b); }

private:
    template <int How>
    NIBBLE_INLINE static wide_mask compare(const f32x& a, const f32x& b) noexcept {
        return {static_cast<std::uint16_t>(__builtin_ia32_cmpps512_mask(a.raw, b.raw, How, detail::all_wide, detail::current_rounding))};
    }
};
using wide_f32 = f32x<wide_lanes{16}>;

NIBBLE_INLINE bool any(const wide_mask& mask) noexcept { return mask.raw != 0; }
NIBBLE_INLINE wide_f32 select(const wide_mask& mask, const wide_f32& yes, const wide_f32& no) noexcept {
    return {__builtin_ia32_blendmps_512_mask(no.raw, yes.raw, mask.raw)};
}
NIBBLE_INLINE wide_i32 select(const wide_mask& mask, const wide_i32& yes, const wide_i32& no) noexcept {
    return {__builtin_ia32_blendmd_512_mask(no.raw, yes.raw, mask.raw)};
}
NIBBLE_INLINE wide_i32 ones_where(const wide_mask& mask) noexcept { return select(mask, wide_i32::set(1), wide_i32::set(0)); }
NIBBLE_INLINE wide_f32 lesser(const wide_f32& a, const wide_f32& b) noexcept {
    return {__builtin_ia32_minps512_mask(a.raw, b.raw, a.raw, detail::all_wide, detail::current_rounding)};
}
NIBBLE_INLINE wide_f32 greater(const wide_f32& a, const wide_f32& b) noexcept {
    return {__builtin_ia32_maxps512_mask(a.raw, b.raw, a.raw, detail::all_wide, detail::current_rounding)};
}
NIBBLE_INLINE wide_i32 lesser(const wide_i32& a, const wide_i32& b) noexcept {
    return {__builtin_ia32_pminsd512_mask(a.raw, b.raw, a.raw, detail::all_wide)};
}
NIBBLE_INLINE wide_i32 greater(const wide_i32& a, const wide_i32& b) noexcept {
    return {__builtin_ia32_pmaxsd512_mask(a.raw, b.raw, a.raw, detail::all_wide)};
}
NIBBLE_INLINE wide_i32 clamp(const wide_i32& from, std::int32_t low, std::int32_t high) noexcept {
    return lesser(greater(from, wide_i32::set(low)), wide_i32::set(high));
}
NIBBLE_INLINE wide_f32 to_float(const wide_i32& value) noexcept {
    return {__builtin_ia32_cvtdq2ps512_mask(value.raw, raw_lanes<float, 16>{}, detail::all_wide, detail::current_rounding)};
}
NIBBLE_INLINE wide_i32 truncate(const wide_f32& value) noexcept {
    return {__builtin_ia32_cvttps2dq512_mask(value.raw, raw_lanes<std::int32_t, 16>{}, detail::all_wide, detail::current_rounding)};
}
NIBBLE_INLINE wide_f32 sqrt(const wide_f32& value) noexcept {
    return {__builtin_ia32_sqrtps512_mask(value.raw, value.raw, detail::all_wide, detail::current_rounding)};
}
NIBBLE_INLINE wide_f32 round_within(const wide_f32& value, int low, int high) noexcept {
    const auto least = bits_of(wide_f32::set(static_cast<float>(low))), most = bits_of(wide_f32::set(static_cast<float>(high)));
    const wide_f32 rounded = {__builtin_ia32_rndscaleps_mask(value.raw, _MM_FROUND_NO_EXC, value.raw, detail::all_wide, detail::current_rounding)};
    const auto bits = lesser(bits_of(rounded), most);
    if (low == 0) return float_of_bits(greater(bits, least));
    return float_of_bits(wide_i32{__builtin_ia32_pminud512_mask(bits.raw, least.raw, bits.raw, detail::all_wide)});
}

/// The low byte of each lane, in order.
NIBBLE_INLINE void store_bytes(const wide_i32& value, std::uint8_t* to) noexcept {
    const auto bytes = __builtin_ia32_pmovdb512_mask(value.raw, raw_lanes<char, 16>{}, detail::all_wide);
    __builtin_memcpy(to, &bytes, sizeof bytes);
}
NIBBLE_INLINE void store_bytes(const wide_i32 (&values)[4], std::uint8_t* to) noexcept {
    for (std::size_t i = 0; i < 4; ++i) store_bytes(values[i], to + 16 * i);
}

namespace detail {
/// Each lane takes an entry of a table with 16 entries. The index counts modulo 16.
NIBBLE_INLINE wide_f32 pick(const wide_f32& table, const wide_i32& index) noexcept {
    return {__builtin_ia32_permvarsf512_mask(table.raw, index.raw, table.raw, all_wide)};
}
}  // namespace detail

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
#endif
