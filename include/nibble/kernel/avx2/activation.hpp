// Float rows in the form that the integer products of AVX2 read: groups of 32 codes with one scale, and the sums that pair with the
// weights' offsets. How a row is laid out depends on how many there are.
//
// One row, or few, run by run:
//   codes  [256]        int8 in the order of the elements for a single row, else in strips (decode/strips.hpp)
//   scales [8] fp32     largest magnitude of a group / largest code
//   sums   [parts][8]   scale * sum of the codes of a part; times -zero if is_centered
// Many rows, in tiles of 6 or 4 rows, group by group:
//   codes  [width][32]
//   scales [width]
//   sums   [parts][width]
// Weights of 8 bits meet int16 codes of 12 bits, except in a single row: their products with int8 do not fit in 16 bits anyway. Of every
// four elements they come in the order 0, 2, 1, 3.
// Rows are padded to whole runs with zeros, and the last tile with rows of zeros.
#pragma once

#include <type_traits>

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/avx2/decode/strips.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Rows from which on gemm unpacks the weights into panels.
inline constexpr std::size_t panel_threshold = 12;
/// Widths of tiles.
inline constexpr std::size_t wide_tile = 6, narrow_tile = 4;
static_assert(op::linear::prepare_step % wide_tile == 0 && op::linear::prepare_step % narrow_tile == 0);

/// Weights of 8 bits meet activations of 16.
template <class F>
inline constexpr bool needs_words = F::code_bits == 8;
/// The offsets of weights are multiples of their scales, and the sums make up for them.
template <class F>
inline constexpr bool is_centered = !needs_words<F> && decoder<F>::zero >= 0;
template <class F>
using activation_code = std::conditional_t<needs_words<F>, std::int16_t, std::int8_t>;

/// A single row stays in the order of the elements if that saves the decoder a shuffle.
template <class F>
inline constexpr bool single_in_order = !gives_strips<F>;

/// How many products of unsigned codes of `bits` bits with int8, two each, fit in 16 bits together, as a power of two.
NIBBLE_INLINE constexpr int fit_in_words(int bits) noexcept { return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1; }
static_assert(8 * 2 * 15 * 128 < 32768 && 4 * 2 * 31 * 128 < 32768 && 2 * 2 * 63 * 128 < 32768 && 2 * 127 * 128 < 32768);

NIBBLE_INLINE constexpr std::size_t runs_of(std::size_t cols) noexcept { return divide_up(cols, run_size); }

/// Bytes of one group of one float row, whatever the layout.
template <class F>
inline constexpr std::size_t group_bytes = 32 * sizeof(activation_code<F>) + sizeof(float) * (1 + F::parts);
/// Bytes of one float row.
template <class F>
NIBBLE_INLINE constexpr std::size_t row_workspace(std::size_t cols) noexcept {
    return runs_of(cols) * 8 * group_bytes<F>;
}

/// A run of one of few rows.
template <class Code, std::size_t Parts>
struct activation_run {
    Code codes[run_size];
    float scales[8];
    float sums[Parts][8];
};
template <class F>
using strip_run = activation_run<activation_code<F>, F::parts>;
template <class F>
using single_run = activation_run<std::int8_t, F::parts>;

/// A group of a tile.
template <class F, int Width>
struct activation_tile {
    activation_code<F> codes[Width][32];
    float scales[Width];
    float sums[F::parts][Width];
};

/// Rows in tiles of six, the padding of a last one included; the others are in tiles of four. No more than one row is padding.
NIBBLE_INLINE constexpr std::size_t rows_in_wide_tiles(std::size_t count) noexcept {
    const std::size_t even = count + count % 2, rest = even % wide_tile;
    return rest == 0 ? even : even - rest - (rest == 2 ? wide_tile : 0);
}
NIBBLE_INLINE constexpr std::size_t rows_in_tiles(std::size_t count) noexcept {
    const std::size_t wide = rows_in_wide_tiles(count);
    return wide >= count ? wide : wide + divide_up(count - wide, narrow_tile) * narrow_tile;
}

