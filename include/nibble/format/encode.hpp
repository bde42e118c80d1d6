// Drives a format's search over many blocks, N (sub-)blocks at once, one a lane. The one-lane instance is the scalar definition.
//
// A format that searches its scales offers
//   unit_size                         elements that one lane works on (a sub-block, or the whole block)
//   fits<Units>                       arrays for what the search finds, one entry a unit
//   search<N>(x, fits, at)            fills entries at .. at + N - 1 from x[unit_size][N]
//   finish<N>(values, fits, units)    if there is one: what is left to do for some of the units, once all of a batch were searched
//   assemble<N>(values, fits, at, block)  writes one block from its values and its entries, which start at `at`
// and, if importance matters to it, search_weighted<N>(x, importance, sigma, fits, at), assemble_weighted<N> if that is not what assemble<N>
// does, and
//   settle<N>(fits)                   if there is one: what the units of each of N blocks decide together, between search and assembly
//   sigma(sum_of_squares, count)      the variance term of the weights; row_sigma says whether over the row or the block
// A format whose scale does not depend on the order of its values (the largest magnitude, say) offers instead, or for the case without
// importance,
//   pack<N>(values, blocks)           encodes N blocks
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nibble/base/float_mode.hpp"
#include "nibble/base/lane_order.hpp"
#include "nibble/format/concepts.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// A format that encodes blocks without a search.
template <class F>
concept packed_format = block_format<F> && requires(const float* values, typename F::block* packed) {
    { F::template pack<1>(values, packed) } noexcept;
};

/// A format whose encoder can run in lanes.
template <class F>
concept searched_format = packed_format<F> || (block_format<F> && requires { F::unit_size; });

/// Vectors that a format wants side by side in its search, where there are registers for them: each step of a search waits for the one
/// before, and meanwhile the machine may work on others.
template <class F>
inline constexpr int strands_of = 1;
template <class F>
    requires requires { F::strands; }
inline constexpr int strands_of<F> = F::strands;

/// A searched format that uses importance; the others ignore it, as the reference does.
template <class F>
concept weighted_format = searched_format<F> && requires { F::row_sigma; };

/// Finds a flaw in a packed block: scales that are NaN or infinite. Formats without such scales have no `finite`.
template <class F>
concept checks_scales = requires(const typename F::block& packed) {
    { F::finite(packed) } -> std::same_as<bool>;
    { F::safe_magnitude } -> std::convertible_to<float>;
};

