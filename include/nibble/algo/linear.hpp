// Products with packed weights: gemv and gemm, on packed rows as files hold them and on panels.
#pragma once

#include <span>

#include "nibble/algo/executor.hpp"
#include "nibble/algo/panel.hpp"
#include "nibble/kernel/dispatch.hpp"
#include "nibble/tensor/packed.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_BASELINE_BEGIN

namespace internal {

/// Prepares the float rows once and runs the kernel over ranges of packed rows.
/// @param entry of op::linear or op::panel_linear
/// @param run   run(first_row, rows, workspace)
template <class Entry, class Run>
status multiply(const Entry& entry, std::size_t rows, std::size_t cols, const float* x, std::size_t count, float* y, const executor& threads,
                Run&& run) noexcept {
    if (rows == 0 || count == 0) return {};
    if (cols == 0) {
        for (std::size_t i = 0; i < count * rows; ++i) y[i] = 0.0f;
        return {};
    }
    auto memory = aligned_buffer::make(entry.workspace(count, cols));
    if (!memory) return memory.status();
    std::byte* workspace = memory->data();
    const status prepared = detail::for_ranges(threads, count, op::linear::prepare_step, [&](std::size_t first, std::size_t last) {
        entry.prepare(x, first, last, count, cols, workspace);
    });
    if (!prepared) return prepared;
    return detail::for_ranges(threads, rows, op::linear::row_step, [&](std::size_t first, std::size_t last) {
        run(first, last - first, static_cast<const std::byte*>(workspace));
    });
}

template <class W>
status check_product(const W& w, dense_view<const float> x, dense_view<float> y) noexcept {
    if (x.cols() != w.cols() || y.cols() != w.rows() || x.rows() != y.rows()) return errc::shape_mismatch;
    if (const status fine = w.check(); !fine) return fine;
    if (const status fine = x.check(); !fine) return fine;
    if (const status fine = y.check(); !fine) return fine;
    return detail::overlaps(x.bytes(), y.bytes()) || detail::overlaps(w.bytes(), y.bytes()) ? errc::overlap : errc::ok;
}

}  // namespace internal

/// y[n][rows] = x[n][cols] W^T; x and y row-major. y shares no memory with x or w.
/// Integer kernels round x to 8 bits in groups of 32 columns, or of 256 for formats with blocks of 256: an element of y differs from the exact
/// product by at most sum over groups of (largest |x| of the group / 254) * sum |w|, and by float rounding. The reference level does not round x.
/// The amx level rounds x and w to bfloat16 where x has 16 rows or more: by at most sum |w x| / 127, and what is below 2^-126 is zero there.
/// Weights that are floats are not rounded, nor is x, with one exception: for bf16 the avx512 level rounds x to bfloat16 where x has 5 rows or more
/// and the processor has AVX512_BF16: by at most sum |w x| / 256, and what is below 2^-126 is zero there too.
/// A NaN or an infinity in x makes no product of its row finite. Weights beyond 2^100, which of all block formats only mxfp4 and q8_k hold, may
/// give NaN or infinity where the exact product is finite.
/// @return errc::shape_mismatch, size_mismatch, overflow, invalid_argument (null, unaligned), overlap, out_of_memory, executor_failed
template <any_format F>
status gemm(packed_view<F> w, dense_view<const float> x, dense_view<float> y, executor threads = {}) noexcept {
    if (const status fine = internal::check_product(w, x, y); !fine) return fine;
    const auto& kernel = find_kernel<op::linear, F>();
    return internal::multiply(kernel, w.rows(), w.cols(), x.data(), x.rows(), y.data(), threads,
                              [&](std::size_t first, std::size_t rows, const std::byte* workspace) {
                                  kernel.run(w.data() + first * w.stride(), rows, w.cols(), workspace, x.rows(), y.data() + first, w.rows());
                              });
}

/// The same with weights in panel order.
template <any_format F>
status gemm(const panel_tensor<F>& w, dense_view<const float> x, dense_view<float> y, executor threads = {}) noexcept {
    if (const status fine = internal::check_product(w, x, y); !fine) return fine;
    if constexpr (affine_format<F>) {
        const auto& kernel = find_kernel<op::panel_linear, F>();
        return internal::multiply(
            kernel, w.rows(), w.cols(), x.data(), x.rows(), y.data(), threads, [&](std::size_t first, std::size_t rows, const std::byte* workspace) {
                kernel.run(w.data() + first / panel::rows * w.panel_bytes(), rows, w.cols(), workspace, x.rows(), y.data() + first, w.rows());
            });
    } else {
        return gemm(w.packed(), x, y, threads);
    }
}

/// y[rows] = W x, with x[cols]. Errors and accuracy as for gemm.
template <any_format F>
status gemv(packed_view<F> w, std::span<const float> x, std::span<float> y, executor threads = {}) noexcept {
    return gemm(w, dense_view<const float>(x, nibble::shape{1, w.cols()}), dense_view<float>(y, nibble::shape{1, w.rows()}), threads);
}
template <any_format F>
status gemv(const panel_tensor<F>& w, std::span<const float> x, std::span<float> y, executor threads = {}) noexcept {
    return gemm(w, dense_view<const float>(x, nibble::shape{1, w.cols()}), dense_view<float>(y, nibble::shape{1, w.rows()}), threads);
}

template <gives_packed_view W>
status gemm(const W& w, dense_view<const float> x, dense_view<float> y, executor threads = {}) noexcept {
    return gemm(packed_view<typename W::format>(w), x, y, threads);
}
template <gives_packed_view W>
status gemv(const W& w, std::span<const float> x, std::span<float> y, executor threads = {}) noexcept {
    return gemv(packed_view<typename W::format>(w), x, y, threads);
}

NIBBLE_BASELINE_END
