// Quantize with search::best at the reference level: the reference search first, then the formats' own, four blocks at once.
#pragma once

#include <span>
#include <type_traits>

#include "nibble/format/best/encode.hpp"
#include "nibble/kernel/reference/dequantize.hpp"
#include "nibble/kernel/reference/quantize.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_BASELINE_BEGIN

/// The code that every level shares, as quantize_rows.
template <class F, isa Level, lane_count auto Lanes>
NIBBLE_INLINE void quantize_rows_best(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                                      std::byte* out) noexcept {
    kernel<op::quantize, F, Level>::entry(values, rows, cols, importance, out);
    const std::size_t blocks_per_row = cols / F::block_size;
    const auto decode = [](const typename F::block* packed, std::size_t count, float* to) NIBBLE_LAMBDA_INLINE {
        // A decoder that was written for the level, for floats that stay in the cache if it tells them apart, or else the format's own, which becomes
        // part of this kernel.
        using decoder = kernel<op::dequantize, F, Level>;
        if constexpr (requires { decoder::run_in_caches; }) {
            decoder::run_in_caches(reinterpret_cast<const std::byte*>(packed), 1, count * F::block_size, to);
        } else if constexpr (!std::is_base_of_v<kernel<op::dequantize, F, isa::reference>, decoder>) {
            decoder::entry(reinterpret_cast<const std::byte*>(packed), 1, count * F::block_size, to);
        } else {
            for (std::size_t b = 0; b < count; ++b)
                F::decode(packed[b], std::span<float, F::block_size>(to + b * F::block_size, F::block_size));
        }
    };
    improve_blocks<F, Lanes>(values, rows * blocks_per_row, blocks_per_row, used, importance, decode,
                             reinterpret_cast<typename F::block*>(out));
}

template <has_best_search F>
struct kernel<op::quantize_best, F, isa::reference> {
    static void run(const float* values, std::size_t rows, std::size_t cols, std::size_t used, const float* importance,
                    std::byte* out) noexcept {
        quantize_rows_best<F, isa::reference, 4>(values, rows, cols, used, importance, out);
    }
    static constexpr op::quantize_best::entry entry = &run;
};

NIBBLE_BASELINE_END
NIBBLE_EXACT_END
