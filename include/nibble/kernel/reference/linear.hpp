// Products at the reference level: decode a stretch of a row, then one Eigen dot product for each float row. No rounding but that of
// float arithmetic. Eigen is used coefficient by coefficient only: its product kernels are out-of-line templates that the linker
// would merge across translation units with different flags.
#pragma once

#include <Eigen/Core>
#include <cstring>

#include "nibble/kernel/op.hpp"
#include "nibble/kernel/reference/dequantize.hpp"

NIBBLE_BASELINE_BEGIN

namespace internal {
/// A type of this namespace in Eigen's expressions: what a compiler makes of them and leaves out of line, everything without optimisation, is this
/// baseline's own. That holds for whole vectors only: single elements and reductions go through functions of float or of the least packet.
struct contiguous : Eigen::Stride<0, 0> {};

/// A template, so that only who multiplies compiles what Eigen makes of it.
template <class Float>
NIBBLE_INLINE Float dot(const Float* a, const Float* b, std::size_t count) noexcept {
    constexpr std::size_t width = 16;
    using floats = Eigen::Array<Float, width, 1>;
    using factor = Eigen::Map<const floats, Eigen::Unaligned, contiguous>;
    alignas(64) Float sums[width] = {};
    std::size_t i = 0;
    for (; i + width <= count; i += width) Eigen::Map<floats, Eigen::Aligned64, contiguous>(sums) += factor(a + i) * factor(b + i);
    Float sum{};
    for (; i < count; ++i) sum += a[i] * b[i];
    for (const Float some : sums) sum += some;
    return sum;
}
inline std::size_t reference_workspace(std::size_t count, std::size_t cols) noexcept { return count * cols * sizeof(float); }
inline void reference_prepare(const float* x, std::size_t first, std::size_t last, std::size_t, std::size_t cols, std::byte* workspace) noexcept {
    if (last > first && cols != 0) {
        std::memcpy(workspace + first * cols * sizeof(float), x + first * cols, (last - first) * cols * sizeof(float));
    }
}
}  // namespace internal

template <class F>
struct kernel<op::linear, F, isa::reference> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        const auto* x = reinterpret_cast<const float*>(workspace);
        constexpr std::size_t step = divide_up(1024, F::block_size) * F::block_size;
        for (std::size_t r = 0; r < rows; ++r, packed += row_bytes<F>(cols)) {
            for (std::size_t i = 0; i < count; ++i) y[i * stride + r] = 0.0f;
            for (std::size_t at = 0; at < cols; at += step) {
                const std::size_t here = cols - at < step ? cols - at : step;
                float values[step];
                if constexpr (row_format<F>) {
                    F::decode_row(packed, cols, at, at + here, values);
                } else {
                    kernel<op::dequantize, F, isa::reference>::entry(packed + at / F::block_size * sizeof(typename F::block), 1, here, values);
                }
                for (std::size_t i = 0; i < count; ++i) y[i * stride + r] += internal::dot(values, x + i * cols + at, here);
            }
        }
    }
    static constexpr op::linear::entry entry{&internal::reference_workspace, &internal::reference_prepare, &run};
};

NIBBLE_BASELINE_END
