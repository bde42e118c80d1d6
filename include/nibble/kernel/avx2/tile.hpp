// The inner loop of gemm with AVX2: a panel of 16 rows (kernel/panel.hpp) times a tile of 4 or 6 float rows. Every load of weights meets all
// float rows of the tile, every broadcast of activations both halves of the panel; integer sums stay in registers for a group or part,
// float sums in the L1 cache. docs/kernels.md has the measurements behind the shapes.
#pragma once

#include "nibble/kernel/avx2/tiled_activation.hpp"
#include "nibble/kernel/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// What tiles read of a group: its wide form (kernel/panel.hpp), or for codes of 8 bits int16 levels in the order
///   [column / 4][columns 0 and 2, 1 and 3 of four][row][2]
/// and then the group's scales and offsets.
template <class F>
inline constexpr std::size_t tile_code_bytes = panel::wide_code_bytes * sizeof(activation_code<F>);
template <class F>
inline constexpr std::size_t tile_group_bytes = tile_code_bytes<F> + 2 * F::parts * panel::rows * sizeof(float);

/// What int16 levels in tiles are multiples of, and their scales a part of.
template <class F>
inline constexpr float level_unit = needs_words<F> && !scales_levels<F> ? 256.0f : 1.0f;

/// Float sums of a tile: 16 rows of the panel for each float row.
template <int Width>
using tile_sums = float[Width][16];

/// Integer sums of a tile, by halves of the panel.
template <int Width>
using tile_registers = __m256i[Width][2];

/// Transposes eight vectors of eight 32-bit elements.
NIBBLE_INLINE void transpose(__m256i (&v)[8]) noexcept {
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

/// A column of eight rows: `from(r)` for each, lane g of which goes to `to(g, v)`.
NIBBLE_INLINE void transpose_to(auto from, auto to) noexcept {
    __m256i v[8];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < 8; ++r) v[r] = from(r);
    transpose(v);
#pragma GCC unroll 8
    for (std::size_t g = 0; g < 8; ++g) to(g, v[g]);
}

NIBBLE_INLINE __m256i load_codes(const std::byte* from) noexcept { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }

/// Four int8 or two int16 codes in all lanes.
template <class Code>
NIBBLE_INLINE __m256i broadcast_codes(const Code* codes) noexcept {
    std::int32_t bits;
    __builtin_memcpy(&bits, codes, 4);
    return _mm256_set1_epi32(bits);
}

/// total = products of Steps times four columns, in 16 bits; plus `start` for each float row, if it is not null.
/// @tparam More  they are added to what `total` has
template <int Steps, int Width, bool More = false>
NIBBLE_INLINE void multiply_in_words(const std::byte* weights, const std::int8_t (*codes)[32], std::size_t first, const std::int32_t* start,
                                     tile_registers<Width>& total) noexcept {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < Steps; ++k) {
        const __m256i w[2] = {load_codes(weights + 64 * (first + k)), load_codes(weights + 64 * (first + k) + 32)};
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
            const __m256i x = broadcast_codes(codes[c] + 4 * (first + k));
            const __m256i from = k == 0 && start != nullptr ? _mm256_set1_epi32(start[c]) : _mm256_setzero_si256();
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                const __m256i product = _mm256_maddubs_epi16(w[h], x);
                if (k == 0 && !More) total[c][h] = start != nullptr ? _mm256_add_epi16(product, from) : product;
                else total[c][h] = _mm256_add_epi16(total[c][h], product);
                pin(total[c][h]);
            }
        }
    }
}

/// total = products of Steps times four columns in 32 bits, of which only Fit fit in 16 bits together.
template <int Steps, int Fit, int Width>
NIBBLE_INLINE void multiply_in_doubles(const std::byte* weights, const std::int8_t (*codes)[32], std::size_t first,
                                       tile_registers<Width>& total) noexcept {
#pragma GCC unroll 8
    for (std::size_t k = first; k < first + Steps; k += Fit) {
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) {
            __m256i w[Fit];
#pragma GCC unroll 2
            for (std::size_t i = 0; i < Fit; ++i) w[i] = load_codes(weights + 64 * (k + i) + 32 * static_cast<std::size_t>(h));
#pragma GCC unroll 6
            for (int c = 0; c < Width; ++c) {
                __m256i some_i16x16 = _mm256_maddubs_epi16(w[0], broadcast_codes(codes[c] + 4 * k));
                if constexpr (Fit == 2)
                    some_i16x16 = _mm256_add_epi16(some_i16x16, _mm256_maddubs_epi16(w[1], broadcast_codes(codes[c] + 4 * k + 4)));
                const __m256i some_i32x8 = _mm256_madd_epi16(some_i16x16, _mm256_set1_epi16(1));
                total[c][h] = k == first ? some_i32x8 : _mm256_add_epi32(total[c][h], some_i32x8);
                pin(total[c][h]);
            }
        }
    }
}

/// total = products of int16 levels, Steps times two columns.
/// @tparam More  they are added to what `total` has
template <int Steps, int Width, bool More = false>
NIBBLE_INLINE void multiply_levels(const std::byte* weights, const std::int16_t (*codes)[32], std::size_t first,
                                   tile_registers<Width>& total) noexcept {
#pragma GCC unroll 16
    for (std::size_t k = 0; k < Steps; ++k) {
        const __m256i w[2] = {load_codes(weights + 64 * (first + k)), load_codes(weights + 64 * (first + k) + 32)};
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
            const __m256i x = broadcast_codes(codes[c] + 2 * (first + k));
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                const __m256i product = _mm256_madd_epi16(w[h], x);
                total[c][h] = k == 0 && !More ? product : _mm256_add_epi32(total[c][h], product);
                pin(total[c][h]);
            }
        }
    }
}

