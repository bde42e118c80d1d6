// Operations and how a kernel is found. Floor 3: pointers and sizes only; arguments were checked above.
//
// kernel<Op, F, Level> is the code of one operation for one format at one level. A kernel that nobody wrote inherits its parent
// level's, down to isa::reference, where every operation exists for every format. Kernels are written for layouts (format/layout.hpp);
// a program may specialise one for a format of its own, before its first use.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "nibble/cpu/isa.hpp"
#include "nibble/format/concepts.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace op {

/// Floats to packed rows with the reference search.
struct quantize {
    /// @param values     rows * cols floats
    /// @param cols       a multiple of the block size
    /// @param importance cols weights, or null
    /// @param out        rows packed rows
    using entry = void (*)(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept;
};

/// quantize without importance, and a look at all floats in the same pass, for kernels that see magnitudes anyway. Null where nobody wrote
/// one.
struct quantize_checked {
    /// @param count a multiple of the block size
    /// @return      false if there is a NaN, an infinity, or a value that the format may not hold: `out` is unspecified then
    using entry = bool (*)(const float* values, std::size_t count, std::byte* out) noexcept;
};

/// Floats to packed rows with search::best, for formats that have one (format/best/).
struct quantize_best {
    /// As quantize, with
    /// @param used  columns that are not padding, 1 .. cols
    using entry = void (*)(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                           std::byte* out) noexcept;
};

/// Packed rows to floats.
struct dequantize {
    /// @param packed rows packed rows
    /// @param cols   any number; a padded last block is cut
    /// @param out    rows * cols floats
    using entry = void (*)(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept;
};

/// Products of packed rows with float rows: gemv and gemm. The float rows are brought into the kernel's own form once a call
/// (`prepare`); `run` may then work on ranges of packed rows in parallel.
struct linear {
    struct entry {
        /// Bytes of the prepared form of `count` float rows.
        std::size_t (*workspace)(std::size_t count, std::size_t cols) noexcept;
        /// Prepares float rows first .. last - 1 of `count`. `first` is a multiple of `prepare_step`.
        void (*prepare)(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* workspace) noexcept;
        /// y[i * stride + r] = dot(packed row r, x row i) for r in 0 .. rows - 1, i in 0 .. count - 1
        void (*run)(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept;
    };
    /// Rows of x that are prepared together, at every level.
    static constexpr std::size_t prepare_step = 24;
    /// Packed rows that a range should be a multiple of, at every level, except for the last.
    static constexpr std::size_t row_step = 16;
};

/// Products with panels (kernel/panel.hpp) instead of packed rows.
struct panel_linear {
    /// `run` takes the panels of `rows` rows. The workspace may be another one than op::linear's.
    using entry = linear::entry;
};

/// The dot product of a packed row with a row of the format's companion, for formats that have one.
struct dot {
    /// @param weights one packed row of cols elements
    /// @param x       one packed row of the companion
    using entry = double (*)(const std::byte* weights, const std::byte* x, std::size_t cols) noexcept;
};

/// Packed rows to one panel.
struct fill_panel {
    /// @param rows 1 .. 16 packed rows
    using entry = void (*)(const std::byte* packed, std::size_t rows, std::size_t cols, std::byte* panel) noexcept;
};

/// The largest magnitude of a range of floats, as the bits of a float: at least 0x7F800000 if there is a NaN or an infinity.
struct magnitude {
    using entry = std::uint32_t (*)(const float* values, std::size_t count) noexcept;
};

}  // namespace op
NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// The code of operation Op for format F at a level: inherited until somebody writes it.
template <class Op, class F, isa Level>
struct kernel : kernel<Op, F, parent_of(Level)> {};

NIBBLE_BASELINE_END