namespace detail {
/// From element 0, in order: the order is part of the bytes.
NIBBLE_INLINE float sum_of_squares(const float* values, std::size_t count) noexcept {
    float sum = 0.0f;
    for (std::size_t i = 0; i < count; ++i) sum = sum + values[i] * values[i];
    return sum;
}
/// The same of `count` blocks of Size values, in lanes if there are enough of them.
template <int N, std::size_t Batch, std::size_t Size>
NIBBLE_INLINE void sums_of_squares(const float* values, std::size_t count, float (&sums)[Batch]) noexcept {
    if constexpr (N > 1 && Batch == N) {
        if (count == N) {
            const float* from[N];
            auto sum = f32x<N>::set(0.0f);
            for (std::size_t i = 0; i < Size; i += 16) {
                for (std::size_t lane = 0; lane < N; ++lane) from[lane] = values + lane * Size + i;
                alignas(64) float x[16][N];
                gather_lanes<N>(from, x);
                for (const auto& v : x) sum = sum + f32x<N>::load(v) * f32x<N>::load(v);
            }
            sum.store(sums);
            return;
        }
    }
    for (std::size_t b = 0; b < count; ++b) sums[b] = sum_of_squares(values + b * Size, Size);
}
/// Units of blocks decide together, N blocks at once.
template <class F, int N>
concept settling_format = requires(typename F::template fits<N * F::block_size / F::unit_size> found) { F::template settle<N>(found); };

/// encode_blocks by search.
template <searched_format F, int N, int Strands, bool Weighted>
NIBBLE_INLINE void search_blocks(const float* values, std::size_t blocks, std::size_t blocks_per_row, const float* importance,
                                 typename F::block* out) noexcept {
    constexpr int L = N * Strands;  // lanes of a search
    constexpr std::size_t units = F::block_size / F::unit_size, lanes = L;
    constexpr bool settles = Weighted && settling_format<F, L>;
    constexpr bool finishes = !Weighted && requires(typename F::template fits<lanes * units> found) { F::template finish<L>(values, found, units); };
    constexpr std::size_t batch = settles || finishes ? lanes : lanes > units ? lanes / units : 1;  // blocks that are encoded together
    static_assert(batch * units % lanes == 0);

    [[maybe_unused]] std::size_t known_row = static_cast<std::size_t>(-1);
    [[maybe_unused]] float known_sigma = 0.0f;
    for (std::size_t first = 0; first < blocks; first += batch) {
        const std::size_t here = blocks - first < batch ? blocks - first : batch;
        typename F::template fits<batch * units> fits;
        if (settles && here < batch) fits = {};
        [[maybe_unused]] float sigma[batch] = {};
        if constexpr (Weighted) {
            if constexpr (F::row_sigma) {
                for (std::size_t b = 0; b < here; ++b) {
                    const std::size_t row = (first + b) / blocks_per_row, count = blocks_per_row * F::block_size;
                    if (row != known_row) known_sigma = F::sigma(detail::sum_of_squares(values + row * count, count), count);
                    known_row = row;
                    sigma[b] = known_sigma;
                }
            } else {
                detail::sums_of_squares<L, batch, F::block_size>(values + first * F::block_size, here, sigma);
                for (std::size_t b = 0; b < here; ++b) sigma[b] = F::sigma(sigma[b], F::block_size);
            }
        }
        for (std::size_t at = 0; at < here * units; at += lanes) {
            const float* from[lanes];
            [[maybe_unused]] const float* weights_from[lanes] = {};
            [[maybe_unused]] float lane_sigma[lanes] = {};
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                const std::size_t wanted = (at + lane) / units;
                const std::size_t b = wanted < here ? wanted : here - 1;  // lanes without a block repeat the last one
                const std::size_t unit = (at + lane) % units;
                from[lane] = values + (first + b) * F::block_size + unit * F::unit_size;
                if constexpr (Weighted) {
                    weights_from[lane] = importance + (first + b) % blocks_per_row * F::block_size + unit * F::unit_size;
                    lane_sigma[lane] = sigma[b];
                }
            }
            alignas(64) float x[F::unit_size][lanes];
            gather_lanes<L>(from, x);
            if constexpr (Weighted) {
                alignas(64) float weights[F::unit_size][lanes];
                gather_lanes<L>(weights_from, weights);
                F::template search_weighted<L>(x, weights, f32x<L>::load(lane_sigma), fits, at);
            } else {
                F::template search<L>(x, fits, at);
            }
        }
        if constexpr (settles) F::template settle<L>(fits);
        if constexpr (finishes) F::template finish<L>(values + first * F::block_size, fits, here * units);
        for (std::size_t b = 0; b < here; ++b) {
            const float* block_values = values + (first + b) * F::block_size;
            if constexpr (Weighted && requires { F::template assemble_weighted<N>(block_values, fits, b * units, out[first + b]); }) {
                F::template assemble_weighted<N>(block_values, fits, b * units, out[first + b]);
            } else {
                F::template assemble<N>(block_values, fits, b * units, out[first + b]);
            }
        }
    }
}
}  // namespace detail

/// Encodes `blocks` blocks that lie one after the other, with the reference search.
/// @param blocks_per_row  where importance starts again; `blocks` is a multiple of it unless importance is null
/// @param importance      blocks_per_row * block_size weights, or null
/// @tparam N        lanes of a vector
/// @tparam Strands  vectors that a search works on side by side
template <searched_format F, int N, int Strands = 1>
NIBBLE_INLINE void encode_blocks(const float* values, std::size_t blocks, std::size_t blocks_per_row, const float* importance,
                                 typename F::block* out) noexcept {
    if constexpr (packed_format<F>) {
        if (!weighted_format<F> || importance == nullptr) {
            std::size_t b = 0;
            for (; b + N <= blocks; b += N) F::template pack<N>(values + b * F::block_size, out + b);
            if constexpr (N > 1) {
                for (; b < blocks; ++b) F::template pack<1>(values + b * F::block_size, out + b);
            }
            return;
        }
    }
    if constexpr (weighted_format<F>) {
        if (importance != nullptr) {
            // Rows often have sixteen blocks, or are encoded one by one: more lanes would wait where blocks settle.
            constexpr int strands = detail::settling_format<F, N> && Strands > 2 ? 2 : Strands;
            return detail::search_blocks<F, N, strands, true>(values, blocks, blocks_per_row, importance, out);
        }
    }
    if constexpr (!packed_format<F>) detail::search_blocks<F, N, Strands, false>(values, blocks, blocks_per_row, nullptr, out);
}

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// Encodes one block with the one-lane search. Never inlined: GCC would fuse products and sums wherever the caller allows it.
template <searched_format F>
__attribute__((noinline)) void encode_block(const float* values, typename F::block& packed) noexcept {
    const plain_float_mode mode;
    encode_blocks<F, 1>(values, 1, 1, nullptr, &packed);
}

NIBBLE_BASELINE_END
NIBBLE_EXACT_END
