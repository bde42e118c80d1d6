// The inner loop of gemm with AVX-512 for many float rows and super-blocks whose sub-scales are integers: sums stay integers for 256 columns.
// vpdpbusd shares its two pipes with all multiplications, of integers and of floats, so that these are what is saved: sub-scales are in the codes
// where their products fit in bytes; else vpdpwssd multiplies two sums with their sub-scales at once, provided that these sums fit in 16 bits, which
// is looked at afterwards. Offsets meet sums of activations in the same way; these always fit.
#pragma once

#include "nibble/kernel/avx512/panel_codes.hpp"
#include "nibble/kernel/avx512/tile.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

// No sum of integers can be too large for 32 bits.
static_assert(std::int64_t{255} * 128 * 128 * run_size < std::int64_t{1} << 31, "levels times activations times multiples");
static_assert(32 * 128 < 32768, "sums of activations beside offsets");

/// Sixteen rows by 256 columns.
template <class F>
struct alignas(64) integer_run {
    static constexpr bool has_offsets = decoder<F>::zero < 0;
    static constexpr std::size_t pairs = 4 * F::parts;  ///< of parts: the two of a group, or those of two groups

    std::byte codes[panel::groups][panel::wide_code_bytes];  ///< [quad][row][column % 4], or their products with sub-scales
    std::int32_t sub_scales[scales_codes<F> ? 1 : pairs][panel::rows];  ///< two of 16 bits
    std::int32_t sub_offsets[has_offsets ? pairs : 1][panel::rows];     ///< the same
    float scale[panel::rows], offset[panel::rows];                      ///< units
};

/// Lanes of two words, from the lower halves of lanes.
NIBBLE_INLINE __m512i two_words(__m512i first, __m512i second) noexcept {
    return _mm512_mask_blend_epi16(0xAAAAAAAA, first, _mm512_slli_epi32(second, 16));
}

/// The codes of group g times their multiples, where integer_run has products.
/// @param multiples multiples(g, p) gives those of sixteen scales, part p of group g
template <class F>
NIBBLE_INLINE void scale_codes(auto&& multiples, std::size_t g, __m512i (&w)[8]) noexcept {
    constexpr scaled_form form = scaled_form_of<F>;
    constexpr std::size_t steps = 8 / F::parts;
#pragma GCC unroll 2
    for (std::size_t p = 0; p < F::parts; ++p) {
        const __m512i multiple = multiples(g, p), twice = two_words(multiple, multiple);
        const auto products = [&](__m512i codes) NIBBLE_LAMBDA_INLINE {
            const __m512i levels = _mm512_sub_epi16(codes, _mm512_set1_epi16(integer_run<F>::has_offsets ? 0 : panels_of<F>.zero));
            const __m512i sum = _mm512_add_epi16(_mm512_mullo_epi16(levels, twice), _mm512_set1_epi16(form.bias));
            return form.step == 2 ? _mm512_srli_epi16(sum, 1) : sum;
        };
#pragma GCC unroll 8
        for (std::size_t k = p * steps; k < (p + 1) * steps; ++k) {
            const __m512i even = products(_mm512_and_si512(w[k], _mm512_set1_epi16(0xFF))), odd = products(_mm512_srli_epi16(w[k], 8));
            w[k] = _mm512_or_si512(even, _mm512_slli_epi16(odd, 8));
        }
    }
}

/// Stores units, and those multiples that are not in the codes.
/// @param multiples multiples(kind) are those of scales (kind 0) or offsets (kind 1)
template <class F>
NIBBLE_INLINE void store_factors(auto&& multiples, __m512 scale, __m512 offset, integer_run<F>& out) noexcept {
    const auto store_pairs = [](auto&& some, std::int32_t (*to)[panel::rows]) NIBBLE_LAMBDA_INLINE {
        constexpr bool two_parts = F::parts == 2;
        for (std::size_t i = 0; i < integer_run<F>::pairs; ++i) {
            _mm512_store_si512(to[i], two_parts ? two_words(some(i, 0), some(i, 1)) : two_words(some(2 * i, 0), some(2 * i + 1, 0)));
        }
    };
    if constexpr (!scales_codes<F>) store_pairs(multiples(0), out.sub_scales);
    if constexpr (integer_run<F>::has_offsets) store_pairs(multiples(1), out.sub_offsets);
    _mm512_store_ps(out.scale, scales_codes<F> ? _mm512_mul_ps(scale, _mm512_set1_ps(static_cast<float>(scaled_form_of<F>.step))) : scale);
    _mm512_store_ps(out.offset, offset);
}

