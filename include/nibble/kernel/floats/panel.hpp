// Products of plain floats with many float rows: some packed rows by some columns are transposed into a panel of floats, unit by unit, which meets
// the float rows in tiles whose sums stay in registers.
//
// A text without #pragma once, as vnni/gemv.hpp: every level includes it in its own region and namespace, which NIBBLE_TARGET_BEGIN_LEVEL and
// NIBBLE_LEVEL name. The level provides float_lanes:
//   vector, lanes, vectors       so many registers with so many lanes are the rows of a panel
//   widest, step                 float rows of a tile: at most, and as a multiple
//   unit_cols                    columns in a lane, which are a unit: a float, or two of 16 bits
//   pack(row, cols, lanes)       16 units of a float row that has so many columns left
//   multiply_add(w, x, sum)      sum + w * x; and zero, load, store, broadcast, add
//
// Float rows lie tile by tile, unit by unit: [unit][row of the tile]. The last tile is padded with rows of zeros.
#if defined(NIBBLE_LEVEL)
NIBBLE_TARGET_BEGIN_LEVEL
NIBBLE_BASELINE_BEGIN
namespace NIBBLE_LEVEL {

inline constexpr std::size_t float_panel_rows = float_lanes::vectors * float_lanes::lanes;
inline constexpr std::size_t float_panel_units = 8192 / float_panel_rows;  ///< 32 kB
inline constexpr std::size_t most_float_rows = 528;                        ///< that meet a panel, so that they come from a near cache
static_assert(op::linear::prepare_step % float_lanes::widest == 0 && most_float_rows % float_lanes::widest == 0);

NIBBLE_INLINE constexpr std::size_t units_of(std::size_t cols) noexcept { return divide_up(cols, float_lanes::unit_cols); }

/// Float rows of the tile that starts with row `first`.
NIBBLE_INLINE constexpr std::size_t width_of_tile(std::size_t first, std::size_t count) noexcept {
    const std::size_t left = divide_up(count - first, float_lanes::step) * float_lanes::step;
    return left < float_lanes::widest ? left : float_lanes::widest;
}

/// op::linear's workspace and prepare.
inline std::size_t panel_workspace(std::size_t count, std::size_t cols) noexcept {
    return divide_up(count, float_lanes::step) * float_lanes::step * units_of(cols) * sizeof(float);
}
inline void prepare_for_panels(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
    const std::size_t units = units_of(cols);
    for (std::size_t i = first; i < last; i += float_lanes::widest) {
        const std::size_t width = width_of_tile(i, count);
        auto* tile = reinterpret_cast<float*>(out) + i * units;
        for (std::size_t c = 0; c < width; ++c) {
            for (std::size_t u = 0; u < units; u += 16) {
                alignas(64) float lanes[16] = {};
                if (i + c < count) float_lanes::pack(x + (i + c) * cols + u * float_lanes::unit_cols, cols - u * float_lanes::unit_cols, lanes);
                const std::size_t here = units - u < 16 ? units - u : 16;
                for (std::size_t k = 0; k < here; ++k) tile[(u + k) * width + c] = lanes[k];
            }
        }
    }
}

/// Packed rows that come next, whose lines a tile fetches while it multiplies: a panel is more streams than prefetchers follow.
struct next_rows {
    const std::byte* from;
    std::size_t stride, rows;
};

/// y[c * stride + r] = dot(row r of a panel, float row c of a tile), or += if these are not the `first` units.
template <int Width>
inline void multiply_float_tile(const float* panel, const float* x, std::size_t units, const next_rows& next, bool first, std::size_t rows,
                                std::size_t count, float* y, std::size_t stride) noexcept {
    using lanes = float_lanes;
    constexpr int vectors = lanes::vectors, length = lanes::lanes;
    for (std::size_t c = 0; c < count; ++c) {  // far from the caches, and wanted when the tile is done
        for (std::size_t r = 0; r < rows; r += 16) _mm_prefetch(reinterpret_cast<const char*>(y + c * stride + r), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(y + c * stride + rows - 1), _MM_HINT_T0);
    }
    typename lanes::vector sums[Width][vectors];
#pragma GCC unroll 24
    for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[c][v] = lanes::zero();
    }
    for (std::size_t u = 0; u < units; u += 4) {
        const std::byte* ahead = next.from + u * sizeof(float);  // of every line a quarter of the rows at a time: more at once would wait
        for (std::size_t r = u / 4 % 4; r < next.rows; r += 4) _mm_prefetch(reinterpret_cast<const char*>(ahead + r * next.stride), _MM_HINT_T1);
        for (std::size_t left = units - u < 4 ? units - u : 4; left != 0; --left, panel += float_panel_rows, x += Width) {
            typename lanes::vector w[vectors];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) w[v] = lanes::load(panel + v * length);
#pragma GCC unroll 24
            for (int c = 0; c < Width; ++c) {
                const auto value = lanes::broadcast(x + c);
#pragma GCC unroll 2
                for (int v = 0; v < vectors; ++v) sums[c][v] = lanes::multiply_add(w[v], value, sums[c][v]);
            }
        }
    }
