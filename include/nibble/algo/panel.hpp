// Weights in panel order, made once for many products. Never written to a file: the order is private to a version of nibble.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "nibble/algo/executor.hpp"
#include "nibble/kernel/dispatch.hpp"
#include "nibble/kernel/panel.hpp"
#include "nibble/tensor/packed.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Owns weights in the order that gemm kernels read best; move-only. Made by repack(). Formats without integer codes keep their
/// packed rows, so that code written for panels works with every format.
template <any_format F>
class panel_tensor {
public:
    using format = F;

    NIBBLE_INLINE panel_tensor() noexcept = default;
    NIBBLE_INLINE std::size_t rows() const noexcept { return shape_.rows; }
    NIBBLE_INLINE std::size_t cols() const noexcept { return shape_.cols; }
    NIBBLE_INLINE nibble::shape shape() const noexcept { return shape_; }
    NIBBLE_INLINE const std::byte* data() const noexcept { return memory_.data(); }
    /// Memory that the panels take.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return memory_.bytes(); }
    NIBBLE_INLINE bool valid() const noexcept { return memory_.data() != nullptr || shape_.elements() == 0; }
    /// Bytes of one panel of 16 rows.
    NIBBLE_INLINE std::size_t panel_bytes() const noexcept requires affine_format<F> { return panel::bytes(panel::rows, shape_.cols, F::parts); }
    /// The rows themselves, for formats that have no panels.
    NIBBLE_INLINE packed_view<F> packed() const noexcept requires(!affine_format<F>) { return {memory_.data(), shape_}; }

    NIBBLE_INLINE panel_tensor(aligned_buffer memory, nibble::shape s) noexcept : memory_(std::move(memory)), shape_(s) {}

private:
    aligned_buffer memory_;
    nibble::shape shape_{};
};

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// Brings packed rows into panel order.
/// @return errc::invalid_argument (null, wrong size), overflow, out_of_memory
template <any_format F>
result<panel_tensor<F>> repack(packed_view<F> w, executor threads = {}) noexcept {
    if (!w.valid()) return errc::invalid_argument;
    if constexpr (affine_format<F>) {
        std::size_t limit = 0;
        if (!checked_multiply(w.rows() + panel::rows, w.cols() + panel::run, limit) || !checked_multiply(limit, 4, limit)) return errc::overflow;
        auto memory = aligned_buffer::make(panel::bytes(w.rows(), w.cols(), F::parts));
        if (!memory) return memory.status();
        const std::size_t panel_bytes = panel::bytes(panel::rows, w.cols(), F::parts);
        std::byte* out = memory->data();
        detail::for_ranges(threads, w.rows(), panel::rows, [&](std::size_t first, std::size_t last) {
            for (std::size_t r = first; r < last; r += panel::rows) {
                const std::size_t here = (std::min)(panel::rows, last - r);
                find_kernel<op::fill_panel, F>()(w.data() + r * w.stride(), here, w.cols(), 0, divide_up(w.cols(), panel::run) * panel::run,
                                                 out + r / panel::rows * panel_bytes);
            }
        });
        return panel_tensor<F>(std::move(*memory), w.shape());
    } else {
        auto memory = aligned_buffer::make(w.bytes().size());
        if (!memory) return memory.status();
        if (!w.bytes().empty()) std::memcpy(memory->data(), w.data(), w.bytes().size());
        return panel_tensor<F>(std::move(*memory), w.shape());
    }
}
template <any_format F>
result<panel_tensor<F>> repack(const packed_tensor<F>& w, executor threads = {}) noexcept {
    return repack(w.view(), threads);
}

NIBBLE_BASELINE_END
