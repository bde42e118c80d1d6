// Points that are magnitudes with signs beside them: the codebook layouts of 2 and 3 bits.
#pragma once

#include "nibble/format/codebook/layout.hpp"
#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/points.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F, class Book>
struct layout_decoder<F, layout::points_beside_signs<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 43;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        const auto* from = reinterpret_cast<const float*>(run + 2);
        const __m256 words = _mm256_shuffle_ps(_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8), 0xDD);
        const __m256i signs_and_scale = _mm256_permute4x64_epi64(_mm256_castps_si256(words), 0xD8);
        const __m256 codes = _mm256_cvtepi32_ps(_mm256_srli_epi32(signs_and_scale, 28));
        return centered<zero>(half_more(_mm256_mul_ps(broadcast_half(run), _mm256_set1_ps(0.25f)), codes));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {0.125f * load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& sub = block_of<F>(run).sub[Group];
        const auto point = [&](int k) NIBBLE_LAMBDA_INLINE { return load_point8<Book>(sub.index[k]); };
        return with_signs<zero>(_mm256_setr_epi64x(point(0), point(1), point(2), point(3)), spread_signs(sub.signs_and_scale.get()));
    }
};

template <class F, class Book>
struct layout_decoder<F, layout::points_with_signs<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 43;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        __m256 first, second;
        nibbles_to_floats(block_of<F>(run).sub_scales, first, second);
        const __m256 scale = _mm256_mul_ps(broadcast_half(run), _mm256_set1_ps(0.25f));
        return centered<zero>(half_more(scale, first), half_more(scale, second));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {0.125f * load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        std::uint64_t four;
        __builtin_memcpy(&four, block_of<F>(run).codes + 4 * Group, 8);
        const auto point = [&](int k) NIBBLE_LAMBDA_INLINE { return load_point8<Book>((four >> (16 * k)) & 511u); };
        // Seven signs at the top of each 16 bits.
        std::uint64_t sevens = (four >> 9) & 0x007F007F007F007Fu;
        sevens = (sevens | (sevens >> 8)) & 0x0000FFFF0000FFFFu;
        const auto signs = complete_signs(static_cast<std::uint32_t>(sevens | (sevens >> 16)));
        return with_signs<zero>(_mm256_setr_epi64x(point(0), point(1), point(2), point(3)), signs);
    }
};

template <class F, class Book>
struct layout_decoder<F, layout::points_and_signs<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 43;

    NIBBLE_INLINE static run_scales<2> scales(const std::byte* run) noexcept {
        __m256 first, second;
        nibbles_to_floats(block_of<F>(run).sub_scales, first, second);
        const __m256 scale = _mm256_mul_ps(broadcast_half(run), _mm256_set1_ps(0.25f));
        return centered<zero>(half_more(scale, first), half_more(scale, second));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {0.125f * load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const std::uint32_t high = block.high[Group];
        const auto point = [&](int k) NIBBLE_LAMBDA_INLINE {
            return load_point8<Book>(block.index[4 * Group + k] | ((high << (8 - 2 * k)) & 0x300u));
        };
        std::uint32_t signs;
        __builtin_memcpy(&signs, block.signs + 4 * Group, 4);
        return with_signs<zero>(_mm256_setr_epi64x(point(0), point(1), point(2), point(3)), signs);
    }
};

template <class F, class Book>
struct layout_decoder<F, layout::quads_beside_signs<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 31;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block_of<F>(run).signs_and_scale));
        const __m256 codes = _mm256_cvtepi32_ps(_mm256_srli_epi32(words, 28));
        return centered<zero>(half_more(broadcast_half(run), codes));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {0.5f * load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const auto point = [&](int k) NIBBLE_LAMBDA_INLINE { return load_point4<Book>(block.index[8 * Group + k]); };
        const __m256i magnitudes = _mm256_setr_epi32(point(0), point(1), point(2), point(3), point(4), point(5), point(6), point(7));
        return with_signs<zero>(_mm256_srli_epi16(magnitudes, 1), spread_signs(block.signs_and_scale[Group].get()));
    }
};

template <class F, class Book>
struct layout_decoder<F, layout::quads_and_signs<Book>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = 16;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept {
        std::uint32_t sub_scales;
        __builtin_memcpy(&sub_scales, block_of<F>(run).sub_scales, 4);
        const __m256i shift = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
        const __m256i codes = _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(sub_scales)), shift), _mm256_set1_epi32(15));
        const __m256i odd = _mm256_add_epi32(_mm256_add_epi32(codes, codes), _mm256_set1_epi32(1));
        return centered<zero>(_mm256_mul_ps(broadcast_half(run), _mm256_cvtepi32_ps(odd)));
    }
    NIBBLE_INLINE static run_units units(const std::byte* run) noexcept { return {load_half(run)}; }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto& block = block_of<F>(run);
        const std::uint32_t high = block.high[Group];
        const auto point = [&](int k) NIBBLE_LAMBDA_INLINE {
            return load_point4<Book>(block.index[8 * Group + k] | ((high << (8 - k)) & 0x100u));
        };
        const __m256i magnitudes = join_points(point);
        std::uint32_t signs;
        __builtin_memcpy(&signs, block.signs + 4 * Group, 4);
        return with_signs<zero>(magnitudes, signs);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
