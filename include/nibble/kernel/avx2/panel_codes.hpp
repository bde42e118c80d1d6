// What a run of a panel (kernel/panel.hpp) holds, in registers: a quad of eight rows, half of the panel, in each.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Moves bit From of every byte to bit To; bits of neighbours come along and are masked later.
template <int From, int To>
NIBBLE_INLINE __m256i move_bits(__m256i v) noexcept {
    if constexpr (From < To) return _mm256_slli_epi16(v, To - From);
    else if constexpr (From > To) return _mm256_srli_epi16(v, From - To);
    else return v;
}

/// The bits that a plane has of quad K.
template <int Width, int Lowest, int K>
NIBBLE_INLINE __m256i plane_bits(const std::byte* plane) noexcept {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(plane + 64 * (K % Width)));
    if constexpr (Width == 8) return v;
    else return _mm256_and_si256(move_bits<Width * (K / Width), Lowest>(v), _mm256_set1_epi8(static_cast<char>(((1 << Width) - 1) << Lowest)));
}

/// The codes of quad K of a group, minus Less (0 or 128).
/// @param group the group's codes, or 32 bytes on for the last eight rows
template <class F, int K, int Less>
NIBBLE_INLINE __m256i panel_codes(const std::byte* group) noexcept {
    const auto less = [](__m256i v) NIBBLE_LAMBDA_INLINE { return Less == 0 ? v : _mm256_xor_si256(v, _mm256_set1_epi8(-128)); };
    constexpr panel::plane_pair planes = panel::planes_of(panel::index_bits<F>);
    __m256i v = plane_bits<planes.first.width, 0, K>(group);
    if constexpr (planes.second.width != 0)
        v = _mm256_or_si256(v, plane_bits<planes.second.width, planes.second.lowest, K>(group + planes.second.at));
    if constexpr (panels_of<F>.code_count == 0) return less(v);
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(panels_of<F>.codes.data()));
    return _mm256_shuffle_epi8(less(_mm256_broadcastsi128_si256(table)), v);
}

/// Calls fn<K>() for quads First .. First + Count - 1 of a group: all, or those of a part.
template <int First, int Count>
NIBBLE_INLINE void for_each_quad(auto&& fn) noexcept {
    static_assert(Count == 4 || Count == 8);
    fn.template operator()<First>();
    fn.template operator()<First + 1>();
    fn.template operator()<First + 2>();
    fn.template operator()<First + 3>();
    if constexpr (Count == 8) for_each_quad<First + 4, 4>(fn);
}

/// Eight scales (kind 0) or offsets (kind 1), of half 0 or 1 of the rows, as multiples.
template <class F>
NIBBLE_INLINE __m256i panel_multiples(const std::byte* run, std::size_t kind, std::size_t g, std::size_t part, std::size_t half) noexcept {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(run + panel::order<F>::factor_at(kind, g, part) + 8 * half)));
}
/// The same; in whatever form they are, multiples as such.
template <class F>
NIBBLE_INLINE __m256 panel_factors(const std::byte* run, std::size_t kind, std::size_t g, std::size_t part, std::size_t half) noexcept {
    using order = panel::order<F>;
    const std::byte* from = run + order::factor_at(kind, g, part) + 8 * half * order::factor_size;
    const auto halves = [&]() NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
    if constexpr (order::form.factors == factor_form::multiples) {
        return _mm256_cvtepi32_ps(panel_multiples<F>(run, kind, g, part, half));
    } else if constexpr (order::form.factors == factor_form::halves) {
        return _mm256_cvtph_ps(halves());
    } else if constexpr (order::form.factors == factor_form::powers) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves()), 16));
    } else {
        return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
    }
}
/// What the factors of a run are to be multiplied with.
template <class F>
NIBBLE_INLINE __m256 panel_units(const std::byte* run, std::size_t kind, std::size_t half) noexcept {
    if constexpr (panel::order<F>::has_units)
        return _mm256_loadu_ps(reinterpret_cast<const float*>(run + panel::order<F>::unit_at(kind) + 32 * half));
    else return _mm256_set1_ps(1.0f);
}

/// Fetches what lies far behind group g of a run: the core's own prefetchers stop at pages and follow one stream of 25 GB/s. 8 kB ahead into the L2
/// cache; codes of 8 bits for a single float row, which is through with them soonest, 4 kB ahead into the L1 cache (docs/kernels.md).
template <class F, bool Single = false>
NIBBLE_INLINE void fetch_ahead(const std::byte* run, std::size_t g) noexcept {
    constexpr bool to_first = Single && panel::index_bits<F> == 8;
    constexpr std::size_t some = panel::order<F>::run_bytes / panel::groups, ahead = to_first ? 4096 : 8192;
#pragma GCC unroll 16
    for (std::size_t line = 0; line < some; line += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(run) + g * some + ahead + line, to_first ? _MM_HINT_T0 : _MM_HINT_T1);
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
