// Packed rows from strangers: do they decode to numbers?
#pragma once

#include <atomic>
#include <cstddef>

#include "nibble/algo/executor.hpp"
#include "nibble/base/bits.hpp"
#include "nibble/base/float_mode.hpp"
#include "nibble/kernel/dispatch.hpp"
#include "nibble/tensor/packed.hpp"

NIBBLE_BASELINE_BEGIN

namespace internal {

/// The first element of a packed row that decodes to NaN or infinity; cols if there is none.
template <class F>
std::size_t nonfinite_element(const std::byte* row, std::size_t cols) noexcept {
    constexpr std::size_t step = F::block_size < 2048 ? 2048 / F::block_size * F::block_size : F::block_size;
    alignas(64) float values[step];
    for (std::size_t at = 0; at < cols; at += step) {
        const std::size_t here = cols - at < step ? cols - at : step;
        if constexpr (block_format<F>) find_kernel<op::dequantize, F>()(row + at / F::block_size * sizeof(typename F::block), 1, here, values);
        else F::decode_row(row, cols, at, at + here, values);
        if (find_kernel<op::magnitude, F>()(values, here) >= 0x7F800000u) return at + detail::first_nonfinite(values);
    }
    return cols;
}

}  // namespace internal

/// Decodes packed rows and keeps nothing, to see whether all elements are finite. Readers of files do not look at the data of tensors, where a
/// damaged or hostile file may hold a scale that is NaN or infinite: any bytes decode without harm, but one NaN makes all products of its row NaN.
/// Allocates nothing.
/// @return errc::nonfinite, with the element row * cols + column in where(); errc::size_mismatch, overflow, invalid_argument (null),
///         executor_failed
template <any_format F>
status validate(packed_view<F> packed, executor threads = {}) noexcept {
    if (const status fine = packed.check(); !fine) return fine;
    if (packed.shape().elements() == 0) return {};
    std::atomic<bool> failed{false};
    status why;
    const status ran = detail::for_ranges(threads, packed.rows(), 1, [&](std::size_t first, std::size_t last) {
        const plain_float_mode mode;
        for (std::size_t r = first; r < last && !failed.load(std::memory_order_relaxed); ++r) {
            const std::size_t at = internal::nonfinite_element<F>(packed.data() + r * packed.stride(), packed.cols());
            if (at == packed.cols() || failed.exchange(true)) continue;
            why = status(errc::nonfinite, "packed rows hold NaN or infinity: their file is damaged, fetch or make it again",
                         r * packed.cols() + at);
        }
    });
    return why ? ran : why;
}
template <gives_packed_view W>
status validate(const W& packed, executor threads = {}) noexcept {
    return validate(packed_view<typename W::format>(packed), threads);
}

NIBBLE_BASELINE_END
