// Nibbles that stand for levels, times a single float row.
#pragma once

#include "nibble/kernel/avx2/single/octets.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Nibbles of eight pieces of 16 bytes, `Stride` bytes apart, whose high nibbles are the second half of a group: in octets.
template <std::size_t Stride>
NIBBLE_INLINE void load_nibble_octets(const std::byte* from, __m256i (&v)[8]) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
#pragma GCC unroll 2
    for (std::size_t half = 0; half < 2; ++half) {
        const auto two = [&](std::size_t g) NIBBLE_LAMBDA_INLINE {
            const auto at = [&](std::size_t i)
                                NIBBLE_LAMBDA_INLINE { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * Stride)); };
            return _mm256_inserti128_si256(_mm256_castsi128_si256(at(g)), at(g + 4), 1);
        };
        const __m256i a = two(2 * half), b = two(2 * half + 1);
        const __m256i low = _mm256_unpacklo_epi64(a, b), high = _mm256_unpackhi_epi64(a, b);
        v[4 * half] = _mm256_and_si256(low, nibble);
        v[4 * half + 1] = _mm256_and_si256(high, nibble);
        v[4 * half + 2] = _mm256_and_si256(_mm256_srli_epi16(low, 4), nibble);
        v[4 * half + 3] = _mm256_and_si256(_mm256_srli_epi16(high, 4), nibble);
    }
}

/// Levels of 8 bits take the signs of activations and meet their magnitudes. Two products fill 16 bits.
template <class Levels>
NIBBLE_INLINE __m256i multiply_wide_levels(const __m256i (&v)[8], const auto& x) noexcept {
    const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(Levels::values)));
    const auto product = [&](int j) NIBBLE_LAMBDA_INLINE {
        const __m256i level = _mm256_shuffle_epi8(table, v[j]);
        return widen(_mm256_maddubs_epi16(load_octets(x.magnitudes, j), _mm256_sign_epi8(level, load_octets(x.codes, j))));
    };
    const auto four = [&](int j) NIBBLE_LAMBDA_INLINE {
        return _mm256_add_epi32(_mm256_add_epi32(product(j), product(j + 1)), _mm256_add_epi32(product(j + 2), product(j + 3)));
    };
    return join_octets<32>(four(0), four(4));
}

template <class F, class Levels>
requires(F::code_bits == 8) struct run_product<F, layout::split_nibble_levels<Levels>> : octet_order {
    template <std::size_t Parts>
    using activations = octet_run_with_magnitudes<Parts>;

    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        constexpr std::size_t block = sizeof(typename F::block);
        __m256i v[8];
        load_nibble_octets<block>(run + 2, v);
        return add_scaled(total, multiply_wide_levels<Levels>(v, x), load_halves<block>(run), x.scales);
    }
};

template <class F, class Levels>
requires(F::code_bits == 8) struct run_product<F, layout::nibble_levels_super_block<Levels>> : octet_order {
    template <std::size_t Parts>
    using activations = octet_run_with_magnitudes<Parts>;

    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        __m256i v[8];
        load_nibble_octets<16>(run + 8, v);
        return add_scaled(total, multiply_wide_levels<Levels>(v, x), decoder<F>::scales(run).scale[0], x.scales);
    }
};

/// Few bits: products of a whole group fit in 16 bits.
template <class F, class Levels>
requires(F::code_bits <= 5) struct run_product<F, layout::nibble_levels_with_exponent<Levels>> : octet_order {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        __m256i v[8];
        load_nibble_octets<sizeof(typename F::block)>(run + 1, v);
        const auto product = [&](int j)
                                 NIBBLE_LAMBDA_INLINE { return _mm256_maddubs_epi16(look_up<Levels>(v[j]), load_octets(x.codes, j)); };
        const auto four = [&](int j) NIBBLE_LAMBDA_INLINE {
            return _mm256_add_epi16(_mm256_add_epi16(product(j), product(j + 1)), _mm256_add_epi16(product(j + 2), product(j + 3)));
        };
        const __m256 all = _mm256_cvtepi32_ps(join_octets<32>(widen(four(0)), widen(four(4))));
        const __m256 centered = _mm256_fmadd_ps(all, _mm256_loadu_ps(x.scales), _mm256_loadu_ps(x.sums[0]));
        return _mm256_fmadd_ps(centered, decoder<F>::scales(run).scale[0], total);
    }
};

