// The dot product of one packed row with one packed row of its format's companion: integers times integers, as file formats mean it.
#pragma once

#include "nibble/kernel/dispatch.hpp"
#include "nibble/tensor/packed.hpp"

NIBBLE_BASELINE_BEGIN

/// The dot product of a packed row and a row of activations in the companion format (q8_0, q8_1 or q8_k; f32, f16 and bf16 are their own).
/// Use it where activations are kept packed, as in a cache of keys; gemv and gemm quantize activations themselves and are faster for matrices.
/// Exact but for the rounding of scale * sub-scale to float, at most 2^-23 of sum |scale * code * x| + |offset * x|, and of the result. Levels above
/// the reference add up in floats what groups of 32 columns give: another (columns / 32 + 20) * 2^-24 of that sum.
/// @param w one row: pick one of many with rows_from(i, 1)
/// @param x one row of as many columns
/// @return errc::shape_mismatch if there is not one row each, or the columns differ; errc::size_mismatch, overflow, invalid_argument (null)
template <has_companion F>
result<float> dot(packed_view<F> w, packed_view<typename F::companion> x) noexcept {
    if (w.rows() != 1 || x.rows() != 1 || w.cols() != x.cols()) return errc::shape_mismatch;
    if (const status fine = w.check(); !fine) return fine;
    if (const status fine = x.check(); !fine) return fine;
    return static_cast<float>(find_kernel<op::dot, F>()(w.data(), x.data(), w.cols()));
}
template <gives_packed_view W>
    requires has_companion<typename W::format>
result<float> dot(const W& w, packed_view<typename W::format::companion> x) noexcept {
    return dot(packed_view<typename W::format>(w), x);
}

NIBBLE_BASELINE_END