/// Unpacks a run of a panel.
template <class F>
NIBBLE_NOINLINE void unpack(const std::byte* run, integer_run<F>& out) noexcept {
    using order = panel::order<F>;
    const auto multiples = [run](std::size_t kind) NIBBLE_LAMBDA_INLINE {
        return [run, kind](std::size_t g, std::size_t p) NIBBLE_LAMBDA_INLINE {
            return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(run + order::factor_at(kind, g, p))));
        };
    };
    for (std::size_t g = 0; g < panel::groups; ++g) {
        __m512i w[8];
        avx2::fetch_ahead<F>(run, g);
        load_panel_codes<F>(run + g * order::group_bytes, w);
        if constexpr (scales_codes<F>) scale_codes<F>(multiples(0), g, w);
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) _mm512_store_si512(out.codes[g] + 64 * k, w[k]);
    }
    store_factors(multiples, panel_units<F>(run, 0), panel_units<F>(run, order::has_offsets ? 1 : 0), out);
}

/// Adds the products of `Steps` quads of sixteen rows with those of a tile of `Count` float rows. The rows' chains of vpdpbusd are independent and
/// take turns.
template <int Steps, int Count>
NIBBLE_INLINE void add_quads(const std::byte* w, const std::int8_t* x, __m512i (&sum)[Count]) noexcept {
#pragma GCC unroll 8
    for (int k = 0; k < Steps; ++k) {
        const __m512i codes = _mm512_load_si512(w + 64 * k);
#pragma GCC unroll 8
        for (int c = 0; c < Count; ++c) sum[c] = add_products(sum[c], codes, x + 32 * c + 4 * k);
    }
}

/// Adds the products of pair i of a run with float rows `First` .. First + Some - 1 of a tile to their integer sums.
/// @tparam Words    takes sums of sub-scales that fit in 16 bits
/// @param  outside  has a bit beyond the lower 16 if one did not
template <class F, bool Words, int First, int Some, int Count>
NIBBLE_INLINE void add_pair(const integer_run<F>& w, const block& x, std::size_t i, __m512i (&total)[Count], __m512i& outside) noexcept {
    constexpr int parts = static_cast<int>(F::parts), steps = 8 / parts, row_step = parts == 2 ? 4 * steps : 32 * Count;
    constexpr bool from_zero = integer_run<F>::has_offsets, biased = tries_words<F>;
    constexpr bool in_turns = Words && parts == 1;  // twice as many chains of sums; shorter ones overlap anyway
    const std::size_t start_step = parts == 2 ? x.groups * x.width : Count;
    const __m512i pair = _mm512_load_si512(w.sub_scales[i]);
    __m512i sum[2][Some];
    const std::byte* from = w.codes[i * (2 / parts)];
    const std::int8_t* codes = x.codes + i * (2 / parts) * 32 * Count + 32 * First;
    if constexpr (in_turns) __asm__ volatile("" : "+r"(from));  // compilers would keep the codes for other float rows and spill sums instead
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
        const std::int32_t* start = x.sums + i * (2 / parts) * Count + h * start_step + First;
#pragma GCC unroll 8
        for (int c = 0; c < Some; ++c) sum[h][c] = _mm512_set1_epi32(from_zero ? (biased ? word_bias : 0) : start[c]);
        if constexpr (!in_turns) add_quads<steps>(from + 64 * steps * h, codes + h * row_step, sum[h]);
        if constexpr (Words) continue;
        const __m512i sub_scale = _mm512_srai_epi32(h == 0 ? _mm512_slli_epi32(pair, 16) : pair, 16);
#pragma GCC unroll 8
        for (int c = 0; c < Some; ++c) {
            if constexpr (biased) sum[h][c] = _mm512_sub_epi32(sum[h][c], _mm512_set1_epi32(word_bias));
            total[First + c] = _mm512_add_epi32(total[First + c], _mm512_mullo_epi32(sum[h][c], sub_scale));
        }
    }
    if constexpr (in_turns) {
#pragma GCC unroll 8
        for (int k = 0; k < steps; ++k) {
#pragma GCC unroll 2
            for (int h = 0; h < 2; ++h) add_quads<1>(from + 64 * (steps * h + k), codes + h * row_step + 4 * k, sum[h]);
        }
    }
    if constexpr (Words) {
#pragma GCC unroll 8
        for (int c = 0; c < Some; ++c) {
            outside = _mm512_ternarylogic_epi32(outside, sum[0][c], sum[1][c], 0xFE);  // or
            // Additions, because logic of three operands takes turns from vpdpbusd.
            const __m512i biased_words = _mm512_add_epi32(sum[0][c], _mm512_slli_epi32(sum[1][c], 16));
            const __m512i words = _mm512_add_epi16(biased_words, _mm512_set1_epi16(-word_bias));
            total[First + c] = add_word_products(total[First + c], words, pair);
        }
    }
}

