// Drives search::best: N blocks at once, one a lane, and the reference's block stays wherever it is as good. That makes it a promise:
// no row has more error than with search::reference. The error is the sum of importance * (value - decoded)^2, without importance of
// (value - decoded)^2, whatever weights the reference's own search puts on it. Formats of very few bits give some of what they gain back to
// reach the gain of the values (stretch.hpp).
#pragma once

#include <cstddef>
#include <span>

#include "nibble/format/best/input.hpp"
#include "nibble/format/best/stretch.hpp"
#include "nibble/format/encode.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
/// sum of weight * (value - decoded)^2, as exact as doubles are.
template <std::size_t Count>
NIBBLE_INLINE double error_of(const float* decoded, const float* values, const float* weights) noexcept {
    using doubles = raw_lanes<double, 8>;
    static_assert(Count % 8 == 0);
    doubles sums = {};
    for (std::size_t i = 0; i < Count; i += 8) {
        raw_lanes<float, 8> v, d, w;
        __builtin_memcpy(&v, values + i, sizeof v);
        __builtin_memcpy(&d, decoded + i, sizeof d);
        __builtin_memcpy(&w, weights + i, sizeof w);
        const auto e = __builtin_convertvector(v, doubles) - __builtin_convertvector(d, doubles);
        sums += __builtin_convertvector(w, doubles) * e * e;
    }
    double sum = 0.0;
    for (int i = 0; i < 8; ++i) sum += sums[i];
    return sum;
}
}  // namespace detail

/// Replaces blocks of the reference search by better ones.
/// @param blocks      blocks that lie one after the other; a multiple of blocks_per_row
/// @param cols        elements of a row that are not padding
/// @param importance  blocks_per_row * block_size weights, or null
/// @param decode      decode(blocks, count, floats)
/// @param out         the reference's blocks
template <has_best_search F, lane_count auto N>
NIBBLE_INLINE void improve_blocks(const float* values, std::size_t blocks, std::size_t blocks_per_row, std::size_t cols,
                                  const float* importance, auto decode, typename F::block* out) noexcept {
    constexpr std::size_t size = F::block_size, lanes = N;
    const std::size_t last = (blocks_per_row - 1) * size;
    float ones[size], tail[size];  // weights of blocks without importance, and of the last block of a row
    for (std::size_t i = 0; i < size; ++i) {
        ones[i] = 1.0f;
        tail[i] = last + i >= cols ? 0.0f : importance != nullptr ? importance[last + i] : 1.0f;
    }
    best_input<N, size> input;
    typename F::block found[N];
    alignas(64) float decoded[N * size];
    for (std::size_t first = 0; first < blocks; first += lanes) {
        const float* from[N];
        const float* weights[N];
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const std::size_t block = first + lane < blocks ? first + lane : blocks - 1;  // lanes without a block repeat the last one
            const std::size_t place = block % blocks_per_row;
            from[lane] = values + block * size;
            weights[lane] = place == blocks_per_row - 1 ? tail : importance != nullptr ? importance + place * size : ones;
        }
        input.load(from, weights);
        F::template search_best<N>(input, found);
        const std::size_t here = blocks - first < lanes ? blocks - first : lanes;
        double reference[N];
        decode(out + first, here, decoded);
        for (std::size_t lane = 0; lane < here; ++lane)
            reference[lane] = detail::error_of<size>(decoded + lane * size, from[lane], weights[lane]);
        decode(found, here, decoded);
        for (std::size_t lane = 0; lane < here; ++lane) {
            auto& packed = out[first + lane];
            if constexpr (checks_scales<F>) {
                if (!F::finite(packed) || !F::finite(found[lane])) continue;  // the former is an error for the caller to see
            }
            const double limit = reference[lane] * 0.999999;  // by more than what another order of additions could make of it
            float* const values_found = decoded + lane * size;
            if (!(detail::error_of<size>(values_found, from[lane], weights[lane]) < limit)) continue;
            packed = found[lane];
            if constexpr (stretches<F>) {
                auto stretched = packed;
                F::stretch(stretched, detail::stretch_of<size>(values_found, from[lane], weights[lane], limit));
                decode(&stretched, 1, values_found);
                if (F::finite(stretched) && detail::error_of<size>(values_found, from[lane], weights[lane]) < limit) packed = stretched;
            }
        }
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
