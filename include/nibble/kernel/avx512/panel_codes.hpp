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

/// A plane of a group in registers, each of which is loaded once: compilers would load them again for every quad.
template <int Width, int Lowest>
struct loaded_plane {
    __m512i vectors[Width];

    NIBBLE_INLINE explicit loaded_plane(const std::byte* from) noexcept {
#pragma GCC unroll 8
        for (int i = 0; i < Width; ++i) {
            __m512i v = _mm512_loadu_si512(from + 64 * i);
            if constexpr (Width != 8) __asm__("" : "+v"(v));
            vectors[i] = v;
        }
    }
    /// The bits of quad K, and those of other quads above them.
    template <int K>
    NIBBLE_INLINE __m512i with_others() const noexcept {
        return move_bits<Width * (K / Width), Lowest>(vectors[K % Width]);
    }
    /// The bits of quad K.
    template <int K>
    NIBBLE_INLINE __m512i bits() const noexcept {
        if constexpr (Width == 8) return vectors[K];
        else return _mm512_and_si512(with_others<K>(), mask());
    }
    /// The same with those of a lower plane, in one instruction.
    template <int K>
    NIBBLE_INLINE __m512i bits_above(__m512i lower) const noexcept {
        return _mm512_ternarylogic_epi32(lower, with_others<K>(), mask(), 0xF8);
    }

private:
    NIBBLE_INLINE static __m512i mask() noexcept { return _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << Lowest)); }
};

/// The codes of a group. Listed ones are looked up by six bits, of which only the lower four matter.
template <class F>
NIBBLE_INLINE void load_panel_codes(const std::byte* group, __m512i (&w)[8]) noexcept {
    constexpr panel::plane_pair planes = panel::planes_of(panel::index_bits<F>);
    const loaded_plane<planes.first.width, 0> first(group);
    if constexpr (panels_of<F>.code_count != 0) {
        static_assert(panel::index_bits<F> == 4 && sizeof panels_of<F>.codes == 16);
        const __m512i four_times = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(panels_of<F>.codes.data())));
        for_each_of_eight([&]<int K>() NIBBLE_LAMBDA_INLINE { w[K] = _mm512_permutexvar_epi8(first.template with_others<K>(), four_times); });
    } else {
        for_each_of_eight([&]<int K>() NIBBLE_LAMBDA_INLINE { w[K] = first.template bits<K>(); });
    }
    if constexpr (planes.second.width != 0) {
        const loaded_plane<planes.second.width, planes.second.lowest> second(group + planes.second.at);
        for_each_of_eight([&]<int K>() NIBBLE_LAMBDA_INLINE { w[K] = second.template bits_above<K>(w[K]); });
    }
}

/// Whether a code of quads 4 to 7 may stay in the upper half of its byte, 16 times as large, where a product wants it so.
template <class F>
inline constexpr bool has_upper_codes = F::parts == 1 && panel::index_bits<F> == 4 && panels_of<F>.code_count == 0;

/// The codes of a group, those of quads 4 to 7 times 16: no shift is needed for them.
template <class F>
NIBBLE_INLINE void load_upper_codes(const std::byte* group, __m512i (&w)[8]) noexcept {
    const loaded_plane<4, 0> plane(group);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
        w[k] = _mm512_and_si512(plane.vectors[k], _mm512_set1_epi8(0x0F));
        w[k + 4] = _mm512_andnot_si512(_mm512_set1_epi8(0x0F), plane.vectors[k]);
    }
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
    } else if constexpr (order::form.factors == factor_form::powers) {
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
