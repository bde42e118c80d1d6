// Many float rows in the form that the integer tiles of AVX2 read: groups of 32 codes with one scale, and the sums that pair with the weights'
// offsets. In tiles of 6 or 4 rows, group by group:
//   codes  [width][32]
//   scales [width]
//   sums   [parts][width]
// For super-blocks whose sub-scales are integers (stays_integer): tiles whose unit is a run, with one scale for 256 columns.
// Weights of 8 bits meet int16 codes of 12 bits: their products with int8 do not fit in 16 bits anyway. Of every four elements they come in the
// order 0, 2, 1, 3.
// Rows are padded to whole runs with zeros, and the last tile with rows of zeros.
#pragma once

#include <type_traits>

#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/avx2/quantize_run.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Widths of tiles.
inline constexpr std::size_t wide_tile = 6, narrow_tile = 4;
static_assert(op::linear::prepare_step % wide_tile == 0 && op::linear::prepare_step % narrow_tile == 0);

/// In tiles, weights of 8 bits meet activations of 16.
template <class F>
inline constexpr bool needs_words = F::code_bits == 8;
/// The offsets of weights are multiples of their scales, and the sums make up for them.
template <class F>
inline constexpr bool is_centered = !needs_words<F> && decoder<F>::zero >= 0;
template <class F>
using activation_code = std::conditional_t<needs_words<F>, std::int16_t, std::int8_t>;

/// Products of many rows stay integers for a run, because all its scales are multiples of one number. The price is one activation scale for
/// 256 columns instead of 32, which is what these formats' companion q8_k has.
template <class F>
inline constexpr bool stays_integer = !needs_words<F> && gives_units<decoder<F>>;

/// Levels of 8 bits take the integers that scales are multiples of into their 16 bits, and sums stay integers for a run all the same.
template <class F>
inline constexpr bool scales_levels = needs_words<F> && gives_units<decoder<F>>;

/// How many products of unsigned codes of `bits` bits with int8, two each, fit in 16 bits together, as a power of two.
NIBBLE_INLINE constexpr int fit_in_words(int bits) noexcept { return bits <= 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1; }
static_assert(8 * 2 * 15 * 128 < 32768 && 4 * 2 * 31 * 128 < 32768 && 2 * 2 * 63 * 128 < 32768 && 2 * 127 * 128 < 32768);

/// A group of a tile.
template <class F, int Width>
struct activation_tile {
    activation_code<F> codes[Width][32];
    float scales[Width];
    float sums[F::parts][Width];
};

/// Steps of four columns whose products fit in 16 bits together, for formats that stay integers. Where levels are centered, the sum starts
/// at minus `zero` for each activation and only has to fit in the end: arithmetic of 16 bits wraps.
template <class F>
inline constexpr int steps_together = [] {
    constexpr int zero = decoder<F>::zero, steps = 8 / static_cast<int>(F::parts);
    constexpr int fit = zero < 0 ? fit_in_words(F::code_bits) : zero <= 16 ? 8 : zero <= 32 ? 4 : 2;
    static_assert(zero < 0 || (F::code_bits <= 7 && 2 * fit * zero * 127 < 32768));
    return fit < steps ? fit : steps;
}();
/// Steps whose sums fit in 16 bits if the magnitudes of their activations are half as large as they may be, or two thirds. They are, but for
/// rare runs: the largest of 256 activations is far from the average one.
template <class F>
inline constexpr int steps_mostly = [] {
    constexpr int zero = decoder<F>::zero, steps = 8 / static_cast<int>(F::parts), twice = 2 * steps_together<F>;
    return zero >= 0 && twice <= steps && 2 * twice * zero * 127 < 65536 ? twice : steps_together<F>;
}();

/// A run of a tile for formats that stay integers.
template <class F, int Width>
struct integer_tile {
    static constexpr bool centered = decoder<F>::zero >= 0, one_scale = gives_one_scale<decoder<F>>;
    static constexpr int starts = 8 / steps_together<F>, long_starts = steps_mostly<F> == steps_together<F> ? 0 : 8 / steps_mostly<F>;
    static_assert(!one_scale || (centered && starts == 1 && 128 * 127 * decoder<F>::zero * 2 < 32768), "a whole run fits in 16 bits");
    static constexpr int pairs = 4 * static_cast<int>(F::parts);

