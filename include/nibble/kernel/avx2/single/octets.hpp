// Octets: the order in which products of codebook layouts and their like read a single float row. A register has eight elements of each of
// four groups:
//
//   register j, j < 4   elements 8 j .. 8 j + 7 of groups 0, 1, 4 and 5
//   register j + 4      the same of groups 2, 3, 6 and 7
//
// A codebook point is an octet, so that points come from memory where they are wanted, and products of several registers add up before
// anything is exchanged between lanes.
//
// A layout that multiplies in this order says so with a specialisation of run_product:
//   add(total, run, notes, x)   total += weights * activations of a run, in any lanes
//   note(run)                   what add wants to read back from memory, for example indices: made a few runs ahead, because to load parts
//                               of a vector that has just been stored takes long
//   octet_at, group_at          if it has another order
//   for_few                     true, if that is also faster with a few float rows
//   add_two(...)                instead of add, if two packed rows go together
#pragma once

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F, class Layout>
struct run_product {};

template <class F>
using run_product_of = run_product<F, typename F::layout>;

/// Where the eight elements in the lane of a register come from.
struct octet_source {
    std::size_t group, octet;
};
/// A run of a single float row.
template <std::size_t Parts>
using octet_run = activation_run<std::int8_t, Parts>;
/// The same with the magnitudes of the codes.
template <std::size_t Parts>
struct octet_run_with_magnitudes : octet_run<Parts> {
    std::uint8_t magnitudes[run_size];
};

struct octet_order {
    template <std::size_t Parts>
    using activations = octet_run<Parts>;
    struct notes {};
    NIBBLE_INLINE static notes note(const std::byte*) noexcept { return {}; }
    /// Activations have one scale for a run.
    static constexpr bool one_scale = false;
    static constexpr octet_source octet_at(std::size_t j, std::size_t lane) noexcept {
        return {lane / 2 * 4 + j / 4 * 2 + lane % 2, j % 4};
    }
    /// Which group scales and sums have in a lane.
    static constexpr std::size_t group_at(std::size_t lane) noexcept { return lane; }
};

template <class F>
concept multiplies_octets = requires {
    run_product_of<F>::octet_at(std::size_t{}, std::size_t{});
};

/// Few float rows go the way of a single one: what is decoded meets all of them.
template <class F>
concept shares_octets = multiplies_octets<F> && requires { requires run_product_of<F>::for_few; };

/// The same for two packed rows: add_two(total, run, other, x) adds the first one's products to the lower half, the other's to the upper.
template <class F>
concept multiplies_two_rows = requires(__m256 total, const std::byte* run, const typename run_product_of<F>::template activations<F::parts>& x) {
    run_product_of<F>::add_two(total, run, run, x);
};

/// Register j of 256 bytes.
NIBBLE_INLINE __m256i load_octets(const auto* x, int j) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 32 * j));
}

/// One lane for each group from sums over the octets of registers 0 .. 3 and of registers 4 .. 7, of 16 or 32 bits.
template <int Bits>
NIBBLE_INLINE __m256i join_octets(__m256i first, __m256i second) noexcept {
    const __m256 a = _mm256_castsi256_ps(first), b = _mm256_castsi256_ps(second);
    const __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), high = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xDD));
    return Bits == 16 ? _mm256_add_epi16(low, high) : _mm256_add_epi32(low, high);
}

/// Sums of pairs of 16 bits.
NIBBLE_INLINE __m256i widen(__m256i words) noexcept { return _mm256_madd_epi16(words, _mm256_set1_epi16(1)); }

/// total + product * scale * step, a lane for each group.
NIBBLE_INLINE __m256 add_scaled(__m256 total, __m256i product, __m256 scale, const float* steps) noexcept {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), _mm256_mul_ps(scale, _mm256_loadu_ps(steps)), total);
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
