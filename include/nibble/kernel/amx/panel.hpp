// Products of many float rows with tiles: strips of weights as bfloat16 (strip.hpp) meet float rows as bfloat16 (activation.hpp); sums are floats.
//
// 32 weight rows by 32 float rows have their sums in four tiles while a strip passes by; between strips the sums of a block of float rows lie
// in the L1 cache. No scale is left in the loop.
#pragma once

#include "nibble/kernel/amx/strip.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AMX
NIBBLE_BASELINE_BEGIN
namespace amx {

/// Float rows from which on decoding to bfloat16 pays; fewer have AVX-512's products.
inline constexpr std::size_t from = 16;

/// Tiles of float rows in a block, for all of which a strip is decoded once: at most this, and as many as 1 MB of the L2 cache holds, but
/// not fewer than four.
inline constexpr std::size_t widest = 8;
NIBBLE_INLINE constexpr std::size_t width_for(std::size_t steps) noexcept { return steps <= 128 ? widest : steps <= 170 ? 6 : 4; }

/// The sums of one tile of float rows with a strip.
struct alignas(64) tile_sums {
    float halves[2][tile::rows][panel::rows];
};

/// Adds the products of Count (1 or 2) tiles of float rows, `stride` bytes apart, with a strip.
template <class Tiles, int Count>
NIBBLE_INLINE void multiply_tiles(const std::byte* x, std::size_t stride, const strip& w, std::size_t steps, bool first, tile_sums* sums) noexcept {
    if (first) {
        Tiles::template zero<0>();
        Tiles::template zero<1>();
        if constexpr (Count == 2) {
            Tiles::template zero<2>();
            Tiles::template zero<3>();
        }
    } else {
        Tiles::template load<0>(sums[0].halves[0]);
        Tiles::template load<1>(sums[0].halves[1]);
        if constexpr (Count == 2) {
            Tiles::template load<2>(sums[1].halves[0]);
            Tiles::template load<3>(sums[1].halves[1]);
        }
    }
    for (std::size_t k = 0; k < steps; ++k) {
        Tiles::template load<4>(x + k * tile::bytes);
        Tiles::template load<6>(w.tiles[0][k]);
        Tiles::template multiply<0, 4, 6>();
        Tiles::template load<7>(w.tiles[1][k]);
        Tiles::template multiply<1, 4, 7>();
        if constexpr (Count == 2) {
            Tiles::template load<5>(x + stride + k * tile::bytes);
            Tiles::template multiply<2, 5, 6>();
            Tiles::template multiply<3, 5, 7>();
        }
    }
    Tiles::template store<0>(sums[0].halves[0]);
    Tiles::template store<1>(sums[0].halves[1]);
    if constexpr (Count == 2) {
        Tiles::template store<2>(sums[1].halves[0]);
        Tiles::template store<3>(sums[1].halves[1]);
    }
}

/// Stores the sums of `count` float rows with `rows` weight rows.
NIBBLE_INLINE void store_sums(const tile_sums* sums, std::size_t count, std::size_t rows, float* y, std::size_t stride) noexcept {
    for (std::size_t half = 0; half * panel::rows < rows; ++half) {
        const std::size_t here = rows - half * panel::rows;
        const auto mask = static_cast<__mmask16>(here < panel::rows ? (1u << here) - 1 : 0xFFFFu);
        for (std::size_t i = 0; i < count; ++i) {
            const float* all = sums[i / tile::rows].halves[half][i % tile::rows];
            _mm512_mask_storeu_ps(y + i * stride + half * panel::rows, mask, _mm512_load_ps(all));
        }
    }
}

/// op::linear's run, for `rows` weight rows that `fill` brings into strips: fill(first row, rows, first run, runs, strip).
template <class Tiles, class Fill>
NIBBLE_INLINE void multiply(std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y, std::size_t stride,
                            Fill&& fill) noexcept {
    const std::size_t steps = steps_of(cols), tiles = divide_up(count, tile::rows), width = width_for(steps), tile_stride = steps * tile::bytes;
    strip w;
    tile_sums sums[widest];
    const Tiles configured;
    for (std::size_t t = 0; t < tiles; t += width) {
        const std::size_t wide = tiles - t < width ? tiles - t : width;
        for (std::size_t r = 0; r < rows; r += strip_rows) {
            const std::size_t here = rows - r < strip_rows ? rows - r : strip_rows;
            for (std::size_t k = 0; k < steps; k += strip_steps) {
                const std::size_t some = steps - k < strip_steps ? steps - k : strip_steps;
                fill(r, here, k / 8, divide_up(some, std::size_t{8}), w);
                const std::byte* x = workspace + t * tile_stride + k * tile::bytes;
                std::size_t i = 0;
                for (; i + 2 <= wide; i += 2) multiply_tiles<Tiles, 2>(x + i * tile_stride, tile_stride, w, some, k == 0, sums + i);
                if (i < wide) multiply_tiles<Tiles, 1>(x + i * tile_stride, tile_stride, w, some, k == 0, sums + i);
            }
            const std::size_t first = t * tile::rows, some = count - first < wide * tile::rows ? count - first : wide * tile::rows;
            store_sums(sums, some, here, y + first * stride + r, stride);
        }
    }
}

/// Float rows of a product Op: few as AVX-512 wants them, many as tiles do.
template <class Op, class F>
struct float_rows {
    static constexpr typename Op::entry few = kernel<Op, F, isa::avx512>::entry;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return count < from ? few.workspace(count, cols) : amx::workspace(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (count < from) few.prepare(x, first, last, count, cols, out);
        else amx::prepare(x, first, last, count, cols, out);
    }
};

}  // namespace amx

template <affine_format F>
struct kernel<op::panel_linear, F, isa::amx> {
    using float_rows = amx::float_rows<op::panel_linear, F>;

    /// For amx::from float rows or more.
    template <class Tiles>
    static void run_with(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                         std::size_t stride) noexcept {
        const std::size_t panel_bytes = panel::bytes<F>(panel::rows, cols);
        amx::multiply<Tiles>(rows, cols, workspace, count, y, stride,
                             [=](std::size_t r, std::size_t here, std::size_t first, std::size_t runs, amx::strip& out) NIBBLE_LAMBDA_INLINE {
                                 amx::fill_from_panels<F>(panels + r / panel::rows * panel_bytes, here, cols, first, runs, out);
                             });
    }
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count < amx::from) float_rows::few.run(panels, rows, cols, workspace, count, y, stride);
        else run_with<amx::hardware_tiles>(panels, rows, cols, workspace, count, y, stride);
    }
    static constexpr op::panel_linear::entry entry{&float_rows::workspace, &float_rows::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