/// Lane i: all elements of v[i], combined by `join`.
template <class Join>
NIBBLE_INLINE __m256i across(const __m256i (&v)[8], Join join) noexcept {
    __m256i pairs[4], quads[2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) pairs[i] = join(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]), _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        quads[i] = join(_mm256_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]), _mm256_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
    }
    return join(_mm256_permute2x128_si256(quads[0], quads[1], 0x20), _mm256_permute2x128_si256(quads[0], quads[1], 0x31));
}
NIBBLE_INLINE __m256i largest_across(const __m256i (&v)[8]) noexcept {
    return across(v, [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE { return _mm256_max_epi32(a, b); });
}
NIBBLE_INLINE __m256i total_across(const __m256i (&v)[8]) noexcept {
    return across(v, [](__m256i a, __m256i b) NIBBLE_LAMBDA_INLINE { return _mm256_add_epi32(a, b); });
}

/// Quantizes 256 floats; codes in the order of the elements.
/// @param zero what sums are multiplied with, negated; 0: nothing
template <class Code, std::size_t Parts>
NIBBLE_INLINE void quantize_run(const float* x, int zero, activation_run<Code, Parts>& out) noexcept {
    constexpr float last_code = sizeof(Code) == 2 ? 2047.0f : 127.0f;
    // Magnitudes order like their bits, NaN above infinity, so that neither is lost.
    const auto bits = [x](int i) NIBBLE_LAMBDA_INLINE {
        return _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 8 * i)), _mm256_set1_epi32(0x7FFFFFFF));
    };
    __m256i most[8];
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
        most[g] = _mm256_max_epi32(_mm256_max_epi32(bits(4 * g), bits(4 * g + 1)), _mm256_max_epi32(bits(4 * g + 2), bits(4 * g + 3)));
    }
    const __m256i largest_bits = largest_across(most);
    const __m256 largest = _mm256_castsi256_ps(largest_bits);
    // Below 2^-115 an inverse could overflow; such a group is zero for every purpose.
    const __m256 usable = _mm256_castsi256_ps(_mm256_cmpgt_epi32(largest_bits, _mm256_set1_epi32(12 << 23)));
    const __m256 step = _mm256_and_ps(usable, _mm256_mul_ps(largest, _mm256_set1_ps(1.0f / last_code)));
    alignas(32) float inverse[8];
    _mm256_store_ps(inverse, _mm256_and_ps(usable, _mm256_div_ps(_mm256_set1_ps(last_code), largest)));
    _mm256_storeu_ps(out.scales, step);
    const __m256 per_code = zero == 0 ? step : _mm256_mul_ps(step, _mm256_set1_ps(-static_cast<float>(zero)));
    __m256i total[Parts][8];
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
        const __m256 factor = _mm256_broadcast_ss(inverse + g);
        const auto code = [&](int i) NIBBLE_LAMBDA_INLINE { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 32 * g + 8 * i), factor)); };
        // Lanes of these are out of order by 64 bits.
        const __m256i first = _mm256_packs_epi32(code(0), code(1)), second = _mm256_packs_epi32(code(2), code(3));
        if constexpr (sizeof(Code) == 2) {
            auto* to = reinterpret_cast<__m256i*>(out.codes + 32 * g);
            _mm256_storeu_si256(to, _mm256_permute4x64_epi64(first, 0b11'01'10'00));
            _mm256_storeu_si256(to + 1, _mm256_permute4x64_epi64(second, 0b11'01'10'00));
        } else {
            const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes + 32 * g), _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second), order));
        }
        const __m256i ones = _mm256_set1_epi16(1);
        if constexpr (Parts == 1) {
            total[0][g] = _mm256_madd_epi16(_mm256_add_epi16(first, second), ones);
        } else {
            total[0][g] = _mm256_madd_epi16(first, ones);
            total[1][g] = _mm256_madd_epi16(second, ones);
        }
    }
