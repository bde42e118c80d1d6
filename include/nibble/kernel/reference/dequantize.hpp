// Dequantize at the reference level: the formats' own decode.
#pragma once

#include <cstring>

#include "nibble/kernel/op.hpp"

NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::dequantize, F, isa::reference> {
    static constexpr op::dequantize::entry entry = [](const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        if constexpr (row_format<F>) {
            for (std::size_t r = 0; r < rows; ++r) F::decode_row(packed + r * row_bytes<F>(cols), cols, 0, cols, out + r * cols);
        } else {
            const std::size_t whole = cols / F::block_size, tail = cols % F::block_size;
            const auto* block = reinterpret_cast<const typename F::block*>(packed);
            for (std::size_t r = 0; r < rows; ++r) {
                for (std::size_t b = 0; b < whole; ++b, out += F::block_size) {
                    F::decode(*block++, std::span<float, F::block_size>(out, F::block_size));
                }
                if (tail != 0) {
                    float values[F::block_size];
                    F::decode(*block++, std::span<float, F::block_size>(values, F::block_size));
                    std::memcpy(out, values, tail * sizeof(float));
                    out += tail;
                }
            }
        }
    };
};

NIBBLE_BASELINE_END
