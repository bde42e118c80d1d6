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
    dequantizer(executor threads = {}) noexcept : threads_(threads) {}  // NOLINT(google-explicit-constructor)

    /// Allocates: the floats are result->bytes(), row-major.
    result<packed_tensor<f32>> operator()(packed_view<F> packed) const noexcept {
        if (const status fine = packed.check(); !fine) return fine;  // no memory for a shape that is wrong
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
    if (const status fine = packed.check(); !fine) return fine;
    if (const status fine = out.check(); !fine) return fine;
    if (out.shape().elements() == 0) return {};
    if (detail::overlaps(packed.bytes(), out.bytes())) return errc::overlap;
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

template <gives_packed_view W>
status dequantize(const W& packed, std::span<float> dst) noexcept {
    return dequantize(packed_view<typename W::format>(packed), dst);
}

/// The same for bytes: exactly rows * row_bytes<F>(cols) of them, at any address.
template <any_format F>
status dequantize(std::span<const std::byte> src, std::span<float> dst, shape s) noexcept {
    return dequantizer<F>()(packed_view<F>(src, s), dense_view<float>(dst, s));
}

NIBBLE_BASELINE_END
