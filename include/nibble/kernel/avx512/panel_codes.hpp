// What a run of a panel (kernel/panel.hpp) holds, in registers: a quad of sixteen rows in each.
#pragma once

#include "nibble/kernel/avx2/panel_codes.hpp"
#include "nibble/kernel/avx512/decode.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// Moves bit From of every byte to bit To; bits of neighbours come along and are masked later.
template <int From, int To>
NIBBLE_INLINE __m512i move_bits(__m512i v) noexcept {
    if constexpr (From < To) return _mm512_slli_epi16(v, To - From);
    else if constexpr (From > To) return _mm512_srli_epi16(v, From - To);
    else return v;
}

/// The bits that a plane has of quad K.
template <int Width, int Lowest, int K>
NIBBLE_INLINE __m512i plane_bits(const std::byte* plane) noexcept {
    const __m512i v = _mm512_loadu_si512(plane + 64 * (K % Width));
    if constexpr (Width == 8) return v;
    else return _mm512_and_si512(move_bits<Width * (K / Width), Lowest>(v), _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << Lowest)));
}

/// The codes of quad K of a group.
template <class F, int K>
NIBBLE_INLINE __m512i panel_codes(const std::byte* group) noexcept {
    constexpr panel::plane_pair planes = panel::planes_of(panel::index_bits<F>);
    __m512i v = plane_bits<planes.first.width, 0, K>(group);
    if constexpr (planes.second.width != 0) v = _mm512_or_si512(v, plane_bits<planes.second.width, planes.second.lowest, K>(group + planes.second.at));
    if constexpr (panels_of<F>.code_count != 0) {
        const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(panels_of<F>.codes.data()));
        v = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), v);
    }
    return v;
}
template <class F>
NIBBLE_INLINE void load_panel_codes(const std::byte* group, __m512i (&w)[8]) noexcept {
    w[0] = panel_codes<F, 0>(group);
    w[1] = panel_codes<F, 1>(group);
    w[2] = panel_codes<F, 2>(group);
    w[3] = panel_codes<F, 3>(group);
    w[4] = panel_codes<F, 4>(group);
    w[5] = panel_codes<F, 5>(group);
    w[6] = panel_codes<F, 6>(group);
    w[7] = panel_codes<F, 7>(group);
}

/// Sixteen scales (kind 0) or offsets (kind 1); where they are multiples, these.
template <class F>
NIBBLE_INLINE __m512 panel_factors(const std::byte* run, std::size_t kind, std::size_t g, std::size_t part) noexcept {
    using order = panel::order<F>;
    const std::byte* from = run + order::factor_at(kind, g, part);
    const auto halves = [&]() NIBBLE_LAMBDA_INLINE { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); };
    if constexpr (order::form.factors == factor_form::multiples) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
    } else if constexpr (order::form.factors == factor_form::halves) {
        return _mm512_cvtph_ps(halves());
    } else if constexpr (order::form.factors == factor_form::brains) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves()), 16));
    } else {
        return _mm512_loadu_ps(from);
    }
}
/// What the factors of a run are to be multiplied with.
template <class F>
NIBBLE_INLINE __m512 panel_units(const std::byte* run, std::size_t kind) noexcept {
    if constexpr (panel::order<F>::has_units) return _mm512_loadu_ps(run + panel::order<F>::unit_at(kind));
    else return _mm512_set1_ps(1.0f);
}

/// A run in wide form, offsets only for codes without a zero.
template <class F>
NIBBLE_NOINLINE void widen_run(const std::byte* run, std::byte* wide) noexcept {
    using order = panel::order<F>;
    for (std::size_t g = 0; g < panel::groups; ++g, wide += panel::wide_group_bytes(F::parts)) {
        __m512i w[8];
        avx2::fetch_ahead<F>(run, g);
        load_panel_codes<F>(run + g * order::group_bytes, w);
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) _mm512_store_si512(wide + 64 * k, w[k]);
#pragma GCC unroll 2
        for (std::size_t kind = 0; kind < order::kinds; ++kind) {
#pragma GCC unroll 2
            for (std::size_t p = 0; p < F::parts; ++p) {
                const __m512 factors = _mm512_mul_ps(panel_factors<F>(run, kind, g, p), panel_units<F>(run, kind));
                _mm512_store_ps(wide + panel::wide_code_bytes + 64 * (kind * F::parts + p), factors);
            }
        }
    }
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