    std::int8_t codes[8][Width][32];
    /// Where levels are centered: what 16-bit sums start at, for columns 0 and 1, 2 and 3 of four. With one scale a sum is as long as a run.
    std::int32_t start[one_scale ? 1 : 8][centered ? starts : 1][Width];
    /// The same for steps_mostly, if they are more; and zero where all of their sums fit.
    std::int32_t long_start[8][long_starts == 0 ? 1 : long_starts][Width], exceeds[Width];
    /// Else: sums of codes, two of 16 bits: of two groups, or of the two parts of one.
    std::int32_t sums[centered ? 1 : pairs][Width];
    float scales[Width];

    /// The start of a sum of so many steps for each float row; null, if there is none.
    template <int Steps>
    NIBBLE_INLINE const std::int32_t* start_of(std::size_t group, int index) const noexcept {
        if constexpr (!centered) return nullptr;
        else if constexpr (Steps == steps_together<F>) return start[group][index];
        else return long_start[group][index];
    }
    /// Whether the sums of steps_mostly do, for all float rows.
    NIBBLE_INLINE bool fits() const noexcept {
        std::int32_t any = 0;
        for (int c = 0; c < Width; ++c) any |= exceeds[c];
        return any == 0;
    }
};

/// Rows in tiles of six, the padding of a last one included; the others are in tiles of four. Of three rows and more no more than one is padding.
NIBBLE_INLINE constexpr std::size_t rows_in_wide_tiles(std::size_t count) noexcept {
    const std::size_t even = count + count % 2, rest = even % wide_tile;
    return rest == 0 ? even : even < wide_tile ? 0 : even - rest - (rest == 2 ? wide_tile : 0);
}
NIBBLE_INLINE constexpr std::size_t narrow_tiles(std::size_t count) noexcept {
    const std::size_t wide = rows_in_wide_tiles(count);
    return wide >= count ? 0 : divide_up(count - wide, narrow_tile);
}
NIBBLE_INLINE constexpr std::size_t tiles_of(std::size_t count) noexcept { return rows_in_wide_tiles(count) / wide_tile + narrow_tiles(count); }
NIBBLE_INLINE constexpr std::size_t rows_in_tiles(std::size_t count) noexcept {
    return rows_in_wide_tiles(count) + narrow_tiles(count) * narrow_tile;
}

/// Bytes of one float row.
template <class F>
NIBBLE_INLINE constexpr std::size_t tiled_row_workspace(std::size_t cols) noexcept {
    if constexpr (stays_integer<F>) return runs_of(cols) * sizeof(integer_tile<F, 1>);
    return runs_of(cols) * 8 * sizeof(activation_tile<F, 1>);
}

/// Codes of four columns in the order in which levels of 16 bits leave those of 8 bits: 0, 2, 1, 3.
NIBBLE_INLINE void exchange_middles(std::int16_t (&codes)[run_size]) noexcept {
    for (std::size_t k = 0; k < run_size; k += 16) {
        auto* at = reinterpret_cast<__m256i*>(codes + k);
        const __m256i order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
        _mm256_storeu_si256(at, _mm256_shuffle_epi8(_mm256_loadu_si256(at), order));
    }
}

/// Workspace and prepare of products with tiles.
template <class F>
struct tiled_activation {
    using code = activation_code<F>;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return rows_in_tiles(count) * tiled_row_workspace<F>(cols); }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        // The rows that complete the last tile belong to the last range.
        const std::size_t wide = rows_in_wide_tiles(count), end = last < count ? last : rows_in_tiles(count), size = tiled_row_workspace<F>(cols);
        for (std::size_t i = first; i < end; ++i) {
            const std::size_t at = i < wide ? i % wide_tile : (i - wide) % narrow_tile;
            const std::size_t exist = i < count ? cols : 0;
            if (i < wide) prepare_in_tile<wide_tile>(x + i * cols, exist, cols, out + (i - at) * size, at);
            else prepare_in_tile<narrow_tile>(x + i * cols, exist, cols, out + (i - at) * size, at);
        }
    }

