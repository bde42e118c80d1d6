// Panels with AVX-512 (kernel/panel.hpp): unpacked from any decoder, and multiplied with blocks of activations.
//
// A register holds four columns of sixteen rows, so that a broadcast of four activations meets sixteen rows in one vpdpbusd; the broadcast
// is a memory operand, and no shuffle and no horizontal sum is left in the loop. With a narrow block the eight registers of a group of 32
// columns stay where they are while all float rows pass by, and float sums live in the L1 cache; with a wide one, tiles of float rows keep
// their sums in registers (tile.hpp).
#pragma once

#include "nibble/kernel/avx512/packed_rows.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// Adds the products of one group with `Count` float rows to their sums. The rows' chains of vpdpbusd are independent and take turns.
template <std::size_t Parts, bool Offsets, bool Powers, int Count>
NIBBLE_INLINE void multiply_group(const __m512i (&w)[8], const __m512 (&scale)[Parts], const __m512 (&offset)[Parts], const block& x,
                                  std::size_t first, float (*sums)[panel::rows]) noexcept {
    constexpr int steps = 8 / static_cast<int>(Parts);
    const std::size_t part_stride = x.groups * x.width;
    const std::int8_t* codes = x.codes + 32 * first;
    __m512 total[Count];
#pragma GCC unroll 2
    for (int p = 0; p < static_cast<int>(Parts); ++p) {
        const std::int32_t* start = x.sums + static_cast<std::size_t>(p) * part_stride + first;
        __m512i sum[Count];
#pragma GCC unroll 4
        for (int c = 0; c < Count; ++c) sum[c] = Offsets ? _mm512_setzero_si512() : _mm512_set1_epi32(start[c]);
#pragma GCC unroll 8
        for (int k = p * steps; k < (p + 1) * steps; ++k) {
#pragma GCC unroll 4
            for (int c = 0; c < Count; ++c) sum[c] = add_products(sum[c], w[k], codes + 32 * c + 4 * k);
        }
#pragma GCC unroll 4
        for (int c = 0; c < Count; ++c) {
            const __m512 product = _mm512_cvtepi32_ps(sum[c]);
            total[c] = p == 0 ? times_scales<Powers>(product, scale[0]) : _mm512_fmadd_ps(product, scale[p], total[c]);
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) {
        float* to = sums[first + static_cast<std::size_t>(c)];
        __m512 all = _mm512_load_ps(to);
        if constexpr (Offsets) {
#pragma GCC unroll 2
            for (std::size_t p = 0; p < Parts; ++p) {
                float sum;
                __builtin_memcpy(&sum, x.sums + p * part_stride + first + static_cast<std::size_t>(c), 4);
                all = _mm512_fmadd_ps(offset[p], _mm512_set1_ps(sum), all);
            }
        }
        _mm512_store_ps(to, _mm512_fmadd_ps(total[c], _mm512_set1_ps(x.scales[first + static_cast<std::size_t>(c)]), all));
    }
}

/// Adds the products of a run of sixteen rows with all float rows of a narrow block to `sums`.
/// @param group group(g, codes, scales, offsets) loads group g
template <std::size_t Parts, bool Offsets, bool Powers, class Group>
NIBBLE_INLINE void multiply_groups(Group&& group, block x, float (*sums)[panel::rows]) noexcept {
    for (std::size_t g = 0; g < panel::groups; ++g) {
        __m512i w[8];
        __m512 s[Parts], o[Parts];
        group(g, w, s, o);
        std::size_t c = 0;
#pragma GCC unroll 1
        for (; c + 4 <= x.width; c += 4) multiply_group<Parts, Offsets, Powers, 4>(w, s, o, x, c, sums);
#pragma GCC unroll 1
        for (; c < x.width; ++c) multiply_group<Parts, Offsets, Powers, 1>(w, s, o, x, c, sums);
        x.scales += x.width;
        x.sums += x.width;
        x.codes += 32 * x.width;
    }
}
/// The same for an unpacked run.
template <std::size_t Parts, bool Offsets, bool Powers>
NIBBLE_NOINLINE void multiply_unpacked(run_at_hand from, const block& x, float (*sums)[panel::rows]) noexcept {
    multiply_groups<Parts, Offsets, Powers>(
        [&](std::size_t g, __m512i (&w)[8], __m512 (&s)[Parts], __m512 (&o)[Parts]) NIBBLE_LAMBDA_INLINE {
#pragma GCC unroll 8
            for (int k = 0; k < 8; ++k) w[k] = _mm512_load_si512(from.codes + g * from.code_stride + 64 * k);
            const float* factors = from.factors + g * from.factor_stride;
#pragma GCC unroll 2
            for (std::size_t p = 0; p < Parts; ++p) {
                s[p] = _mm512_load_ps(factors + p * panel::rows);
                o[p] = Offsets ? _mm512_load_ps(factors + (Parts + p) * panel::rows) : s[p];
            }
        },
        x, sums);
}
/// The same for a run of a panel.
template <class F>
NIBBLE_NOINLINE void multiply_run(const std::byte* run, const block& x, float (*sums)[panel::rows]) noexcept {
    using order = panel::order<F>;
    constexpr std::size_t parts = F::parts;
    multiply_groups<parts, adds_offsets<F>, has_powers<F>>(
        [&](std::size_t g, __m512i (&w)[8], __m512 (&s)[parts], __m512 (&o)[parts]) NIBBLE_LAMBDA_INLINE {
            avx2::fetch_ahead<F>(run, g);
            load_panel_codes<F>(run + g * order::group_bytes, w);
#pragma GCC unroll 2
            for (std::size_t p = 0; p < parts; ++p) {
                s[p] = _mm512_mul_ps(panel_factors<F>(run, 0, g, p), panel_units<F>(run, 0));
                o[p] = adds_offsets<F> ? _mm512_mul_ps(panel_factors<F>(run, 1, g, p), panel_units<F>(run, 1)) : s[p];
            }
        },
        x, sums);
}

/// Products of sixteen rows with 1 to 4 float rows, whose sums stay in registers. A single row has two chains of sums, one for upper codes.
template <class F, int Count>
NIBBLE_NOINLINE void multiply_panel(const std::byte* panel, std::size_t runs, block x, float (*sums)[panel::rows]) noexcept {
    using order = panel::order<F>;
    constexpr std::size_t parts = F::parts;
    constexpr int steps = 8 / static_cast<int>(parts), chains = Count == 1 ? 2 : 1;
    constexpr bool upper = Count == 1 && has_upper_codes<F>;
    const std::size_t part_stride = x.groups * Count;
    __m512 total[Count];
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) total[c] = _mm512_setzero_ps();
    for (std::size_t i = 0; i < runs; ++i, panel += order::run_bytes) {
        __m512 scaled[Count], shifted[Count];  // in units of scales and of offsets
#pragma GCC unroll 4
        for (int c = 0; c < Count; ++c) scaled[c] = shifted[c] = _mm512_setzero_ps();
#pragma GCC unroll 1
        for (std::size_t g = 0; g < panel::groups; ++g) {
            __m512i w[8];
            avx2::fetch_ahead<F, Count == 1>(panel, g);
            if constexpr (upper) load_upper_codes<F>(panel + g * order::group_bytes, w);
            else load_panel_codes<F>(panel + g * order::group_bytes, w);
#pragma GCC unroll 2
            for (int p = 0; p < static_cast<int>(parts); ++p) {
                const std::int32_t* start = x.sums + static_cast<std::size_t>(p) * part_stride;
                __m512i sum[Count][2];
#pragma GCC unroll 4
                for (int c = 0; c < Count; ++c) {
                    sum[c][0] = adds_offsets<F> ? _mm512_setzero_si512() : _mm512_set1_epi32(start[c]);
                    if constexpr (chains == 2) sum[c][1] = _mm512_setzero_si512();
                }
#pragma GCC unroll 8
                for (int k = p * steps; k < (p + 1) * steps; ++k) {
#pragma GCC unroll 4
                    for (int c = 0; c < Count; ++c) {
                        auto& to = sum[c][upper ? k / 4 : k % chains];
                        to = add_products(to, w[k], x.codes + 32 * c + 4 * k);
                    }
                }
                const __m512 scale = panel_factors<F>(panel, 0, g, static_cast<std::size_t>(p));
#pragma GCC unroll 4
                for (int c = 0; c < Count; ++c) {
                    if constexpr (upper) sum[c][0] = _mm512_slli_epi32(sum[c][0], 4);
                    const __m512i all = chains == 2 ? _mm512_add_epi32(sum[c][0], sum[c][1]) : sum[c][0];
                    scaled[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), _mm512_mul_ps(scale, _mm512_set1_ps(x.scales[c])), scaled[c]);
                }
                if constexpr (adds_offsets<F>) {
                    const __m512 offset = panel_factors<F>(panel, 1, g, static_cast<std::size_t>(p));
#pragma GCC unroll 4
                    for (int c = 0; c < Count; ++c) {
                        float code_sum;
                        __builtin_memcpy(&code_sum, start + c, 4);
                        shifted[c] = _mm512_fmadd_ps(offset, _mm512_set1_ps(code_sum), shifted[c]);
                    }
                }
            }
            x.scales += Count;
            x.sums += Count;
            x.codes += 32 * Count;
        }
        const __m512 unit = _mm512_mul_ps(panel_units<F>(panel, 0), _mm512_set1_ps(upper ? 1.0f / 16 : 1.0f));
#pragma GCC unroll 4
        for (int c = 0; c < Count; ++c) {
            total[c] = _mm512_fmadd_ps(scaled[c], unit, total[c]);
            if constexpr (adds_offsets<F>) total[c] = _mm512_fmadd_ps(shifted[c], panel_units<F>(panel, 1), total[c]);
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) _mm512_store_ps(sums[c], total[c]);
}

