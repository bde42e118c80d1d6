// Float rows in the form that the integer products of AVX-512 read: groups of 32 codes of 8 bits with one scale, and the sums that pair with
// the weights' zero points or offsets.
//
// Few rows, each by itself, run by run: vnni/activation.hpp
// Many rows, in blocks of `width` rows, run by run, and there in tiles of eight rows and then perhaps of four, two and one (`count`):
//   scales [run][tile][group][count], sums [parts] of such arrays, codes [run][tile][group][count][32] in the order of the elements
// A narrow block is one tile. In a wide one, rows for formats whose sums stay integers (integer_form.hpp) have one scale for 256 columns, as these
// formats' companion q8_k has, and sums without it: beside offsets as pairs of 16 bits, [run][tile][pair][count].
// Rows are padded to whole runs with zeros.
#pragma once

#include "nibble/kernel/avx2/quantize_run.hpp"
#include "nibble/kernel/avx512/integer_form.hpp"
#include "nibble/kernel/avx512/vnni.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// Float rows up to which products go along each packed row (vnni/gemv.hpp); more let sixteen packed rows share a register (panel.hpp).
inline constexpr std::size_t few = 6;
/// Rows of a block, at most: packed rows are unpacked once for all of them.
inline constexpr std::size_t widest = 512;
/// Up to so many rows a block is narrow.
inline constexpr std::size_t narrow = 24;
/// Rows of a tile of a wide block, at most.
inline constexpr std::size_t widest_tile = 8;

/// Rows of a block: blocks of equal width waste least.
NIBBLE_INLINE constexpr std::size_t width_for(std::size_t count) noexcept { return divide_up(count, divide_up(count, widest)); }

/// Where the arrays of a block are.
struct block {
    float* scales;
    std::int32_t* sums;  ///< of part p: sums + p * groups * width
    std::int8_t* codes;
    std::size_t width, groups;

    NIBBLE_INLINE bool wide() const noexcept { return width > narrow; }
    /// What follows after a run of `rows` float rows.
    NIBBLE_INLINE block after(std::size_t rows) const noexcept { return {scales + 8 * rows, sums + 8 * rows, codes + 256 * rows, width, groups}; }
};

/// Four codes of a float row, in every lane.
NIBBLE_INLINE __m512i broadcast_codes(const std::int8_t* codes) noexcept {
    std::int32_t four;
    __builtin_memcpy(&four, codes, 4);
    return _mm512_set1_epi32(four);
}
/// sum + the products of sixteen times four codes with the same four of a float row. The broadcast is part of the instruction; GCC 12 does not know
/// that form and would take a register and an instruction for it. Volatile: GCC would have chains of sums take turns no more.
NIBBLE_INLINE __m512i add_products(__m512i sum, __m512i codes, const std::int8_t* activation) noexcept {
#if defined(__clang__)
    return _mm512_dpbusd_epi32(sum, codes, broadcast_codes(activation));
#else
    __asm__ volatile("vpdpbusd {%2%{1to16%}, %1, %0|%0, %1, %2%{1to16%}}"
                     : "+v"(sum)
                     : "v"(codes), "m"(*reinterpret_cast<const std::int8_t(*)[4]>(activation)));
    return sum;
#endif
}
/// sum + the products of sixteen times two words, in the same order with GCC.
NIBBLE_INLINE __m512i add_word_products(__m512i sum, __m512i a, __m512i b) noexcept {
#if defined(__clang__)
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    __asm__ volatile("vpdpwssd {%2, %1, %0|%0, %1, %2}" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#endif
}
/// The same with two words of a float row.
NIBBLE_INLINE __m512i add_word_products(__m512i sum, __m512i words, const std::int32_t* activation) noexcept {
#if defined(__clang__)
    return _mm512_dpwssd_epi32(sum, words, _mm512_set1_epi32(*activation));
#else
    __asm__("vpdpwssd {%2%{1to16%}, %1, %0|%0, %1, %2%{1to16%}}" : "+v"(sum) : "v"(words), "m"(*activation));
    return sum;
#endif
}

/// The block that starts at float row `first` of `count`.
template <std::size_t Parts>
NIBBLE_INLINE block block_at(const std::byte* workspace, std::size_t first, std::size_t count, std::size_t cols) noexcept {
    const std::size_t full = width_for(count), width = count - first < full ? count - first : full, groups = 8 * runs_of(cols);
    auto* scales = reinterpret_cast<float*>(const_cast<std::byte*>(workspace) + first * activation_bytes<Parts>(cols));
    auto* sums = reinterpret_cast<std::int32_t*>(scales + groups * width);
    return {scales, sums, reinterpret_cast<std::int8_t*>(sums + Parts * groups * width), width, groups};
}

/// @tparam OneScale  all groups have the same scale
template <bool OneScale, std::size_t Parts>
NIBBLE_INLINE void quantize_run(const float* x, quantized_run<Parts>& out) noexcept {
    __m256i largest_bits = avx2::eight_magnitudes<32>(x);
    avx2::fence();  // GCC would load all floats again while it still looks for the largest
    if constexpr (OneScale) largest_bits = _mm256_set1_epi32(_mm512_reduce_max_epi32(_mm512_zextsi256_si512(largest_bits)));
    const __m256 largest = _mm256_castsi256_ps(largest_bits);
    // Below 2^-115 an inverse could overflow; such a group is zero for every purpose.
    const __mmask8 usable = _mm256_cmpgt_epi32_mask(largest_bits, _mm256_set1_epi32(12 << 23));
    out.scales = _mm256_maskz_mul_ps(usable, largest, _mm256_set1_ps(1.0f / 127.0f));
    alignas(32) float inverse[8];
    _mm256_store_ps(inverse, _mm256_maskz_div_ps(usable, _mm256_set1_ps(127.0f), largest));
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
        const __m512 factor = _mm512_set1_ps(inverse[g]);
        const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 32 * g), factor));
        const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 32 * g + 16), factor));
        out.codes[g] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm512_cvtsepi32_epi8(low)), _mm512_cvtsepi32_epi8(high), 1);
    }
    add_strips(out);
}

