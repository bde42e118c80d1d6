// Float rows in the form that the integer products of AVX2 read: groups of 32 codes of 8 bits with one scale, and the sums that pair
// with the weights' offsets.
//
// Rows are kept in tiles of `width` rows (1 for few rows, else tile_width; the last tile may be narrower), group by group:
//   scales [groups][width] fp32        largest magnitude / 127
//   sums   [parts][groups][width] fp32 scale * sum of the codes of a part
//   codes  [groups][width][32] int8    -127 .. 127, nearest even
// Groups are padded to a multiple of 8 with zeros.
#pragma once

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Rows from which on gemm unpacks the weights into panels.
inline constexpr std::size_t panel_threshold = 12;
/// Rows of a tile then.
inline constexpr std::size_t tile_width = 8;
static_assert(op::linear::prepare_step % tile_width == 0);

NIBBLE_INLINE constexpr std::size_t width_for(std::size_t count) noexcept { return count < panel_threshold ? 1 : tile_width; }
NIBBLE_INLINE constexpr std::size_t groups_of(std::size_t cols) noexcept { return divide_up(cols, run_size) * 8; }

/// Where the parts of a tile are.
struct tile {
    const float* scales;
    const float* sums;  ///< of part p: sums + p * groups * width
    const std::int8_t* codes;
};

/// Bytes of one float row.
template <std::size_t Parts>
NIBBLE_INLINE constexpr std::size_t activation_bytes(std::size_t cols) noexcept {
    return groups_of(cols) * (32 + sizeof(float) * (1 + Parts));
}

/// The tile that starts at float row `first`, with `width` rows.
template <std::size_t Parts>
NIBBLE_INLINE tile tile_at(const std::byte* workspace, std::size_t first, std::size_t width, std::size_t cols) noexcept {
    const std::byte* base = workspace + first * activation_bytes<Parts>(cols);
    const auto* scales = reinterpret_cast<const float*>(base);
    const float* sums = scales + groups_of(cols) * width;
    return {scales, sums, reinterpret_cast<const std::int8_t*>(sums + Parts * groups_of(cols) * width)};
}

/// Quantizes 32 floats.
template <std::size_t Parts>
NIBBLE_INLINE void quantize_group(const float* x, float* scale, float* sum, std::size_t sum_stride, std::int8_t* codes) noexcept {
    const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + 8), x2 = _mm256_loadu_ps(x + 16), x3 = _mm256_loadu_ps(x + 24);
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    const __m256 most = _mm256_max_ps(_mm256_max_ps(_mm256_and_ps(x0, magnitude), _mm256_and_ps(x1, magnitude)),
                                      _mm256_max_ps(_mm256_and_ps(x2, magnitude), _mm256_and_ps(x3, magnitude)));
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    half = _mm_max_ss(half, _mm_movehdup_ps(half));
    const float largest = _mm_cvtss_f32(half);
    // Below 2^-120 the inverse would overflow; such a group is zero for every purpose.
    const bool usable = largest > 7.5e-37f;
    const float step = usable ? largest / 127.0f : 0.0f;
    const __m256 inverse = _mm256_set1_ps(usable ? 127.0f / largest : 0.0f);
    const __m256i c0 = _mm256_cvtps_epi32(_mm256_mul_ps(x0, inverse)), c1 = _mm256_cvtps_epi32(_mm256_mul_ps(x1, inverse));
    const __m256i c2 = _mm256_cvtps_epi32(_mm256_mul_ps(x2, inverse)), c3 = _mm256_cvtps_epi32(_mm256_mul_ps(x3, inverse));
    const __m256i words01 = _mm256_packs_epi32(c0, c1), words23 = _mm256_packs_epi32(c2, c3);
    const __m256i mixed = _mm256_packs_epi16(words01, words23);
    const __m256i ordered = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), ordered);
    const auto total = [](__m256i v) NIBBLE_LAMBDA_INLINE {
        __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
        return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 1)));
    };
    *scale = step;
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (Parts == 1) {
        sum[0] = step * static_cast<float>(total(_mm256_madd_epi16(_mm256_add_epi16(words01, words23), ones)));
    } else {
        sum[0] = step * static_cast<float>(total(_mm256_madd_epi16(words01, ones)));
        sum[sum_stride] = step * static_cast<float>(total(_mm256_madd_epi16(words23, ones)));
    }
}

/// op::linear's workspace and prepare.
template <std::size_t Parts>
struct activation {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return count * activation_bytes<Parts>(cols); }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        const std::size_t groups = groups_of(cols);
        for (std::size_t i = first; i < last; ++i) {
            const std::size_t start = i - i % width_for(count);
            const std::size_t width = count - start < width_for(count) ? count - start : width_for(count);
            const tile where = tile_at<Parts>(out, start, width, cols);
            auto* scales = const_cast<float*>(where.scales) + (i - start);
            auto* sums = const_cast<float*>(where.sums) + (i - start);
            auto* codes = const_cast<std::int8_t*>(where.codes) + 32 * (i - start);
            const float* row = x + i * cols;
            for (std::size_t g = 0; g < groups; ++g) {
                float padded[32];
                const float* from = row + 32 * g;
                if (32 * g + 32 > cols) {
                    for (std::size_t k = 0; k < 32; ++k) padded[k] = 32 * g + k < cols ? from[k] : 0.0f;
                    from = padded;
                }
                quantize_group<Parts>(from, scales + g * width, sums + g * width, groups * width, codes + g * width * 32);
            }
        }
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
