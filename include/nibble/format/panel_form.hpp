// What the order of panels (kernel/panel.hpp) may rely on in a format with integer codes, to keep it small without loss.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "nibble/format/concepts.hpp"

NIBBLE_NAMESPACE_BEGIN

/// How scales, and offsets if there are some, are kept without loss.
enum class factor_form : std::uint8_t {
    floats,     ///< fp32; anything is
    halves,     ///< fp16
    powers,     ///< powers of two and zero, as bf16
    multiples,  ///< all of 256 elements are one fp32 number times integers from -128 to 127
};

/// A format with integer codes may have one as `panels`; that of a format without says nothing.
struct panel_form {
    int zero = -1;  ///< value = scale * (code - zero); -1: value = scale * code + offset
    factor_form factors = factor_form::floats;
    std::size_t code_count = 0;            ///< how many codes occur, at most 16; 0: any of code_bits bits
    std::array<std::uint8_t, 16> codes{};  ///< these, if code_count is not 0
    int least_multiple = -128, largest_multiple = 127;  ///< of the integers of scales, if factors are multiples
    bool odd_multiples = false;                         ///< all of these integers are odd

    /// The same form for scales that are multiples of one number, which may be negative, by integers of this range. Kernels rely on it: where a scale
    /// does not keep to it, products are wrong.
    NIBBLE_INLINE constexpr panel_form with_multiples(int least, int largest, bool odd = false) const noexcept {
        panel_form form = *this;
        form.least_multiple = least;
        form.largest_multiple = largest;
        form.odd_multiples = odd;
        return form;
    }
};

/// The form of a format whose codes are `zero` plus one of these levels.
NIBBLE_INLINE consteval panel_form panels_of_levels(int zero, factor_form factors, std::span<const std::int8_t> levels) noexcept {
    panel_form form{zero, factors};
    for (const int level : levels) form.codes[form.code_count++] = static_cast<std::uint8_t>(zero + level);
    return form;
}
/// The same for magnitudes with either sign, of which codes have the `unit`-th part.
NIBBLE_INLINE consteval panel_form panels_of_magnitudes(int zero, factor_form factors, std::span<const std::int8_t> magnitudes,
                                                        int unit = 1) noexcept {
    panel_form form{zero, factors};
    for (const int magnitude : magnitudes) {
        form.codes[form.code_count++] = static_cast<std::uint8_t>(zero - magnitude / unit);
        form.codes[form.code_count++] = static_cast<std::uint8_t>(zero + magnitude / unit);
    }
    return form;
}

/// The form of a format.
template <class F>
inline constexpr panel_form panels_of = panel_form{};
template <class F>
    requires requires { F::panels; }
inline constexpr panel_form panels_of<F> = F::panels;

NIBBLE_NAMESPACE_END
