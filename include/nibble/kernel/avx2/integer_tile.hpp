// The inner loop of gemm with AVX2 for super-blocks whose sub-scales are integers: sums stay integers for 256 columns. A sub-scale is what
// 16-bit sums are widened with, so it costs nothing; scales, offsets and conversions are left for the end of a run.
#pragma once

#include "nibble/kernel/avx2/tile.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// A run of sixteen rows as integer tiles read it.
template <class F>
struct integer_panel {
    static constexpr int parts = static_cast<int>(F::parts), pairs = decoder<F>::zero < 0 ? 4 * parts : 0;

    alignas(64) std::uint8_t codes[8][8][2][32];        ///< [group][column / 4][half of the rows][row][column % 4]
    std::int32_t sub_scales[8][parts][2][8];            ///< twice the same 16 bits
    std::int32_t sub_offsets[pairs == 0 ? 1 : pairs][2][8];  ///< two of 16 bits, as the sums of integer_tile
    float scales[2][8], offsets[2][8];                  ///< units
};

NIBBLE_INLINE __m256i load_doubles(const std::int32_t* from) noexcept { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }

/// The integer sums of a run, for float rows First .. First + Count - 1 of a tile, in registers: products of Length steps are widened
/// together, and meet their sub-scales there.
template <class F, int Width, int First, int Count, int Length>
NIBBLE_INLINE void multiply_run(const integer_panel<F>& weights, const integer_tile<F, Width>& x, tile_registers<Count>& total) noexcept {
    using tile = integer_tile<F, Width>;
    constexpr int starts = 8 / Length;
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) total[c][0] = total[c][1] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (std::size_t g = 0; g < 8; ++g) {
#pragma GCC unroll 4
        for (int s = 0; s < starts; ++s) {
            [[maybe_unused]] const std::int32_t* start = x.template start_of<Length>(g, s);
            tile_registers<Count> some;
#pragma GCC unroll 4
            for (int k = 0; k < Length; ++k) {
                const int at = s * Length + k;
                __m256i w[2];
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) w[h] = load_codes(reinterpret_cast<const std::byte*>(weights.codes[g][at][h]));
#pragma GCC unroll 4
                for (int c = 0; c < Count; ++c) {
                    const __m256i codes = broadcast_codes(x.codes[g][First + c] + 4 * at);
#pragma GCC unroll 2
                    for (int h = 0; h < 2; ++h) {
                        const __m256i product = _mm256_maddubs_epi16(w[h], codes);
                        if (k != 0) some[c][h] = _mm256_add_epi16(some[c][h], product);
                        else if constexpr (tile::centered) some[c][h] = _mm256_add_epi16(product, _mm256_set1_epi32(start[First + c]));
                        else some[c][h] = product;
                        pin(some[c][h]);
                    }
                }
            }
#pragma GCC unroll 4
            for (int c = 0; c < Count; ++c) {
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) {
                    const __m256i sub_scale = load_doubles(weights.sub_scales[g][s * static_cast<int>(F::parts) / starts][h]);
                    total[c][h] = _mm256_add_epi32(total[c][h], _mm256_madd_epi16(some[c][h], sub_scale));
                    pin(total[c][h]);
                }
            }
        }
    }
}

/// The same where all products of a group fit in 16 bits: six float rows at once, whose 16-bit sums take the registers; the others wait in
/// the L1 cache.
template <class F, int Width>
NIBBLE_NOINLINE void multiply_run(const integer_panel<F>& weights, const integer_tile<F, Width>& x, std::int32_t (&total)[Width][2][8]) noexcept {
    const auto add_group = [&]<bool First>(std::size_t g) NIBBLE_LAMBDA_INLINE {
        tile_registers<Width> some;
        multiply_in_words<8, Width>(reinterpret_cast<const std::byte*>(weights.codes[g]), x.codes[g], 0,
                                    integer_tile<F, Width>::centered ? x.template start_of<8>(g, 0) : nullptr, some);
#pragma GCC unroll 6
        for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) {
                __m256i scaled = _mm256_madd_epi16(some[c][h], load_doubles(weights.sub_scales[g][0][h]));
                if constexpr (!First) scaled = _mm256_add_epi32(scaled, load_doubles(total[c][h]));
                _mm256_store_si256(reinterpret_cast<__m256i*>(total[c][h]), scaled);
            }
        }
    };
    add_group.template operator()<true>(0);