/// Stores the sums of `rows` rows.
NIBBLE_INLINE void store_sums(const float (*sums)[panel::rows], std::size_t width, std::size_t rows, float* y, std::size_t stride) noexcept {
    const auto mask = static_cast<__mmask16>((1u << rows) - 1);
    for (std::size_t c = 0; c < width; ++c) _mm512_mask_storeu_ps(y + c * stride, mask, _mm512_load_ps(sums[c]));
}

}  // namespace avx512

template <affine_format F>
struct kernel<op::panel_linear, F, isa::avx512> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        constexpr std::size_t size = panel::order<F>::run_bytes;
        const std::size_t runs = avx512::runs_of(cols);
        alignas(64) float sums[avx512::widest][panel::rows];
        for (std::size_t i = 0; i < count; i += avx512::width_for(count)) {
            const avx512::block all = avx512::block_at<F::parts>(workspace, i, count, cols);
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t here = rows - r < panel::rows ? rows - r : panel::rows;
                const std::byte* panel = panels + r / panel::rows * runs * size;
                if (all.width <= 4) {
                    multiply_few(panel, runs, all, sums);
                } else {
                    __builtin_memset(sums, 0, all.width * sizeof sums[0]);
                    avx512::block x = all;
                    for (std::size_t k = 0; k < runs; ++k, x = x.after(x.width)) {
                        if (x.wide()) multiply_wide(panel + k * size, x, sums);
                        else avx512::multiply_run<F>(panel + k * size, x, sums);
                    }
                }
                avx512::store_sums(sums, all.width, here, y + i * stride + r, stride);
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&avx512::block_activation<F>::workspace, &avx512::block_activation<F>::prepare, &run};

private:
    NIBBLE_INLINE static void multiply_few(const std::byte* panel, std::size_t runs, avx512::block x, float (*sums)[panel::rows]) noexcept {
        switch (x.width) {
            case 1: avx512::multiply_panel<F, 1>(panel, runs, x, sums); break;
            case 2: avx512::multiply_panel<F, 2>(panel, runs, x, sums); break;
            case 3: avx512::multiply_panel<F, 3>(panel, runs, x, sums); break;
            default: avx512::multiply_panel<F, 4>(panel, runs, x, sums); break;
        }
    }
    static void multiply_wide(const std::byte* run, const avx512::block& x, float (*sums)[panel::rows]) noexcept {
        if constexpr (avx512::stays_integer<F>) {
            avx512::integer_run<F> unpacked;
            avx512::unpack(run, unpacked);
            avx512::multiply_integers(unpacked, x, sums);
        } else {
            constexpr std::size_t size = panel::wide_group_bytes(F::parts);
            alignas(64) std::byte wide[panel::wide_run_bytes<F>];
            avx512::widen_run<F>(run, wide);
            avx512::multiply_tiles<F>({wide, size, reinterpret_cast<const float*>(wide + panel::wide_code_bytes), size / sizeof(float)}, x, sums);
        }
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
