// A product in double precision, and the bounds that gemm documents for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nibble/cpu/active.hpp>

namespace support {

/// One element. `bound` is for x rounded to 8 bits in groups, `bfloat16_bound` for w and x as bfloat16; both allow for float arithmetic.
struct product {
    double exact = 0, bound = 0, bfloat16_bound = 0;
};
template <class F>
product multiply(const float* w, const float* x, std::size_t cols) {
    constexpr std::size_t group = F::block_size == 256 ? 256 : 32;
    product p;
    double terms = 0;
    for (std::size_t first = 0; first < cols; first += group) {
        double largest = 0, weights = 0;
        for (std::size_t k = first; k < std::min(cols, first + group); ++k) {
            const double term = static_cast<double>(w[k]) * static_cast<double>(x[k]);
            p.exact += term;
            p.bfloat16_bound += std::fabs(term) / 127 + 1e-5 * std::fabs(term);
            largest = std::max(largest, std::fabs(static_cast<double>(x[k])));
            weights += std::fabs(static_cast<double>(w[k]));
        }
        p.bound += largest / 254 * weights;
        terms += largest * weights;
    }
    p.bound += 1e-5 * terms;
    return p;
}

/// The error of a result as a share of its bound, where x is rounded to 8 bits at most.
inline double error_of(const product& p, float result) { return std::fabs(static_cast<double>(result) - p.exact) / p.bound; }

/// The same where both factors are rounded to bfloat16.
inline double bfloat16_error_of(const product& p, float result) { return std::fabs(static_cast<double>(result) - p.exact) / p.bfloat16_bound; }

/// The same for what the active level does with `count` float rows.
inline double error_of(const product& p, float result, std::size_t count) {
    const bool in_tiles = nibble::active_isa() == nibble::isa::amx && count >= 16;
    return in_tiles ? bfloat16_error_of(p, result) : error_of(p, result);
}

/// The larger of two errors, where NaN is the largest.
inline double larger(double a, double b) { return a != a || b <= a ? a : b; }

}  // namespace support