/// Adds the products of a run with a tile to their integer sums, in units of scales. With words four float rows at a time, so that what follows their
/// vpdpbusd is done beside those of the other four.
/// @return whether all sums of sub-scales fit; else `total` is wrong
template <class F, bool Words, int Count>
NIBBLE_INLINE bool add_run(const integer_run<F>& w, const block& x, __m512i (&total)[Count]) noexcept {
    __m512i outside = _mm512_setzero_si512();
#pragma GCC unroll 1
    for (std::size_t i = 0; i < integer_run<F>::pairs; ++i) {
        if constexpr (Words && Count == 8) {
            add_pair<F, Words, 0, 4>(w, x, i, total, outside);
            add_pair<F, Words, 4, 4>(w, x, i, total, outside);
        } else {
            add_pair<F, Words, 0, Count>(w, x, i, total, outside);
        }
    }
    return _mm512_test_epi32_mask(outside, _mm512_set1_epi32(-65536)) == 0;
}

/// What the bias of scaled codes adds to the sums of a tile: sums of activations come times minus the zero. All numbers here are below 2^24 halves.
template <class F, int Count>
NIBBLE_INLINE void bias_of(const block& x, float (&bias)[panel::rows]) noexcept {
    constexpr scaled_form form = scaled_form_of<F>;
    const auto columns = static_cast<__mmask16>((1u << Count) - 1);
    __m512i all = _mm512_setzero_si512();
    for (std::size_t p = 0; p < F::parts; ++p) {
#pragma GCC unroll 8
        for (std::size_t g = 0; g < panel::groups; ++g) {
            all = _mm512_add_epi32(all, _mm512_maskz_loadu_epi32(columns, x.sums + p * x.groups * x.width + g * Count));
        }
    }
    constexpr float of_zero = static_cast<float>(form.bias) / static_cast<float>(form.step * panels_of<F>.zero);
    _mm512_store_ps(bias, _mm512_mul_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(of_zero)));
}

/// Adds the products of a run with a tile to their sums.
/// @return whether it did
template <class F, bool Words, int Count>
NIBBLE_INLINE bool add_tile(const integer_run<F>& w, const block& x, float (*sums)[panel::rows]) noexcept {
    __m512i total[Count];
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) total[c] = _mm512_setzero_si512();
    alignas(64) float bias[panel::rows];
    if constexpr (scales_codes<F>) {
#pragma GCC unroll 1
        for (std::size_t g = 0; g < panel::groups; ++g) add_quads<8>(w.codes[g], x.codes + 32 * g * Count, total);
        if constexpr (!integer_run<F>::has_offsets) bias_of<F, Count>(x, bias);
    } else {
        if (!add_run<F, Words>(w, x, total)) return false;
    }
    __m512i shifted[Count];
    if constexpr (integer_run<F>::has_offsets) {
#pragma GCC unroll 8
        for (int c = 0; c < Count; ++c) shifted[c] = _mm512_setzero_si512();
#pragma GCC unroll 8
        for (std::size_t i = 0; i < integer_run<F>::pairs; ++i) {
            const __m512i pair = _mm512_load_si512(w.sub_offsets[i]);
#pragma GCC unroll 8
            for (int c = 0; c < Count; ++c) shifted[c] = add_word_products(shifted[c], pair, x.sums + i * Count + static_cast<std::size_t>(c));
        }
    }
    const __m512 scale = _mm512_load_ps(w.scale), offset = _mm512_load_ps(w.offset);
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) {
        __m512 value = _mm512_cvtepi32_ps(total[c]);
        if constexpr (scales_codes<F> && !integer_run<F>::has_offsets) value = _mm512_add_ps(value, _mm512_set1_ps(bias[c]));
        value = _mm512_mul_ps(value, scale);
        if constexpr (integer_run<F>::has_offsets) value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(shifted[c]), offset, value);
        _mm512_store_ps(sums[c], _mm512_fmadd_ps(value, _mm512_set1_ps(x.scales[c]), _mm512_load_ps(sums[c])));
    }
    return true;
}

/// The same, where a sum did not fit in 16 bits.
template <class F, int Count>
NIBBLE_NOINLINE void add_large_tile(const integer_run<F>& w, const block& x, float (*sums)[panel::rows]) noexcept {
    add_tile<F, false, Count>(w, x, sums);
}

/// Adds the products of a run with all float rows of a wide block to `sums`.
template <class F>
NIBBLE_NOINLINE void multiply_integers(const integer_run<F>& w, const block& x, float (*sums)[panel::rows]) noexcept {
    for_each_tile(x, sums, [&w]<int Count>(const block& tile, float (*to)[panel::rows]) NIBBLE_LAMBDA_INLINE {
        if constexpr (!tries_words<F>) add_tile<F, false, Count>(w, tile, to);
        else if (!add_tile<F, true, Count>(w, tile, to)) add_large_tile<F, Count>(w, tile, to);
    });
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