/// The integer sums of one part of a group.
template <class F, int Width>
NIBBLE_INLINE void multiply_part(const std::byte* weights, const activation_tile<F, Width>& x, std::size_t part,
                                 tile_registers<Width>& total) noexcept {
    constexpr int steps = 8 / static_cast<int>(F::parts), fit = fit_in_words(F::code_bits);
    if constexpr (needs_words<F>) {
        multiply_levels<2 * steps, Width>(weights, x.codes, part * 2 * steps, total);
    } else if constexpr (fit >= steps) {
        multiply_in_words<steps, Width>(weights, x.codes, part * steps, nullptr, total);
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) total[c][h] = _mm256_madd_epi16(total[c][h], _mm256_set1_epi16(1));
        }
    } else if constexpr (fit == 4) {
        // Two rounds; the first one waits in the L1 cache.
        alignas(32) std::int32_t first_round[Width][2][8];
        multiply_in_words<fit, Width>(weights, x.codes, 0, nullptr, total);
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                _mm256_store_si256(reinterpret_cast<__m256i*>(first_round[c][h]), _mm256_madd_epi16(total[c][h], _mm256_set1_epi16(1)));
            }
        }
        __asm__ volatile("" : : "r"(first_round) : "memory");  // a fence for an array that Clang would otherwise keep in registers, and spill
        multiply_in_words<fit, Width>(weights, x.codes, fit, nullptr, total);
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                total[c][h] = _mm256_add_epi32(_mm256_madd_epi16(total[c][h], _mm256_set1_epi16(1)),
                                               _mm256_load_si256(reinterpret_cast<const __m256i*>(first_round[c][h])));
            }
        }
    } else {
        multiply_in_doubles<steps, fit, Width>(weights, x.codes, part * steps, total);
    }
}

/// Adds the product of `groups` groups of scaled levels with a tile of float rows: sums stay in registers for a run.
template <class F, int Width>
NIBBLE_NOINLINE void multiply_scaled(const std::byte* weights, const activation_tile<F, Width>* x, std::size_t groups,
                                     tile_sums<Width>& sums) noexcept {
    for (std::size_t r = 0; r < groups; r += 8) {
        tile_registers<Width> total;
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) total[c][0] = total[c][1] = _mm256_setzero_si256();
#pragma GCC unroll 1
        for (std::size_t g = 0; g < 16; ++g) multiply_levels<8, Width, true>(weights + g / 2 * tile_group_bytes<F>, x[g / 2].codes, g % 2 * 8, total);
        const auto* unit = reinterpret_cast<const float*>(weights + tile_code_bytes<F>);
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
            const __m256 step = _mm256_broadcast_ss(&x->scales[c]);
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                const __m256 scale = _mm256_mul_ps(_mm256_load_ps(unit + 8 * h), step);
                _mm256_store_ps(sums[c] + 8 * h, _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[c][h]), scale, _mm256_load_ps(sums[c] + 8 * h)));
            }
        }
        weights += 8 * tile_group_bytes<F>;
        x += 8;
    }
}

/// Adds the product of `groups` groups of a panel, as tiles read them, with a tile of float rows.
template <class F, int Width>
NIBBLE_NOINLINE void multiply_tile(const std::byte* weights, const activation_tile<F, Width>* x, std::size_t groups,
                                   tile_sums<Width>& sums) noexcept {
    for (std::size_t g = 0; g < groups; ++g, weights += tile_group_bytes<F>, ++x) {
#pragma GCC unroll 1
        for (std::size_t part = 0; part < F::parts; ++part) {
            tile_registers<Width> total;
            multiply_part<F, Width>(weights, *x, part, total);
            const auto* scale = reinterpret_cast<const float*>(weights + tile_code_bytes<F>) + part * panel::rows;
            const auto* offset = scale + F::parts * panel::rows;
#pragma GCC unroll 6
            for (int c = 0; c < Width; ++c) {
                const __m256 step = _mm256_broadcast_ss(&x->scales[c]), code_sum = _mm256_broadcast_ss(&x->sums[part][c]);
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) {
                    const __m256 product = _mm256_cvtepi32_ps(total[c][h]), s = _mm256_load_ps(scale + 8 * h);
                    __m256 sum = _mm256_load_ps(sums[c] + 8 * h);
                    if constexpr (decoder<F>::zero == 128) {
                        sum = _mm256_fmadd_ps(product, _mm256_mul_ps(s, step), sum);
                    } else if constexpr (is_centered<F>) {
                        sum = _mm256_fmadd_ps(s, _mm256_fmadd_ps(product, step, code_sum), sum);
                    } else {
                        __m256 o = _mm256_load_ps(offset + 8 * h);
                        if constexpr (needs_words<F>) o = _mm256_fmadd_ps(s, _mm256_set1_ps(128.0f * level_unit<F>), o);
                        sum = _mm256_fmadd_ps(o, code_sum, sum);
                        sum = _mm256_fmadd_ps(product, _mm256_mul_ps(s, step), sum);
                    }
                    _mm256_store_ps(sums[c] + 8 * h, sum);
                }
            }
        }
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