private:
    static constexpr int zero = is_centered<F> ? decoder<F>::zero : 0;

    /// @param exist how many of the `cols` columns there are; the others are zeros
    template <int Width>
    NIBBLE_NOINLINE static void prepare_in_tile(const float* row, std::size_t exist, std::size_t cols, std::byte* tile, std::size_t at) noexcept {
        for (std::size_t r = 0; r < runs_of(cols); ++r) {
            float padded[run_size];
            const float* from = floats_at(row, exist, r, padded);
            activation_run<activation_code<F>, F::parts> run;
            if constexpr (stays_integer<F>) {
                quantize_run<true>(from, 0, run);
                keep(run, reinterpret_cast<integer_tile<F, Width>*>(tile)[r], at);
            } else {
                quantize_run<scales_levels<F>>(from, zero, run);
                if constexpr (needs_words<F>) exchange_middles(run.codes);
                keep(run, reinterpret_cast<activation_tile<F, Width>*>(tile) + 8 * r, at);
            }
        }
    }

    template <int Width>
    static void keep(const activation_run<code, F::parts>& run, activation_tile<F, Width>* to, std::size_t at) noexcept {
        for (std::size_t g = 0; g < 8; ++g, ++to) {
            __builtin_memcpy(to->codes[at], run.codes + 32 * g, sizeof to->codes[at]);
            to->scales[at] = run.scales[g];
            for (std::size_t part = 0; part < F::parts; ++part) to->sums[part][at] = run.sums[part][g];
        }
    }
    template <int Width>
    static void keep(const activation_run<code, F::parts>& run, integer_tile<F, Width>& to, std::size_t at) noexcept {
        using tile = integer_tile<F, Width>;
        constexpr int length = steps_together<F>;
        to.scales[at] = run.scales[0];
        __m256i earlier = _mm256_setzero_si256(), exceeds = earlier;
        for (std::size_t g = 0; g < 8; ++g) {
            const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(run.codes + 32 * g));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.codes[g][at]), codes);
            // 16 bits have the sum of two codes; 32 then those of a step.
            __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
            alignas(32) std::int32_t found[8];
            if constexpr (tile::centered) {
                const __m256i less = _mm256_set1_epi16(-decoder<F>::zero);
                if constexpr (tile::long_starts != 0) {
                    constexpr int more = steps_mostly<F>, most = 32767 / decoder<F>::zero;
                    _mm256_store_si256(reinterpret_cast<__m256i*>(found), _mm256_mullo_epi16(add_steps<more>(sums), less));
                    for (std::size_t i = 0; i < tile::long_starts; ++i) to.long_start[g][i][at] = found[i * more];
                    const __m256i magnitudes = add_steps<more>(_mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_set1_epi8(1)));
                    exceeds = _mm256_or_si256(exceeds, _mm256_cmpgt_epi16(magnitudes, _mm256_set1_epi16(most)));
                }
                sums = _mm256_mullo_epi16(add_steps<length>(sums), less);
                if constexpr (tile::one_scale) earlier = sums = _mm256_add_epi16(sums, earlier);
                _mm256_store_si256(reinterpret_cast<__m256i*>(found), sums);
                for (std::size_t i = 0; i < tile::starts; ++i) to.start[tile::one_scale ? 0 : g][i][at] = found[i * length];
            } else {
                // Parts are halves of a register.
                sums = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
                sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0b10'11'00'01));
                sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0b01'00'11'10));
                _mm256_store_si256(reinterpret_cast<__m256i*>(found), sums);
                if constexpr (F::parts == 2) {
                    to.sums[g][at] = two_words(found[0], found[4]);
                } else {
                    auto* half = reinterpret_cast<std::byte*>(&to.sums[g / 2][at]) + g % 2 * 2;
                    const auto word = static_cast<std::int16_t>(found[0] + found[4]);
                    __builtin_memcpy(half, &word, 2);
                }
            }
        }
        to.exceeds[at] = _mm256_movemask_epi8(exceeds);
    }
    /// Sums over as many steps in all of their dwords.
    template <int Steps>
    NIBBLE_INLINE static __m256i add_steps(__m256i words) noexcept {
        if constexpr (Steps >= 2) words = _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0b10'11'00'01));
        if constexpr (Steps >= 4) words = _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0b01'00'11'10));
        if constexpr (Steps >= 8) words = _mm256_add_epi16(words, _mm256_permute2x128_si256(words, words, 1));
        return words;
    }
    NIBBLE_INLINE static std::int32_t two_words(std::int32_t first, std::int32_t second) noexcept {
        return static_cast<std::int32_t>((static_cast<std::uint32_t>(second) << 16) | (static_cast<std::uint32_t>(first) & 0xFFFFu));
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