#pragma GCC unroll 24
    for (int c = 0; c < Width; ++c, y += stride) {
        if (static_cast<std::size_t>(c) >= count) break;
        if (rows == float_panel_rows) {
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) lanes::store(y + v * length, first ? sums[c][v] : lanes::add(sums[c][v], lanes::load(y + v * length)));
        } else {
            alignas(64) float out[float_panel_rows];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) lanes::store(out + v * length, sums[c][v]);
            for (std::size_t r = 0; r < rows; ++r) y[r] = first ? out[r] : y[r] + out[r];
        }
    }
}

/// The tile of the width that is wanted.
template <int Width = static_cast<int>(float_lanes::step)>
NIBBLE_INLINE void multiply_float_tile_of(std::size_t width, const auto&... arguments) noexcept {
    if constexpr (Width == static_cast<int>(float_lanes::widest)) multiply_float_tile<Width>(arguments...);
    else if (width == Width) multiply_float_tile<Width>(arguments...);
    else multiply_float_tile_of<Width + static_cast<int>(float_lanes::step)>(width, arguments...);
}

/// op::linear's run. Weights: eight units of a row as floats (avx2/float_panel.hpp).
template <class F, class Weights>
inline void multiply_by_panels(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                               std::size_t stride) noexcept {
    constexpr std::size_t unit_bytes = float_lanes::unit_cols * sizeof(typename F::block);
    const std::size_t units = units_of(cols), row_stride = row_bytes<F>(cols);
    alignas(64) float panel[float_panel_units * float_panel_rows];
    for (std::size_t i = 0; i < count; i += most_float_rows) {
        const std::size_t end = count - i < most_float_rows ? count : i + most_float_rows;
        for (std::size_t u = 0; u < units; u += float_panel_units) {
            const std::size_t here = units - u < float_panel_units ? units - u : float_panel_units, left = row_stride - u * unit_bytes;
            const std::size_t bytes = left < here * unit_bytes ? left : here * unit_bytes;
            for (std::size_t r = 0; r < rows; r += float_panel_rows) {
                const std::size_t some = rows - r < float_panel_rows ? rows - r : float_panel_rows;
                const std::byte* from = packed + r * row_stride + u * unit_bytes;
                avx2::fill_float_panel<Weights, unit_bytes, float_panel_rows>(from, row_stride, some, bytes, panel);
                const std::size_t fetched = divide_up(float_panel_rows, divide_up(end - i, float_lanes::widest));
                next_rows next{from + float_panel_rows * row_stride, row_stride, fetched};
                for (std::size_t c = i; c < end; c += float_lanes::widest, next.from += fetched * row_stride) {
                    const std::size_t width = width_of_tile(c, count), exist = count - c < width ? count - c : width;
                    const float* x = reinterpret_cast<const float*>(workspace) + c * units + u * width;
                    multiply_float_tile_of(width, panel, x, here, next, u == 0, some, exist, y + c * stride + r, stride);
                }
            }
        }
    }
}

}  // namespace NIBBLE_LEVEL
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
