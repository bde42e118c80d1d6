// Quantize at the reference level: the formats' own searches, four lanes wide (every 64-bit CPU has those), or block by block.
#pragma once

#include "nibble/format/encode.hpp"
#include "nibble/kernel/op.hpp"
#include "nibble/kernel/reference/magnitude.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_BASELINE_BEGIN

/// The loop over rows that every level shares; Lanes is the level's vector width in floats, Strands the vectors that a search works on side
/// by side. It becomes part of the kernel that calls it, and takes that kernel's instructions.
template <class F, lane_count auto Lanes, int Strands = 1>
NIBBLE_INLINE void quantize_rows(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
    if constexpr (row_format<F>) {
        for (std::size_t r = 0; r < rows; ++r) F::encode_row(values + r * cols, cols, out + r * row_bytes<F>(cols));
    } else {
        const std::size_t blocks_per_row = cols / F::block_size, blocks = rows * blocks_per_row;
        auto* packed = reinterpret_cast<typename F::block*>(out);
        if constexpr (searched_format<F>) {
            encode_blocks<F, Lanes, Strands>(values, blocks, blocks_per_row, importance, packed);
        } else {
            for (std::size_t b = 0; b < blocks; ++b) {
                F::encode(std::span<const float, F::block_size>(values + b * F::block_size, F::block_size), packed[b]);
            }
        }
    }
}

template <class F>
struct kernel<op::quantize, F, isa::reference> {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float* importance, std::byte* out) noexcept {
        quantize_rows<F, 4>(values, rows, cols, importance, out);
    }
    static constexpr op::quantize::entry entry = &run;
};

template <class F>
struct kernel<op::quantize_checked, F, isa::reference> {
    static constexpr op::quantize_checked::entry entry = nullptr;
};

namespace internal {
/// Encodes blocks one after the other, unless a float among them is none: C does not convert such to integers.
/// @return the largest magnitude, as bits; from infinity on `out` is unspecified
template <searched_format F>
NIBBLE_INLINE std::uint32_t encode_one_by_one(const float* values, std::size_t blocks, typename F::block* out) noexcept {
    const std::uint32_t most = kernel<op::magnitude, F, isa::reference>::entry(values, blocks * F::block_size);
    if (most < 0x7F800000u) encode_blocks<F, 1>(values, blocks, blocks, nullptr, out);
    return most;
}

/// op::quantize of a level that has op::quantize_checked: what that finds does not matter.
template <class F, isa Level>
struct quantize_as_checked {
    static void run(const float* values, std::size_t rows, std::size_t cols, const float*, std::byte* out) noexcept {
        kernel<op::quantize_checked, F, Level>::run(values, rows * cols, out);
    }
    static constexpr op::quantize::entry entry = &run;
};
}  // namespace internal

NIBBLE_BASELINE_END
NIBBLE_EXACT_END
