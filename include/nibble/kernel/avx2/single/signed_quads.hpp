// Points of four coordinates with signs times a single float row.
#pragma once

#include "nibble/kernel/avx2/single/signed_points.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

namespace detail {
/// Every point twice, so that it is in any two dwords of a register that is loaded at the right distance from it.
/// @tparam Unit  what magnitudes are multiples of
template <class Book, int Unit>
struct doubled_points {
    alignas(64) std::int8_t values[Book::size + 2][2][4];  // the first and the last are only reached by bytes that nobody looks at

    consteval doubled_points() noexcept : values{} {
        for (std::size_t i = 0; i < Book::size; ++i) {
            for (std::size_t k = 0; k < 8; ++k) values[i + 1][k / 4][k % 4] = static_cast<std::int8_t>(points<Book>.values[i][k % 4] / Unit);
        }
    }
};
template <class Book, int Unit>
inline constexpr doubled_points<Book, Unit> doubled_points_of{};
}  // namespace detail

/// The points of register J, two for each octet. `index(k)` is the index of point k of the run.
template <class Book, int Unit, int J>
NIBBLE_INLINE __m256i load_octet_quads(auto index) noexcept {
    // Dwords 0 and 1 of a register are a point if it is loaded from there, dwords 2 and 3 if it is loaded from one before.
    const auto at = [&](int group, int k, int before) NIBBLE_LAMBDA_INLINE {
        const auto& point =
            detail::doubled_points_of<Book, Unit>.values[std::size_t{index(8 * group + 2 * (J % 4) + k)} + 1 - static_cast<std::size_t>(before)];
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(point));
    };
    const auto two_groups = [&](int group) NIBBLE_LAMBDA_INLINE {
        const __m128i first = _mm_blend_epi32(at(group, 0, 0), at(group, 1, 0), 2);
        return _mm_blend_epi32(_mm_blend_epi32(first, at(group + 1, 0, 1), 4), at(group + 1, 1, 1), 8);
    };
    constexpr int first_group = J / 4 * 2;
    return _mm256_inserti128_si256(_mm256_castsi128_si256(two_groups(first_group)), two_groups(first_group + 4), 1);
}

template <class F, class Book>
struct run_product<F, layout::quads_beside_signs<Book>> : octet_order {
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes&, const auto& x) noexcept {
        const auto& block = block_of<F>(run);
        const run_signs signs = spread_run_signs(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block.signs_and_scale)));
        const auto magnitudes = [&]<int J>() NIBBLE_LAMBDA_INLINE {
            return load_octet_quads<Book, 2, J>([&](int k) NIBBLE_LAMBDA_INLINE { return block.index[k]; });
        };
        return add_signed(total, magnitudes, signs, decoder<F>::scales(run), x);
    }
};

template <class F, class Book>
struct run_product<F, layout::quads_and_signs<Book>> : octet_order {
    struct notes {
        alignas(32) std::uint16_t indices[64];
    };
    NIBBLE_INLINE static notes note(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const __m256i high = _mm256_broadcastsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block.high)));
        const __m256i bit = _mm256_broadcastsi128_si256(_mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128));
        notes all;
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            // Two groups: bit k of a group's byte is bit 8 of index k.
            const __m256i group = _mm256_set1_epi16(static_cast<short>(0x8000 | (2 * i))),
                          next = _mm256_setr_epi64x(0, 0, 0x0001000100010001, 0x0001000100010001);
            const __m256i set = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_shuffle_epi8(high, _mm256_add_epi16(group, next)), bit), bit);
            const __m256i low = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block.index) + i));
            _mm256_store_si256(reinterpret_cast<__m256i*>(all.indices) + i,
                               _mm256_or_si256(low, _mm256_and_si256(set, _mm256_set1_epi16(256))));
        }
        return all;
    }
    NIBBLE_INLINE static __m256 add(__m256 total, const std::byte* run, const notes& notes, const auto& x) noexcept {
        const run_signs signs{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block_of<F>(run).signs))};
        const auto magnitudes = [&]<int J>() NIBBLE_LAMBDA_INLINE {
            return load_octet_quads<Book, 1, J>([&](int k) NIBBLE_LAMBDA_INLINE { return notes.indices[k]; });
        };
        return add_signed(total, magnitudes, signs, decoder<F>::scales(run), x);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