#pragma GCC unroll 2
    for (std::size_t part = 0; part < Parts; ++part) _mm256_storeu_ps(out.sums[part], _mm256_mul_ps(per_code, _mm256_cvtepi32_ps(total_across(total[part]))));
}

/// op::linear's workspace and prepare.
template <class F>
struct activation {
    using code = activation_code<F>;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        return (count < panel_threshold ? count : rows_in_tiles(count)) * row_workspace<F>(cols);
    }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        constexpr int zero = is_centered<F> ? decoder<F>::zero : 0;
        const bool few = count < panel_threshold;
        const std::size_t wide = rows_in_wide_tiles(count), end = few || last < count ? last : rows_in_tiles(count);
        for (std::size_t i = first; i < end; ++i) {
            std::byte* row = out + i * row_workspace<F>(cols);
            for (std::size_t r = 0; r < runs_of(cols); ++r) {
                float padded[run_size];
                const float* from = floats(x + i * cols, i < count ? cols : 0, r, padded);
                if (single_in_order<F> && count == 1) {
                    quantize_run(from, zero, reinterpret_cast<single_run<F>*>(row)[r]);
                    continue;
                }
                strip_run<F> run;
                quantize_run(from, zero, run);
                if constexpr (needs_words<F>) exchange_middles(run.codes);
                if (few) {
                    keep_in_strips(run, reinterpret_cast<strip_run<F>*>(row)[r]);
                } else if (i < wide) {
                    const std::size_t at = i % wide_tile;
                    keep_in_tile<wide_tile>(run, row - at * row_workspace<F>(cols), r, at);
                } else {
                    const std::size_t at = (i - wide) % narrow_tile;
                    keep_in_tile<narrow_tile>(run, row - at * row_workspace<F>(cols), r, at);
                }
            }
        }
    }

private:
    /// Run r of a row, completed with zeros if it is not whole.
    NIBBLE_INLINE static const float* floats(const float* row, std::size_t cols, std::size_t r, float (&padded)[run_size]) noexcept {
        if ((r + 1) * run_size <= cols) return row + r * run_size;
        const std::size_t here = r * run_size < cols ? cols - r * run_size : 0;
        __builtin_memset(padded, 0, sizeof padded);
        if (here != 0) __builtin_memcpy(padded, row + r * run_size, here * sizeof(float));
        return padded;
    }
    NIBBLE_INLINE static void exchange_middles(code (&codes)[run_size]) noexcept {
        for (std::size_t k = 0; k < run_size; k += 16) {
            auto* at = reinterpret_cast<__m256i*>(codes + k);
            const __m256i order = _mm256_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
            _mm256_storeu_si256(at, _mm256_shuffle_epi8(_mm256_loadu_si256(at), order));
        }
    }
    static void keep_in_strips(const strip_run<F>& run, strip_run<F>& to) noexcept {
        to = run;
        for (std::size_t j = 0; j < 8; ++j) {
            for (std::size_t lane = 0; lane < 8; ++lane) {
                const strip_source at = strip_at(j, lane);
                const code* from = run.codes + 32 * at.group + 4 * at.dword;
                if constexpr (needs_words<F>) {  // a register each for elements 0 and 2 and for 1 and 3
                    __builtin_memcpy(to.codes + 32 * j + 2 * lane, from, 4);
                    __builtin_memcpy(to.codes + 32 * j + 16 + 2 * lane, from + 2, 4);
                } else {
                    __builtin_memcpy(to.codes + 32 * j + 4 * lane, from, 4);
                }
            }
        }
    }
    template <int Width>
    static void keep_in_tile(const strip_run<F>& run, std::byte* tile, std::size_t r, std::size_t at) noexcept {
        auto* to = reinterpret_cast<activation_tile<F, Width>*>(tile) + 8 * r;
        for (std::size_t g = 0; g < 8; ++g, ++to) {
            __builtin_memcpy(to->codes[at], run.codes + 32 * g, sizeof to->codes[at]);
            to->scales[at] = run.scales[g];
            for (std::size_t part = 0; part < F::parts; ++part) to->sums[part][at] = run.sums[part][g];
        }
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
