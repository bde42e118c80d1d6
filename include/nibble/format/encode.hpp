// Drives a format's search over many blocks, N (sub-)blocks at once, one a lane. The one-lane instance is the scalar definition. N is a
// `lane_count auto N` (base/lanes.hpp).
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
//   sigma(sum_of_squares, count)      if there is one: the variance term of the weights; row_sigma says whether over the row or the block
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
/// The sums of squares of Count runs of `size` values, which lie one after the other. Each from element 0, in order: the order is part of the
/// bytes, and as every addition waits for the one before, several runs take turns.
template <std::size_t Count>
NIBBLE_INLINE void add_squares(const float* values, std::size_t size, float* sums) noexcept {
    float sum[Count] = {};
    for (std::size_t i = 0; i < size; ++i) {
#pragma GCC unroll 8
        for (std::size_t run = 0; run < Count; ++run) sum[run] = sum[run] + values[run * size + i] * values[run * size + i];
    }
    __builtin_memcpy(sums, sum, sizeof sum);
}
NIBBLE_INLINE void sums_of_squares(const float* values, std::size_t size, std::size_t count, float* sums) noexcept {
    for (; count >= 8; count -= 8, values += 8 * size, sums += 8) add_squares<8>(values, size, sums);
    for (; count > 0; --count, values += size, ++sums) add_squares<1>(values, size, sums);
}
template <class F>
concept weighs_by_variance = requires { F::sigma(0.0f, std::size_t{}); };
/// The variance terms of importance, for the blocks of a matrix one after the other. Some rows or blocks are summed up ahead.
template <class F>
class variance_terms {
public:
    NIBBLE_INLINE variance_terms(const float* values, std::size_t blocks, std::size_t blocks_per_row) noexcept
        : values_(values), blocks_(blocks), blocks_per_run_(F::row_sigma ? blocks_per_row : 1) {}

    NIBBLE_INLINE float of(std::size_t block) noexcept {
        const std::size_t run = block / blocks_per_run_;
        if (run >= first_ + known_) {
            const std::size_t left = blocks_ / blocks_per_run_ - run, size = blocks_per_run_ * F::block_size;
            first_ = run;
            known_ = left < ahead ? left : ahead;
            sums_of_squares(values_ + run * size, size, known_, terms_);
            for (std::size_t i = 0; i < known_; ++i) terms_[i] = F::sigma(terms_[i], size);
        }
        return terms_[run - first_];
    }

private:
    static constexpr std::size_t ahead = 8;
    const float* values_;
    std::size_t blocks_, blocks_per_run_, first_ = 0, known_ = 0;  // all blocks of a run share a term
    float terms_[ahead] = {};
};
/// Units of blocks decide together, N blocks at once.
template <class F, auto N>
concept settling_format = requires(typename F::template fits<N * F::block_size / F::unit_size> found) { F::template settle<N>(found); };

/// encode_blocks by search.
template <searched_format F, lane_count auto N, int Strands, bool Weighted>
NIBBLE_INLINE void search_blocks(const float* values, std::size_t blocks, std::size_t blocks_per_row, const float* importance,
                                 typename F::block* out) noexcept {
    constexpr auto L = static_cast<decltype(N)>(N * Strands);  // lanes of a search
    constexpr std::size_t units = F::block_size / F::unit_size, lanes = L;
    constexpr bool settles = Weighted && settling_format<F, L>;
    constexpr bool finishes = !Weighted && requires(typename F::template fits<lanes * units> found) { F::template finish<L>(values, found, units); };
    constexpr std::size_t batch = settles || finishes ? lanes : lanes > units ? lanes / units : 1;  // blocks that are encoded together
    static_assert(batch * units % lanes == 0);

    constexpr bool weighs = Weighted && weighs_by_variance<F>;
    [[maybe_unused]] auto variances = [&]() NIBBLE_LAMBDA_INLINE {
        if constexpr (weighs) return variance_terms<F>(values, blocks, blocks_per_row);
        else return 0;
    }();
    for (std::size_t first = 0; first < blocks; first += batch) {
        const std::size_t here = blocks - first < batch ? blocks - first : batch;
        typename F::template fits<batch * units> fits;
        if (settles && here < batch) fits = {};
        [[maybe_unused]] float sigma[batch] = {};
        if constexpr (weighs) {
            for (std::size_t b = 0; b < here; ++b) sigma[b] = variances.of(first + b);
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
template <searched_format F, lane_count auto N, int Strands = 1>
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
            return detail::search_blocks<F, N, Strands, true>(values, blocks, blocks_per_row, importance, out);
        }
    }
    if constexpr (!packed_format<F>) detail::search_blocks<F, N, Strands, false>(values, blocks, blocks_per_row, nullptr, out);
}

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// Encodes one block with the one-lane search. Never inlined: GCC would fuse products and sums wherever the caller allows it.
template <searched_format F>
NIBBLE_NOINLINE void encode_block(const float* values, typename F::block& packed) noexcept {
    const plain_float_mode mode;
    encode_blocks<F, 1>(values, 1, 1, nullptr, &packed);
}

NIBBLE_BASELINE_END
NIBBLE_EXACT_END
