// Panel order: the order that products read weights in once they have been repacked. Never written to a file.
//
// A panel holds 16 packed rows, run by run of 256 columns, so that rows are lanes: what is broadcast of an activation meets 16 rows, and nothing is
// summed across lanes. A run has
//   codes    8 groups of 32 columns, each 8 quads of 4 columns. A quad is 64 bytes, [row][column % 4], of which only the bits that codes
//            need are kept, in planes of 4, 2 or 1 bits (`index_bits`): 64 bytes of a plane hold the bits of 2, 4 or 8 quads, bit by bit.
//   units    fp32 [row] of the scales, then of the offsets, if factors are multiples (format/panel_form.hpp)
//   factors  scales [group][part][row], then offsets, if a code has no zero
// A part is the stretch of columns that shares a scale: 32 columns (1 part) or 16 (2 parts). Codes of which at most 16 occur are kept as
// indices of 4 bits. Rows past the end are zeros, columns too.
//
// A run in wide form is what kernels unpack into a buffer in the L1 cache. Each group has
//   512 bytes  codes: [quad][row][column % 4]
//   parts * 64 bytes  scales  fp32: [part][row]
//   parts * 64 bytes  offsets fp32: [part][row]
// with value = scale * code + offset.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/bits.hpp"
#include "nibble/format/panel_form.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace panel {

inline constexpr std::size_t rows = 16;   ///< rows of a panel
inline constexpr std::size_t group = 32;  ///< columns of a group
inline constexpr std::size_t run = 256;   ///< columns are padded to a multiple of this
inline constexpr std::size_t groups = run / group;

/// In wide form: bytes of the codes of a group, of a group, and of a run.
inline constexpr std::size_t wide_code_bytes = 512;
NIBBLE_INLINE constexpr std::size_t wide_group_bytes(std::size_t parts) noexcept { return wide_code_bytes + 2 * parts * rows * sizeof(float); }
template <class F>
inline constexpr std::size_t wide_run_bytes = groups * wide_group_bytes(F::parts);

/// Bits that are kept of a code. Seven take eight: planes of three widths would cost more than the bit.
template <class F>
inline constexpr int index_bits = panels_of<F>.code_count != 0 ? 4 : F::code_bits == 7 ? 8 : F::code_bits;

/// A plane of `width` bits of indices, from bit `lowest` on, `at` bytes behind the first.
struct plane {
    int width, lowest;
    std::size_t at;
};
/// The planes of indices of some bits; a second one has width 0 if there is none.
struct plane_pair {
    plane first, second;
};
NIBBLE_INLINE constexpr plane_pair planes_of(int bits) noexcept {
    const int low = bits >= 8 ? 8 : bits >= 4 ? 4 : bits >= 2 ? 2 : 1;
    return {{low, 0, 0}, {bits - low, low, static_cast<std::size_t>(64 * low)}};
}
static_assert(planes_of(3).second.width == 1 && planes_of(5).second.width == 1 && planes_of(6).second.width == 2);

/// Where a run has what.
template <class F>
struct order {
    static constexpr panel_form form = panels_of<F>;
    static constexpr bool has_offsets = form.zero < 0, has_units = form.factors == factor_form::multiples;
    static constexpr std::size_t group_bytes = 64 * static_cast<std::size_t>(index_bits<F>);
    static constexpr std::size_t factor_size = has_units ? 1 : form.factors == factor_form::floats ? 4 : 2;
    static constexpr std::size_t kinds = has_offsets ? 2 : 1;  ///< of factors

    static constexpr std::size_t units_at = groups * group_bytes;
    static constexpr std::size_t factors_at = units_at + (has_units ? kinds * rows * sizeof(float) : 0);
    static constexpr std::size_t run_bytes = factors_at + kinds * groups * F::parts * rows * factor_size;

    /// Of kind 0, scales, or 1, offsets.
    NIBBLE_INLINE static constexpr std::size_t unit_at(std::size_t kind) noexcept { return units_at + kind * rows * sizeof(float); }
    NIBBLE_INLINE static constexpr std::size_t factor_at(std::size_t kind, std::size_t g, std::size_t part) noexcept {
        return factors_at + ((kind * groups + g) * F::parts + part) * rows * factor_size;
    }
};

/// Bytes of `row_count` rows in panel order.
template <class F>
NIBBLE_INLINE constexpr std::size_t bytes(std::size_t row_count, std::size_t cols) noexcept {
    return divide_up(row_count, rows) * divide_up(cols, run) * order<F>::run_bytes;
}

}  // namespace panel
NIBBLE_NAMESPACE_END