#pragma GCC unroll 1
    for (std::size_t g = 1; g < 8; ++g) add_group.template operator()<false>(g);
    fence();
}

/// The same where all groups have one scale: sums stay in 16 bits, and in registers, for the whole run.
template <class F, int Width>
NIBBLE_INLINE void multiply_run(const integer_panel<F>& weights, const integer_tile<F, Width>& x, tile_registers<Width>& total) noexcept {
#pragma GCC unroll 6
    for (int c = 0; c < Width; ++c) total[c][0] = total[c][1] = _mm256_set1_epi32(x.start[0][0][c]);
#pragma GCC unroll 1
    for (std::size_t g = 0; g < 8; ++g) {
        multiply_in_words<8, Width, true>(reinterpret_cast<const std::byte*>(weights.codes[g]), x.codes[g], 0, nullptr, total);
    }
#pragma GCC unroll 6
    for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h) total[c][h] = _mm256_madd_epi16(total[c][h], load_doubles(weights.sub_scales[0][0][h]));
    }
}

/// sums += a run with its scales, for half of a panel and one float row.
template <class F, int Width>
NIBBLE_INLINE void add_scaled(float* sums, __m256i total, const integer_panel<F>& weights, const integer_tile<F, Width>& x, int c, int h) noexcept {
    using tile = integer_tile<F, Width>;
    const __m256 step = _mm256_broadcast_ss(&x.scales[c]);
    __m256 sum = _mm256_load_ps(sums);
    if constexpr (!tile::centered) {
        __m256i offset = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (int i = 0; i < tile::pairs; ++i) {
            offset = _mm256_add_epi32(offset, _mm256_madd_epi16(load_doubles(weights.sub_offsets[i][h]), _mm256_set1_epi32(x.sums[i][c])));
        }
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(offset), _mm256_mul_ps(_mm256_load_ps(weights.offsets[h]), step), sum);
    }
    _mm256_store_ps(sums, _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), _mm256_mul_ps(_mm256_load_ps(weights.scales[h]), step), sum));
}

/// Adds the product of `runs` runs of a panel with a tile of float rows.
template <class F, int Width>
NIBBLE_NOINLINE void multiply_tile(const integer_panel<F>* weights, const integer_tile<F, Width>* x, std::size_t runs,
                                   tile_sums<Width>& sums) noexcept {
    for (std::size_t r = 0; r < runs; ++r, ++weights, ++x) {
        const auto some = [&]<int First, int Count, int Length>() NIBBLE_LAMBDA_INLINE {
            tile_registers<Count> total;
            multiply_run<F, Width, First, Count, Length>(*weights, *x, total);
#pragma GCC unroll 4
            for (int c = 0; c < Count; ++c) {
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) add_scaled<F, Width>(sums[First + c] + 8 * h, total[c][h], *weights, *x, First + c, h);
            }
        };
        const auto with_sums_of = [&]<int Length>() NIBBLE_LAMBDA_INLINE {
            if constexpr (Length == 8) {
                alignas(32) std::int32_t total[Width][2][8];
                multiply_run<F, Width>(*weights, *x, total);
#pragma GCC unroll 1
                for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
                    for (int h = 0; h < 2; ++h) add_scaled<F, Width>(sums[c] + 8 * h, load_doubles(total[c][h]), *weights, *x, c, h);
                }
            } else if constexpr (Width == wide_tile) {
                some.template operator()<0, 3, Length>();
                some.template operator()<3, 3, Length>();
            } else {
                some.template operator()<0, Width, Length>();
            }
        };
        if constexpr (integer_tile<F, Width>::one_scale) {
            tile_registers<Width> total;
            multiply_run<F, Width>(*weights, *x, total);
#pragma GCC unroll 6
            for (int c = 0; c < Width; ++c) {
#pragma GCC unroll 2
                for (int h = 0; h < 2; ++h) add_scaled<F, Width>(sums[c] + 8 * h, total[c][h], *weights, *x, c, h);
            }
        } else if (integer_tile<F, Width>::long_starts == 0 || !x->fits()) {
            with_sums_of.template operator()<steps_together<F>>();
        } else {
            with_sums_of.template operator()<steps_mostly<F>>();
        }
    }
}

