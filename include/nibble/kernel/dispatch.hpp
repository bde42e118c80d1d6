// From an operation and a format to the code of the active level: one table of function pointers for each, one relaxed load a call.
// All kernels come before this file; a kernel that is specialised after a table was used is not seen.
#pragma once

#include "nibble/cpu/active.hpp"
#include "nibble/kernel/amx/kernels.hpp"
#include "nibble/kernel/avx2/kernels.hpp"
#include "nibble/kernel/avx512/kernels.hpp"
#include "nibble/kernel/avxvnni/kernels.hpp"
#include "nibble/kernel/neon/kernels.hpp"
#include "nibble/kernel/op.hpp"
#include "nibble/kernel/reference/dequantize.hpp"
#include "nibble/kernel/reference/dot.hpp"
#include "nibble/kernel/reference/linear.hpp"
#include "nibble/kernel/reference/magnitude.hpp"
#include "nibble/kernel/reference/panel.hpp"
#include "nibble/kernel/reference/plain_floats.hpp"
#include "nibble/kernel/reference/quantize.hpp"
#include "nibble/kernel/reference/quantize_best.hpp"

NIBBLE_BASELINE_BEGIN

namespace internal {
template <class Op, class F, std::size_t... Level>
NIBBLE_INLINE constexpr std::array<typename Op::entry, isa_count> make_table(std::index_sequence<Level...>) noexcept {
    return {kernel<Op, F, static_cast<isa>(Level)>::entry...};
}
/// The kernels of one operation for one format, by level.
template <class Op, class F>
inline constexpr std::array<typename Op::entry, isa_count> table = make_table<Op, F>(std::make_index_sequence<isa_count>{});
}  // namespace internal

/// The kernel of the active level.
template <class Op, class F>
NIBBLE_INLINE const typename Op::entry& find_kernel() noexcept {
    return internal::table<Op, F>[static_cast<std::size_t>(active_isa())];
}

NIBBLE_BASELINE_END
