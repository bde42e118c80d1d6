// The inner loop of gemm with AVX-512 for many float rows: a run of sixteen packed rows times a tile of eight float rows, whose integer and
// float sums stay in registers. The run's codes come from the L1 cache; activations of a tile follow each other in memory.
#pragma once

#include "nibble/kernel/avx512/activation.hpp"
#include "nibble/kernel/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// A run of sixteen rows in wide form (kernel/panel.hpp): where codes and factors (scales, then offsets) of its first group are, and how far apart
/// groups are.
struct run_at_hand {
    const std::byte* codes;
    std::size_t code_stride;
    const float* factors;
    std::size_t factor_stride;
};

/// Whether scales are powers of two or zero.
template <class F>
inline constexpr bool has_powers = panels_of<F>.factors == factor_form::powers;

/// Sums times their scales. Powers of two are added to exponents, which takes no pipe from vpdpbusd as a product does.
template <bool Powers>
NIBBLE_INLINE __m512 times_scales(__m512 sums, __m512 scales) noexcept {
    if constexpr (Powers) return _mm512_scalef_ps(sums, _mm512_getexp_ps(scales));
    else return _mm512_mul_ps(sums, scales);
}

/// Adds the products of a run with a tile of `Count` float rows to their sums. The rows' chains of vpdpbusd are independent and take turns.
template <class F, int Count>
NIBBLE_INLINE void multiply_tile(run_at_hand w, block x, float (*sums)[panel::rows]) noexcept {
    constexpr int parts = static_cast<int>(F::parts), steps = 8 / parts;
    constexpr bool offsets = decoder<F>::zero < 0;
    const std::size_t part_stride = x.groups * x.width;
    __m512 total[Count];
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) total[c] = _mm512_load_ps(sums[c]);
#pragma GCC unroll 1
    for (int g = 0; g < 8; ++g) {
        __m512 product[Count];
#pragma GCC unroll 2
        for (int p = 0; p < parts; ++p) {
            const std::int32_t* start = x.sums + static_cast<std::size_t>(p) * part_stride;
            __m512i sum[Count];
#pragma GCC unroll 8
            for (int c = 0; c < Count; ++c) sum[c] = offsets ? _mm512_setzero_si512() : _mm512_set1_epi32(start[c]);
#pragma GCC unroll 8
            for (int k = p * steps; k < (p + 1) * steps; ++k) {
                const __m512i codes = _mm512_load_si512(w.codes + 64 * k);
#pragma GCC unroll 8
                for (int c = 0; c < Count; ++c) sum[c] = add_products(sum[c], codes, x.codes + 32 * c + 4 * k);
            }
            const float* factors = w.factors + p * static_cast<int>(panel::rows);
            const __m512 scale = _mm512_load_ps(factors);
#pragma GCC unroll 8
            for (int c = 0; c < Count; ++c) {
                const __m512 value = _mm512_cvtepi32_ps(sum[c]);
                product[c] = p == 0 ? times_scales<has_powers<F>>(value, scale) : _mm512_fmadd_ps(value, scale, product[c]);
            }
            if constexpr (offsets) {
                const __m512 offset = _mm512_load_ps(factors + parts * static_cast<int>(panel::rows));
#pragma GCC unroll 8
                for (int c = 0; c < Count; ++c) {
                    float code_sum;
                    __builtin_memcpy(&code_sum, start + c, 4);
                    total[c] = _mm512_fmadd_ps(offset, _mm512_set1_ps(code_sum), total[c]);
                }
            }
        }
#pragma GCC unroll 8
        for (int c = 0; c < Count; ++c) total[c] = _mm512_fmadd_ps(product[c], _mm512_set1_ps(x.scales[c]), total[c]);
        w.codes += w.code_stride;
        w.factors += w.factor_stride;
        x.codes += 32 * Count;
        x.sums += Count;
        x.scales += Count;
    }
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) _mm512_store_ps(sums[c], total[c]);
}

/// Calls multiply<Count>(tile, sums) for each tile of a wide block.
NIBBLE_INLINE void for_each_tile(block x, float (*sums)[panel::rows], auto&& multiply) noexcept {
    std::size_t left = x.width;
    const auto tile = [&]<int Count>() NIBBLE_LAMBDA_INLINE {
        multiply.template operator()<Count>(x, sums);
        x = x.after(Count);
        sums += Count;
        left -= Count;
    };
#pragma GCC unroll 1
    while (left >= widest_tile) tile.template operator()<widest_tile>();
    if (left >= 4) tile.template operator()<4>();
    if (left >= 2) tile.template operator()<2>();
    if (left != 0) tile.template operator()<1>();
}

/// Adds the products of a run of sixteen rows with all float rows of a wide block to `sums`.
template <class F>
NIBBLE_NOINLINE void multiply_tiles(run_at_hand weights, const block& x, float (*sums)[panel::rows]) noexcept {
    for_each_tile(x, sums,
                  [&]<int Count>(const block& tile, float (*to)[panel::rows]) NIBBLE_LAMBDA_INLINE { multiply_tile<F, Count>(weights, tile, to); });
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
