// Why the block of least error is not the best one where bits are few, and what search::best does about it.
//
// A fitted block is a shrunken one: its gain, sum(w * x * decoded) / sum(w * x * x), is 1 - e, where e is its error relative to the
// block. With one bit and a half e is a fifth. Its error has two parts: what the block lost, and noise. Trained weights are aligned with
// what they are multiplied with: their products are larger, in squares by a factor `alignment`, than those of random weights as large. So is
// what was lost; the noise is random. Stretched by s, the block's products have an error of
//
//     alignment * (1 - s * (1 - e))^2 + s^2 * e * (1 - e)
//
// which is least for s = alignment / (alignment * (1 - e) + e): no stretch if alignment is 1, and a gain of 1 if it is large.
#pragma once

#include <cstddef>

#include "nibble/base/config.hpp"
#include "nibble/base/lanes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// A format of so few bits that its best blocks are stretched. stretch(block, factor) multiplies the block's scale.
template <class F>
concept stretches = requires(typename F::block& packed) { F::stretch(packed, 1.0f); };

namespace detail {

/// Measured: about the mean of the matrices of a small language model (docs/search-best.md). It need not be exact: 2 and infinity are both
/// better than 1, which is no stretch.
inline constexpr double alignment = 4.0;

/// sum of weight * a * b, as exact as doubles are.
template <std::size_t Count>
NIBBLE_INLINE double product_of(const float* a, const float* b, const float* weights) noexcept {
    using doubles = raw_lanes<double, 8>;
    static_assert(Count % 8 == 0);
    doubles sums = {};
    for (std::size_t i = 0; i < Count; i += 8) {
        raw_lanes<float, 8> x, y, w;
        __builtin_memcpy(&x, a + i, sizeof x);
        __builtin_memcpy(&y, b + i, sizeof y);
        __builtin_memcpy(&w, weights + i, sizeof w);
        sums += __builtin_convertvector(w, doubles) * __builtin_convertvector(x, doubles) * __builtin_convertvector(y, doubles);
    }
    double sum = 0.0;
    for (int i = 0; i < 8; ++i) sum += sums[i];
    return sum;
}

/// @param decoded, values  of a block
/// @param limit            the error that the stretched block may have
/// @return what to multiply the block's scale with; 1 where nothing is to be gained
template <std::size_t Count>
NIBBLE_INLINE float stretch_of(const float* decoded, const float* values, const float* weights, double limit) noexcept {
    const double xx = product_of<Count>(values, values, weights), xd = product_of<Count>(values, decoded, weights);
    const double dd = product_of<Count>(decoded, decoded, weights);
    if (!(xd > 0.0 && dd > 0.0)) return 1.0f;
    // The error, xx - 2 * s * xd + s * s * dd, reaches the limit at `most`, less what rounding a scale to 11 bits may add.
    const double slack = xd * xd - dd * (xx - limit);
    const double most = (xd + __builtin_sqrt(slack > 0.0 ? slack : 0.0)) / dd * (1.0 - 0x1p-10);
    const double wanted = alignment * xx / ((alignment - 1.0) * xd + xx);
    const double factor = wanted < most ? wanted : most;
    return factor > 1.0 ? static_cast<float>(factor) : 1.0f;
}

}  // namespace detail

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
