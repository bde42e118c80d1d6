// What a run of a panel (kernel/panel.hpp) holds, in registers: a quad of four rows in each.
#pragma once

#include "nibble/base/target.hpp"
#include "nibble/kernel/panel.hpp"

#if defined(NIBBLE_ARM64)
NIBBLE_BASELINE_BEGIN
namespace neon {

/// The codes of quad k of a group, of rows row .. row + 3.
template <class F>
NIBBLE_INLINE uint8x16_t panel_codes(const std::byte* group, std::size_t k, std::size_t row) noexcept {
    const auto bits = [=](const panel::plane& p) NIBBLE_LAMBDA_INLINE {
        const auto width = static_cast<std::size_t>(p.width);
        const uint8x16_t v = vld1q_u8(reinterpret_cast<const std::uint8_t*>(group) + p.at + 64 * (k % width) + 4 * row);
        const int to_the_left = p.lowest - p.width * static_cast<int>(k / width);
        const auto mask = static_cast<std::uint8_t>(((1 << p.width) - 1) << p.lowest);
        return vandq_u8(vshlq_u8(v, vdupq_n_s8(static_cast<std::int8_t>(to_the_left))), vdupq_n_u8(mask));
    };
    constexpr panel::plane_pair planes = panel::planes_of(panel::index_bits<F>);
    uint8x16_t v = bits(planes.first);
    if constexpr (planes.second.width != 0) v = vorrq_u8(v, bits(planes.second));
    if constexpr (panels_of<F>.code_count != 0) v = vqtbl1q_u8(vld1q_u8(panels_of<F>.codes.data()), v);
    return v;
}

/// Four scales (kind 0) or offsets (kind 1), of rows row .. row + 3.
template <class F>
NIBBLE_INLINE float32x4_t panel_factors(const std::byte* run, std::size_t kind, std::size_t g, std::size_t part, std::size_t row) noexcept {
    using order = panel::order<F>;
    const std::byte* from = run + order::factor_at(kind, g, part) + row * order::factor_size;
    const auto* halves = reinterpret_cast<const std::uint16_t*>(from);
    if constexpr (order::form.factors == factor_form::multiples) {
        std::int32_t four;
        __builtin_memcpy(&four, from, 4);
        const int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
        const auto* units = reinterpret_cast<const float*>(run + order::unit_at(kind)) + row;
        return vmulq_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vld1q_f32(units));
    } else if constexpr (order::form.factors == factor_form::halves) {
        return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)));
    } else if constexpr (order::form.factors == factor_form::powers) {
        return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(halves), 16));
    } else {
        return vld1q_f32(reinterpret_cast<const float*>(from));
    }
}

}  // namespace neon
NIBBLE_BASELINE_END
#endif