/// Calls keep(run, i, r) for run i of float rows first .. last - 1, quantized. A run of all rows, then the next runs: what is written then stays
/// together.
template <class F, bool OneScale>
NIBBLE_INLINE void for_each_run(const float* x, std::size_t first, std::size_t last, std::size_t cols, auto&& keep) noexcept {
    for (std::size_t i = 0; i < runs_of(cols); ++i) {
        for (std::size_t r = first; r < last; ++r) {
            float padded[run_size];
            quantized_run<F::parts> run;
            quantize_run<OneScale>(avx2::floats_at(x + r * cols, cols, i, padded), run);
            keep(run, i, r);
        }
    }
}

/// What the sums of part p are kept as where sums of products stay integers. Beside offsets, pairs of them are, all as part 0.
template <class F>
NIBBLE_INLINE __m256i paired_with_integers(const __m256i (&sums)[F::parts], std::size_t p) noexcept {
    if constexpr (decoder<F>::zero >= 0) {
        return _mm256_add_epi32(_mm256_mullo_epi32(sums[p], _mm256_set1_epi32(-decoder<F>::zero)), _mm256_set1_epi32(tries_words<F> ? word_bias : 0));
    } else if constexpr (F::parts == 2) {
        return _mm256_blend_epi16(sums[0], _mm256_slli_epi32(sums[1], 16), 0xAA);
    } else {
        const __m256i pairs = _mm256_blend_epi16(sums[0], _mm256_srli_epi64(sums[0], 16), 0xAA);  // in every other lane
        return _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    }
}

/// Workspace and prepare of products that share a register among rows: float rows in blocks, however few.
template <class F>
struct block_activation {
    static constexpr std::size_t parts = F::parts;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return count * activation_bytes<parts>(cols); }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (stays_integer<F> && width_for(count) > narrow) prepare_as<stays_integer<F>>(x, first, last, count, cols, out);
        else prepare_as<false>(x, first, last, count, cols, out);
    }

private:
    template <bool OneScale>
    NIBBLE_INLINE static void prepare_as(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols,
                                         std::byte* out) noexcept {
        const std::size_t full = width_for(count);
        for_each_run<F, OneScale>(x, first, last, cols, [&](const quantized_run<parts>& run, std::size_t i, std::size_t r) NIBBLE_LAMBDA_INLINE {
            const std::size_t at = r % full;
            keep_in_block(run, block_at<parts>(out, r - at, count, cols), i, at);
        });
    }

    NIBBLE_INLINE static void keep_in_block(const quantized_run<parts>& run, const block& to, std::size_t i, std::size_t row) noexcept {
        float scales[8];
        std::int32_t sums[parts][8];
        _mm256_storeu_ps(scales, run.scales);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < parts; ++p) {
            const __m256i kept = stays_integer<F> && to.wide() ? paired_with_integers<F>(run.sums, p) : paired<F>(run.sums[p], run.scales);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums[p]), kept);
        }
        std::size_t count = to.wide() ? widest_tile : to.width;
        while (row >= to.width / count * count) count /= 2;
        const std::size_t first = row / count * count;
        std::size_t at = 8 * (i * to.width + first) + row - first;
#pragma GCC unroll 8
        for (std::size_t g = 0; g < 8; ++g, at += count) {
            to.scales[at] = scales[g];
            for (std::size_t p = 0; p < parts; ++p) to.sums[p * to.groups * to.width + at] = sums[p][g];
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to.codes + 32 * at), run.codes[g]);
        }
    }
};

/// op::linear's workspace and prepare.
template <class F>
struct activation {
    static constexpr std::size_t parts = F::parts;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return block_activation<F>::workspace(count, cols); }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (count > few) return block_activation<F>::prepare(x, first, last, count, cols, out);
        for_each_run<F, false>(x, first, last, cols, [&](const quantized_run<parts>& run, std::size_t i, std::size_t r) NIBBLE_LAMBDA_INLINE {
            keep<F>(run, reinterpret_cast<activation_run<parts>*>(out + r * activation_bytes<parts>(cols))[i]);
        });
    }
};

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
