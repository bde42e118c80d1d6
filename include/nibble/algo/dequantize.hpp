// Dequantize: packed rows to floats. Any bytes decode to some floats; nothing here can fail once sizes agree.
#pragma once

#include <span>

#include "nibble/algo/executor.hpp"
#include "nibble/base/float_mode.hpp"
#include "nibble/format/f32.hpp"
#include "nibble/kernel/dispatch.hpp"
#include "nibble/tensor/packed.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_BASELINE_BEGIN

/// The mirror image of quantizer. Owned results are rows * cols floats in a packed_tensor<f32>, whose bytes are those floats.
template <any_format F>
class dequantizer {
public:
    /// Decodes with these threads; by default in the calling one.
    explicit dequantizer(executor threads = {}) noexcept : threads_(threads) {}

    /// Allocates: the floats are result->bytes(), row-major.
    result<packed_tensor<f32>> operator()(packed_view<F> packed) const noexcept {
        auto floats = packed_tensor<f32>::make(packed.shape());
        if (!floats) return floats.status();
        const status done = (*this)(packed, dense_view<float>(reinterpret_cast<float*>(floats->data()), packed.shape()));
        if (!done) return done;
        return floats;
    }

    /// Writes into the caller's memory, which must not overlap the packed rows.
    /// @return errc::shape_mismatch, size_mismatch, overflow, overlap or invalid_argument, and nothing is written; errc::executor_failed
    status operator()(packed_view<F> packed, dense_view<float> out) const noexcept;

private:
    executor threads_;
};

template <any_format F>
status dequantizer<F>::operator()(packed_view<F> packed, dense_view<float> out) const noexcept {
    if (packed.shape() != out.shape()) return errc::shape_mismatch;
    if (const auto size = packed_bytes<F>(packed.shape()); !size) return size.status();
    if (!packed.valid() || !out.valid()) {
        const bool bad_pointer = out.shape().elements() != 0 && (packed.data() == nullptr || !detail::is_usable(out.data()));
        return bad_pointer ? errc::invalid_argument : errc::size_mismatch;
    }
    if (out.shape().elements() == 0) return {};
    const auto from = packed.bytes();
    const auto to = out.bytes();
    if (from.data() < to.data() + to.size() && to.data() < from.data() + from.size()) return errc::overlap;
    const auto& entry = find_kernel<op::dequantize, F>();
    return detail::for_ranges(threads_, packed.rows(), 1, [&](std::size_t first, std::size_t last) {
        const plain_float_mode mode;
        entry(packed.data() + first * packed.stride(), last - first, packed.cols(), out.data() + first * out.cols());
    });
}

/// Decodes packed rows.
/// @param packed a view of rows x cols
/// @param dst    exactly rows * cols floats
/// @return errc::size_mismatch, overflow, overlap or invalid_argument
template <any_format F>
status dequantize(packed_view<F> packed, std::span<float> dst) noexcept {
    return dequantizer<F>()(packed, dense_view<float>(dst, packed.shape()));
}

/// The same for bytes: exactly rows * row_bytes<F>(cols) of them, at any address.
template <any_format F>
status dequantize(std::span<const std::byte> src, std::span<float> dst, shape s) noexcept {
    return dequantizer<F>()(packed_view<F>(src, s), dense_view<float>(dst, s));
}

NIBBLE_BASELINE_END
