// Runs of sixteen packed rows, unpacked from any decoder: rows are decoded one by one, which keeps the decoder's constants in registers, and a
// transposition then makes columns of them.
#pragma once

#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avx512/integer_tile.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// Sixteen rows of eight 32-bit elements, `stride` bytes apart, to eight columns of sixteen, `out_stride` bytes apart.
NIBBLE_INLINE void transpose(const std::byte* rows, std::size_t stride, std::byte* out, std::size_t out_stride) noexcept {
    __m512i half[2][4];
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
        __m512i v[4], a[4];
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) {
            const auto at = [&](std::size_t r) NIBBLE_LAMBDA_INLINE {
                return _mm256_load_si256(reinterpret_cast<const __m256i*>(rows + (8 * h + r) * stride));
            };
            v[i] = _mm512_inserti64x4(_mm512_castsi256_si512(at(i)), at(i + 4), 1);
        }
        a[0] = _mm512_unpacklo_epi32(v[0], v[1]);
        a[1] = _mm512_unpackhi_epi32(v[0], v[1]);
        a[2] = _mm512_unpacklo_epi32(v[2], v[3]);
        a[3] = _mm512_unpackhi_epi32(v[2], v[3]);
        half[h][0] = _mm512_unpacklo_epi64(a[0], a[2]);
        half[h][1] = _mm512_unpackhi_epi64(a[0], a[2]);
        half[h][2] = _mm512_unpacklo_epi64(a[1], a[3]);
        half[h][3] = _mm512_unpackhi_epi64(a[1], a[3]);
    }
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
        _mm512_store_si512(out + k * out_stride, _mm512_shuffle_i32x4(half[0][k], half[1][k], 0x88));
        _mm512_store_si512(out + (k + 4) * out_stride, _mm512_shuffle_i32x4(half[0][k], half[1][k], 0xDD));
    }
}

/// Sixteen rows by 256 columns, row by row: codes, and scales (offsets) by part.
template <std::size_t Factors>
struct alignas(64) decoded_rows {
    std::byte codes[panel::rows][run_size];
    float factors[panel::rows][Factors][8];
};

/// The same by columns: codes as in a panel, and scales (then offsets) by group and part.
template <std::size_t Factors>
struct alignas(64) unpacked_run {
    std::byte codes[8][panel::wide_code_bytes];
    float factors[8][Factors][panel::rows];
};

/// Whether sums of activations meet offsets; else sums of products start at what the codes' zero takes away.
template <class F>
inline constexpr bool adds_offsets = decoder<F>::zero < 0;

/// Scales, and offsets where they are added.
template <class F>
inline constexpr std::size_t factors_of = F::parts * (adds_offsets<F> ? 2 : 1);

/// From rows to columns.
template <std::size_t Factors>
NIBBLE_NOINLINE void transpose_rows(const decoded_rows<Factors>& from, std::byte (*codes)[panel::wide_code_bytes],
                                    float (*factors)[Factors][panel::rows]) noexcept {
    for (std::size_t g = 0; g < 8; ++g) transpose(from.codes[0] + 32 * g, run_size, codes[g], 64);
    for (std::size_t i = 0; i < Factors; ++i) {
        transpose(reinterpret_cast<const std::byte*>(from.factors[0][i]), sizeof from.factors[0], reinterpret_cast<std::byte*>(factors[0][i]),
                  sizeof factors[0]);
    }
}

/// Decodes run `index` of 1 to 16 packed rows; rows past the end are zeros.
/// @param keep_factors keep_factors(run, r) for each row
template <class F>
NIBBLE_INLINE void decode_rows(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t index, decoded_rows<factors_of<F>>& decoded,
                               auto&& keep_factors) noexcept {
    const std::size_t stride = row_bytes<F>(cols);
    for (std::size_t r = 0; r < rows; ++r, packed += stride) {
        std::byte padded[run_bytes<F>];
        const std::byte* run = avx2::run_at<F>(packed, index, cols, padded);
        const auto* next = reinterpret_cast<const char*>(run) + run_bytes<F>;
#pragma GCC unroll 8
        for (std::size_t line = 0; line < run_bytes<F>; line += 64) _mm_prefetch(next + line, _MM_HINT_T0);
        keep_factors(run, r);
        for_each_of_eight([&]<int Group>() NIBBLE_LAMBDA_INLINE {
            _mm256_store_si256(reinterpret_cast<__m256i*>(decoded.codes[r] + 32 * Group), decoder<F>::template codes<Group>(run));
        });
    }
    for (std::size_t r = rows; r < panel::rows; ++r) {
        __builtin_memset(decoded.codes[r], 0, sizeof decoded.codes[r]);
        __builtin_memset(decoded.factors[r], 0, sizeof decoded.factors[r]);
    }
}

/// Unpacks a run of packed rows.
template <class F>
NIBBLE_INLINE void unpack(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t index, unpacked_run<factors_of<F>>& out) noexcept {
    decoded_rows<factors_of<F>> decoded;
    decode_rows<F>(packed, rows, cols, index, decoded, [&](const std::byte* run, std::size_t r) NIBBLE_LAMBDA_INLINE {
        const auto scales = decoder<F>::scales(run);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < F::parts; ++p) {
            _mm256_store_ps(decoded.factors[r][p], scales.scale[p]);
            if constexpr (adds_offsets<F>) _mm256_store_ps(decoded.factors[r][F::parts + p], scales.offset[p]);
        }
    });
    transpose_rows(decoded, out.codes, out.factors);
}

/// The same where sums stay integers.
template <class F>
NIBBLE_INLINE void unpack(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t index, integer_run<F>& out) noexcept {
    decoded_rows<factors_of<F>> decoded;
    alignas(64) float factors[8][factors_of<F>][panel::rows], units[2][panel::rows] = {};
    decode_rows<F>(packed, rows, cols, index, decoded, [&](const std::byte* run, std::size_t r) NIBBLE_LAMBDA_INLINE {
        const auto scales = decoder<F>::scales(run);
        const avx2::run_units unit = decoder<F>::units(run);
        units[0][r] = unit.scale;
        units[1][r] = unit.offset;
#pragma GCC unroll 2
        for (std::size_t p = 0; p < F::parts; ++p) {
            const auto keep = [&](std::size_t i, __m256 all, float of) NIBBLE_LAMBDA_INLINE {
                _mm256_store_si256(reinterpret_cast<__m256i*>(decoded.factors[r][i]), avx2::multiples_of(all, of));
            };
            keep(p, scales.scale[p], unit.scale);
            if constexpr (adds_offsets<F>) keep(F::parts + p, scales.offset[p], unit.offset);
        }
    });
    transpose_rows(decoded, out.codes, factors);
    const auto multiples = [&](std::size_t kind) NIBBLE_LAMBDA_INLINE {
        return [&factors, kind](std::size_t g, std::size_t p) NIBBLE_LAMBDA_INLINE { return _mm512_load_si512(factors[g][kind * F::parts + p]); };
    };
    if constexpr (scales_codes<F>) {
        for (std::size_t g = 0; g < 8; ++g) {
            __m512i w[8];
#pragma GCC unroll 8
            for (int k = 0; k < 8; ++k) w[k] = _mm512_load_si512(out.codes[g] + 64 * k);
            scale_codes<F>(multiples(0), g, w);
#pragma GCC unroll 8
            for (int k = 0; k < 8; ++k) _mm512_store_si512(out.codes[g] + 64 * k, w[k]);
        }
    }
    store_factors(multiples, _mm512_load_ps(units[0]), _mm512_load_ps(units[1]), out);
}

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
