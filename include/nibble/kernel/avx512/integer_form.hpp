// Formats whose scales, and offsets, are integers times one number for 256 columns, of which sums stay integers where many float rows meet them
// (integer_tile.hpp): what of their sums and products fits where.
#pragma once

#include "nibble/format/panel_form.hpp"
#include "nibble/kernel/avx512/decode.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// Whether sums of a run are integers. Packed rows and panels say the same of a format, unless it has no decoder of its own.
template <class F>
inline constexpr bool stays_integer = F::block_size == run_size && avx2::gives_units<decoder<F>> && panels_of<F>.factors == factor_form::multiples &&
                                      panels_of<F>.zero == decoder<F>::zero;

/// The least and the largest that a level, code - zero, times one of some factors can be.
struct level_range {
    int least = 0, most = 0;
    bool odd = true;  ///< all of them are, if factors are
};
template <class F>
consteval level_range range_of_levels(int least_factor, int largest_factor) noexcept {
    constexpr panel_form form = panels_of<F>;
    level_range range;
    const auto add = [&](int code) {
        const int level = form.zero >= 0 ? code - form.zero : code;
        range.odd = range.odd && level % 2 != 0;
        for (const int factor : {least_factor, largest_factor}) {
            range.least = level * factor < range.least ? level * factor : range.least;
            range.most = level * factor > range.most ? level * factor : range.most;
        }
    };
    if constexpr (form.code_count != 0) {
        for (std::size_t i = 0; i < form.code_count; ++i) add(form.codes[i]);
    } else {
        for (int code = 0; code < 1 << F::code_bits; ++code) add(code);
    }
    return range;
}

/// How products of levels with the multiples of scales are kept in bytes: product = step * byte - bias. No step: they do not fit.
struct scaled_form {
    int step = 0, bias = 0;
};
template <class F>
consteval scaled_form find_scaled_form() noexcept {
    constexpr panel_form form = panels_of<F>;
    if (!stays_integer<F>) return {};
    constexpr level_range products = range_of_levels<F>(form.least_multiple, form.largest_multiple);
    constexpr int step = products.odd && form.odd_multiples ? 2 : 1;
    if (products.most - products.least > 255 * step || (form.zero < 0 && products.least < 0)) return {};
    return {step, -products.least};
}
template <class F>
inline constexpr scaled_form scaled_form_of = find_scaled_form<F>();
template <class F>
inline constexpr bool scales_codes = scaled_form_of<F>.step != 0;

/// Whether sums of the columns of a sub-scale are tried in 16 bits: where the largest one is at most six times as large. Unless activations follow
/// the weights, sums come nowhere near it.
template <class F>
inline constexpr bool tries_words = [] {
    if (!stays_integer<F> || scales_codes<F>) return false;
    constexpr level_range levels = range_of_levels<F>(1, 1);
    constexpr int largest = levels.most > -levels.least ? levels.most : -levels.least;
    return largest * 127 * 32 / static_cast<int>(F::parts) <= 6 * 32767;
}();
/// Where such a sum starts, so that none of those that fit is negative.
inline constexpr int word_bias = 32768;

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
