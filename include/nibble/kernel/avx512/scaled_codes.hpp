// Panels whose scales are small integers times one number, with many float rows: a run's codes are multiplied with these integers when it is unpacked,
// which leaves it one scale, so that sums stay integers for 256 columns.
#pragma once

#include "nibble/kernel/avx512/panel_codes.hpp"
#include "nibble/kernel/avx512/tile.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// How products of levels, code - zero, with the multiples of scales are kept in bytes: product = step * byte - bias. No step: they do not fit.
struct scaled_form {
    int step = 0, bias = 0;
};
template <class F>
consteval scaled_form find_scaled_form() noexcept {
    constexpr panel_form form = panels_of<F>;
    constexpr bool centered = form.zero >= 0;
    if (form.factors != factor_form::multiples || !one_scale<F> || (centered ? form.zero != decoder<F>::zero : decoder<F>::zero >= 0)) return {};
    int least = 0, most = 0;
    bool odd = form.odd_multiples;
    const auto add = [&](int code) {
        const int level = centered ? code - form.zero : code;
        odd = odd && level % 2 != 0;
        for (const int multiple : {form.least_multiple, form.largest_multiple}) {
            least = level * multiple < least ? level * multiple : least;
            most = level * multiple > most ? level * multiple : most;
        }
    };
    if constexpr (form.code_count != 0) {
        for (std::size_t i = 0; i < form.code_count; ++i) add(form.codes[i]);
    } else {
        for (int code = 0; code < 1 << F::code_bits; ++code) add(code);
    }
    const int step = odd ? 2 : 1;
    if (most - least > 255 * step || (!centered && least < 0)) return {};
    return {step, -least};
}
template <class F>
inline constexpr scaled_form scaled_form_of = find_scaled_form<F>();
template <class F>
inline constexpr bool scales_codes = scaled_form_of<F>.step != 0;

/// Sixteen rows by 256 columns: products in bytes, [group][quad][row][column % 4], and what their sums are multiplied with.
template <class F>
struct alignas(64) scaled_run {
    std::byte codes[panel::groups][panel::wide_code_bytes];
    float scale[panel::rows];
    float offsets[panel::order<F>::has_offsets ? panel::groups * F::parts : 1][panel::rows];
};

/// Unpacks a run of a panel.
template <class F>
NIBBLE_NOINLINE void unpack_scaled(const std::byte* run, scaled_run<F>& out) noexcept {
    using order = panel::order<F>;
    constexpr scaled_form form = scaled_form_of<F>;
    constexpr std::size_t parts = F::parts, steps = 8 / parts;
    const auto products = [&](__m512i codes, __m512i multiples) NIBBLE_LAMBDA_INLINE {
        const __m512i levels = _mm512_sub_epi16(codes, _mm512_set1_epi16(order::has_offsets ? 0 : order::form.zero));
        const __m512i sum = _mm512_add_epi16(_mm512_mullo_epi16(levels, multiples), _mm512_set1_epi16(form.bias));
        return form.step == 2 ? _mm512_srli_epi16(sum, 1) : sum;
    };
    for (std::size_t g = 0; g < panel::groups; ++g) {
        __m512i w[8];
        avx2::fetch_ahead<F>(run, g);
        load_panel_codes<F>(run + g * order::group_bytes, w);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < parts; ++p) {
            const __m512i multiple = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(run + order::factor_at(0, g, p))));
            const __m512i twice = _mm512_mask_blend_epi16(0xAAAAAAAA, multiple, _mm512_slli_epi32(multiple, 16));
#pragma GCC unroll 8
            for (std::size_t k = p * steps; k < (p + 1) * steps; ++k) {
                const __m512i even = products(_mm512_and_si512(w[k], _mm512_set1_epi16(0xFF)), twice);
                const __m512i odd = products(_mm512_srli_epi16(w[k], 8), twice);
                _mm512_store_si512(out.codes[g] + 64 * k, _mm512_or_si512(even, _mm512_slli_epi16(odd, 8)));
            }
            if constexpr (order::has_offsets) _mm512_store_ps(out.offsets[g * parts + p], _mm512_mul_ps(panel_factors<F>(run, 1, g, p), panel_units<F>(run, 1)));
        }
    }
    _mm512_store_ps(out.scale, _mm512_mul_ps(panel_units<F>(run, 0), _mm512_set1_ps(static_cast<float>(form.step))));
}