/// What scales are multiples of their unit.
NIBBLE_INLINE __m256i multiples_of(__m256 scales, float unit) noexcept {
    return _mm256_cvtps_epi32(_mm256_mul_ps(scales, _mm256_set1_ps(unit == 0.0f ? 0.0f : 1.0f / unit)));
}
/// Lanes of two words, from the lower halves of lanes.
NIBBLE_INLINE __m256i two_words(__m256i first, __m256i second) noexcept {
    return _mm256_or_si256(_mm256_and_si256(first, _mm256_set1_epi32(0xFFFF)), _mm256_slli_epi32(second, 16));
}

/// Eight rows of a run, of which only the first `rows` exist: the units of the others are zero.
template <class F>
NIBBLE_INLINE void fill_half(const std::byte* const (&runs)[8], std::size_t rows, std::size_t half, integer_panel<F>& out) noexcept {
    constexpr int parts = static_cast<int>(F::parts);
    constexpr bool has_offsets = decoder<F>::zero < 0;
    alignas(32) std::int32_t scales[parts][8][8], offsets[parts][8][8];  // [part][row][group]
    for (std::size_t r = 0; r < 8; ++r) {
        run_units units = decoder<F>::units(runs[r]);
        const run_scales<F::parts> found = decoder<F>::scales(runs[r]);
#pragma GCC unroll 2
        for (int part = 0; part < parts; ++part) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(scales[part][r]), multiples_of(found.scale[part], units.scale));
            if constexpr (has_offsets)
                _mm256_store_si256(reinterpret_cast<__m256i*>(offsets[part][r]), multiples_of(found.offset[part], units.offset));
        }
        out.scales[half][r] = r < rows ? units.scale : 0.0f;
        out.offsets[half][r] = r < rows ? units.offset : 0.0f;
    }
    const auto store = [](std::int32_t* to, __m256i v) NIBBLE_LAMBDA_INLINE { _mm256_store_si256(reinterpret_cast<__m256i*>(to), v); };
#pragma GCC unroll 2
    for (int part = 0; part < parts; ++part) {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return load_doubles(scales[part][r]); },
                     [&](std::size_t g, __m256i v) NIBBLE_LAMBDA_INLINE { store(out.sub_scales[g][part][half], two_words(v, v)); });
    }
    if constexpr (has_offsets) {
        __m256i groups[parts][8];
#pragma GCC unroll 2
        for (int part = 0; part < parts; ++part) {
            transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return load_doubles(offsets[part][r]); },
                         [&](std::size_t g, __m256i v) NIBBLE_LAMBDA_INLINE { groups[part][g] = v; });
        }
#pragma GCC unroll 8
        for (int i = 0; i < 4 * parts; ++i) {
            store(out.sub_offsets[i][half],
                  parts == 2 ? two_words(groups[0][i], groups[parts - 1][i]) : two_words(groups[0][2 * i % 8], groups[0][(2 * i + 1) % 8]));
        }
    }
    for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
        transpose_to([&](std::size_t r) NIBBLE_LAMBDA_INLINE { return decoder<F>::template codes<Group>(runs[r]); },
                     [&](std::size_t k, __m256i v) NIBBLE_LAMBDA_INLINE {
                         _mm256_store_si256(reinterpret_cast<__m256i*>(out.codes[Group][k][half]), v);
                     });
    });
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
