// Floats that files store as memory holds them: quantize and dequantize are copies. GCC at -O2 moves them one by one.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>

#include "nibble/format/layout.hpp"
#include "nibble/kernel/reference/dequantize.hpp"
#include "nibble/kernel/reference/quantize.hpp"

NIBBLE_BASELINE_BEGIN

namespace internal {
template <class F>
concept plain_float = block_format<F> && std::endian::native == std::endian::little && requires {
    requires std::same_as<typename F::layout, layout::float32>;
};
}  // namespace internal

template <internal::plain_float F>
struct kernel<op::quantize, F, isa::reference> {
    static constexpr op::quantize::entry entry = [](const float* values, std::size_t rows, std::size_t cols, const float*, std::byte* out) noexcept {
        std::memcpy(out, values, rows * cols * sizeof(float));
    };
};

template <internal::plain_float F>
struct kernel<op::dequantize, F, isa::reference> {
    static constexpr op::dequantize::entry entry = [](const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        std::memcpy(out, packed, rows * cols * sizeof(float));
    };
};

NIBBLE_BASELINE_END