/// Adds the products of a run with a tile of `Count` float rows to their sums.
template <class F, int Count>
NIBBLE_INLINE void multiply_scaled_tile(const scaled_run<F>& w, const block& x, float (*sums)[panel::rows]) noexcept {
    constexpr bool offsets = panel::order<F>::has_offsets;
    constexpr scaled_form form = scaled_form_of<F>;
    const std::size_t part_stride = x.groups * x.width;
    __m512i sum[Count];
    __m512 shifted[Count];
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) {
        sum[c] = _mm512_setzero_si512();
        shifted[c] = _mm512_setzero_ps();
    }
    const std::int8_t* codes = x.codes;
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g, codes += 32 * Count) {
#pragma GCC unroll 8
        for (std::size_t k = 0; k < 8; ++k) {
            const __m512i four = _mm512_load_si512(w.codes[g] + 64 * k);
#pragma GCC unroll 8
            for (int c = 0; c < Count; ++c) sum[c] = add_products(sum[c], four, codes + 32 * c + 4 * static_cast<int>(k));
        }
        if constexpr (offsets) {
#pragma GCC unroll 2
            for (std::size_t p = 0; p < F::parts; ++p) {
                const __m512 offset = _mm512_load_ps(w.offsets[g * F::parts + p]);
#pragma GCC unroll 8
                for (int c = 0; c < Count; ++c) {
                    float code_sum;
                    __builtin_memcpy(&code_sum, x.sums + p * part_stride + g * Count + static_cast<std::size_t>(c), 4);
                    shifted[c] = _mm512_fmadd_ps(offset, _mm512_set1_ps(code_sum), shifted[c]);
                }
            }
        }
    }
    // The bias, of which the sums of activations have minus the zero. All numbers here are below 2^24 halves.
    alignas(64) float bias[panel::rows];
    if constexpr (!offsets) {
        const auto columns = static_cast<__mmask16>((1u << Count) - 1);
        __m512i all = _mm512_setzero_si512();
        for (std::size_t p = 0; p < F::parts; ++p) {
#pragma GCC unroll 8
            for (std::size_t g = 0; g < panel::groups; ++g) all = _mm512_add_epi32(all, _mm512_maskz_loadu_epi32(columns, x.sums + p * part_stride + g * Count));
        }
        constexpr float of_zero = static_cast<float>(form.bias) / static_cast<float>(form.step * panel::order<F>::form.zero);
        _mm512_store_ps(bias, _mm512_mul_ps(_mm512_cvtepi32_ps(all), _mm512_set1_ps(of_zero)));
    }
    const __m512 scale = _mm512_load_ps(w.scale);
#pragma GCC unroll 8
    for (int c = 0; c < Count; ++c) {
        __m512 value = _mm512_cvtepi32_ps(sum[c]);
        if constexpr (offsets) value = _mm512_fmadd_ps(value, scale, shifted[c]);
        else value = _mm512_mul_ps(_mm512_add_ps(value, _mm512_set1_ps(bias[c])), scale);
        _mm512_store_ps(sums[c], _mm512_fmadd_ps(value, _mm512_set1_ps(x.scales[c]), _mm512_load_ps(sums[c])));
    }
}

/// Adds the products of a run with all float rows of a wide block to `sums`.
template <class F>
NIBBLE_NOINLINE void multiply_scaled(const scaled_run<F>& w, const block& x, float (*sums)[panel::rows]) noexcept {
    for_each_tile(x, sums, [&w]<int Count>(const block& tile, float (*to)[panel::rows]) NIBBLE_LAMBDA_INLINE { multiply_scaled_tile<F, Count>(w, tile, to); });
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
