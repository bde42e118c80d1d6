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

/// Owns weights in the order that products read best; move-only. Made by repack(). Formats without integer codes have no order but that of their
/// packed rows, and it holds a copy of these.
template <any_format F>
class panel_tensor {
public:
    using format = F;  ///< of the packed rows it was made of

    NIBBLE_INLINE panel_tensor() noexcept = default;
    /// Rows.
    NIBBLE_INLINE std::size_t rows() const noexcept { return shape_.rows; }
    /// Columns: elements of a row.
    NIBBLE_INLINE std::size_t cols() const noexcept { return shape_.cols; }
    /// Rows and columns.
    NIBBLE_INLINE nibble::shape shape() const noexcept { return shape_; }
    /// The first panel.
    NIBBLE_INLINE const std::byte* data() const noexcept { return memory_.data(); }
    /// All panels.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return memory_.bytes(); }
    /// errc::invalid_argument for a tensor that was moved from.
    NIBBLE_INLINE status check() const noexcept {
        return memory_.data() != nullptr || shape_.elements() == 0 ? status() : status(errc::invalid_argument);
    }
    /// True if check() finds nothing.
    NIBBLE_INLINE bool valid() const noexcept { return static_cast<bool>(check()); }
    /// Bytes of one panel of 16 rows.
    NIBBLE_INLINE std::size_t panel_bytes() const noexcept requires affine_format<F> { return panel::bytes<F>(panel::rows, shape_.cols); }
    /// The packed rows of a format without integer codes.
    NIBBLE_INLINE packed_view<F> packed() const noexcept requires(!affine_format<F>) { return {memory_.data(), shape_}; }

    /// For repack(): takes over memory that is in panel order.
    NIBBLE_INLINE panel_tensor(aligned_buffer memory, nibble::shape s) noexcept : memory_(std::move(memory)), shape_(s) {}

private:
    aligned_buffer memory_;
    nibble::shape shape_{};
};

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// Brings packed rows into panel order.
/// @return errc::invalid_argument (null), size_mismatch, overflow, out_of_memory, executor_failed
template <any_format F>
result<panel_tensor<F>> repack(packed_view<F> w, executor threads = {}) noexcept {
    if (const status fine = w.check(); !fine) return fine;
    std::size_t limit = 0;  // of what panels take, generously
    if (!checked_multiply(w.rows() + panel::rows, w.cols() + panel::run, limit) || !checked_multiply(limit, 8, limit)) return errc::overflow;
    // Rows without columns take no memory, so there may be more of them than anybody can count.
    if (w.shape().elements() == 0) return panel_tensor<F>({}, w.shape());
    std::size_t size = w.bytes().size();
    if constexpr (affine_format<F>) size = panel::bytes<F>(w.rows(), w.cols());
    auto memory = aligned_buffer::make(size);
    if (!memory) return memory.status();
    if constexpr (affine_format<F>) {
        const auto fill = find_kernel<op::fill_panel, F>();
        const std::size_t panel_bytes = panel::bytes<F>(panel::rows, w.cols());
        const status filled = detail::for_ranges(threads, w.rows(), panel::rows, [&](std::size_t first, std::size_t last) {
            for (std::size_t r = first; r < last; r += panel::rows) {
                const std::size_t here = (std::min)(panel::rows, last - r);
                fill(w.data() + r * w.stride(), here, w.cols(), memory->data() + r / panel::rows * panel_bytes);
            }
        });
        if (!filled) return filled;
    } else {
        std::memcpy(memory->data(), w.data(), size);
    }
    return panel_tensor<F>(std::move(*memory), w.shape());
}
template <gives_packed_view W>
result<panel_tensor<typename W::format>> repack(const W& w, executor threads = {}) noexcept {
    return repack(packed_view<typename W::format>(w), threads);
}

NIBBLE_BASELINE_END