/// Eight bytes are a part of 16 elements: low nibbles are one octet, high nibbles the next.
template <class F, class Levels>
requires(F::code_bits <= 5) struct run_product<F, layout::nibble_levels_with_float8_scales<Levels>> : octet_order {
    /// Register 2 i has octets 0 and 2 of groups 2 i and 2 i + 1, register 2 i + 1 octets 1 and 3.
    static constexpr octet_source octet_at(std::size_t j, std::size_t lane) noexcept {
        return {j / 2 * 2 + lane / 2, lane % 2 * 2 + j % 2};
    }
    /// Even groups, then odd ones.
    static constexpr std::size_t group_at(std::size_t lane) noexcept { return lane % 4 * 2 + lane / 4; }

    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        constexpr std::size_t block = sizeof(typename F::block);
        // Lanes of 64 bits: parts of two groups.
        const auto two_groups = [&](int i) NIBBLE_LAMBDA_INLINE {
            const __m256i bytes = load_octets(run + static_cast<std::size_t>(i) * block + 4, 0), nibble = _mm256_set1_epi8(15);
            const __m256i low = look_up<Levels>(_mm256_and_si256(bytes, nibble));
            const __m256i high = look_up<Levels>(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
            return _mm256_add_epi16(_mm256_maddubs_epi16(low, load_octets(x.codes, 2 * i)),
                                    _mm256_maddubs_epi16(high, load_octets(x.codes, 2 * i + 1)));
        };
        // Lanes of 32 bits: parts of groups 0 2 | 1 3 and 4 6 | 5 7, then one part of all groups.
        const __m256 a = _mm256_castsi256_ps(widen(join_octets<16>(two_groups(0), two_groups(1))));
        const __m256 b = _mm256_castsi256_ps(widen(join_octets<16>(two_groups(2), two_groups(3))));

        // E4M3 is the upper half of binary16 but for a bias of 7 instead of 15; half of the scale is wanted, and 0 for 0x7F.
        const auto four = [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            std::uint32_t scales;
            __builtin_memcpy(&scales, run + i * block, 4);
            return std::uint64_t{scales};
        };
        const __m128i seven = _mm_set1_epi8(0x7F);
        const __m128i bytes =
            _mm_set_epi64x(static_cast<long long>(four(2) | (four(3) << 32)), static_cast<long long>(four(0) | (four(1) << 32)));
        const __m128i usable = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, seven), _mm_and_si128(bytes, seven));
        const auto part = [&](__m256 product, int p) NIBBLE_LAMBDA_INLINE {
            const auto at = [p](int i) NIBBLE_LAMBDA_INLINE { return static_cast<char>(4 * i + p); };
            const __m128i order =
                _mm_setr_epi8(-1, at(0), -1, at(1), -1, at(2), -1, at(3), -1, at(0) + 2, -1, at(1) + 2, -1, at(2) + 2, -1, at(3) + 2);
            const __m256 scale = _mm256_mul_ps(_mm256_cvtph_ps(_mm_srli_epi16(_mm_shuffle_epi8(usable, order), 1)), _mm256_set1_ps(128.0f));
            const __m256 sum = _mm256_cvtepi32_ps(_mm256_castps_si256(product));
            return _mm256_fmadd_ps(_mm256_fmadd_ps(sum, _mm256_loadu_ps(x.scales), _mm256_loadu_ps(x.sums[p])), scale, total);
        };
        total = part(_mm256_shuffle_ps(a, b, 0x88), 0);
        return part(_mm256_shuffle_ps(a, b, 0xDD), 1);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
