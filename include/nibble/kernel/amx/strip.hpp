// Strips of weights: 32 rows by 512 columns as tiles of bfloat16, from panels or from packed rows.
//
// Row k of a tile holds columns 2 k and 2 k + 1 of sixteen weight rows, in turn: the order in which tdpbf16ps reads its second factor.
#pragma once

#include "nibble/kernel/amx/activation.hpp"
#include "nibble/kernel/avx512/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AMX
NIBBLE_BASELINE_BEGIN
namespace amx {

/// Weight rows of a strip; its columns, in runs of 256 and in tiles. It takes 32 kB.
inline constexpr std::size_t strip_rows = 2 * panel::rows, strip_runs = 2, strip_steps = strip_runs * panel::run / tile_cols;

static_assert(panel::group == tile_cols && panel::rows == tile::rows);

struct alignas(64) strip {
    std::byte tiles[2][strip_steps][tile::bytes];  ///< of the first and of the last sixteen rows
};

/// Eight groups of sixteen rows in panel order to as many tiles. Without Offsets, value = scale * (code - Zero).
template <std::size_t Parts, int Zero>
NIBBLE_INLINE void to_tiles(const std::byte* codes, std::size_t code_stride, const float* factors, std::size_t factor_stride,
                            std::byte (*tiles)[tile::bytes]) noexcept {
    const __m512i in_turn =
        _mm512_add_epi32(_mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32(0x10001)),
                         _mm512_set1_epi32(0x100000));
    for (std::size_t g = 0; g < panel::run / panel::group; ++g, codes += code_stride, factors += factor_stride, ++tiles) {
        __m512 scale[Parts], offset[Parts];
#pragma GCC unroll 2
        for (std::size_t p = 0; p < Parts; ++p) {
            scale[p] = _mm512_load_ps(factors + p * panel::rows);
            if constexpr (Zero < 0) offset[p] = _mm512_load_ps(factors + (Parts + p) * panel::rows);
            else offset[p] = _mm512_mul_ps(scale[p], _mm512_set1_ps(-static_cast<float>(Zero)));
        }
#pragma GCC unroll 8
        for (std::size_t k = 0; k < 8; ++k) {
            const std::size_t part = k * Parts / 8;
            const __m512i four = _mm512_load_si512(codes + 64 * k);
            __m512 value[4];
#pragma GCC unroll 4
            for (unsigned i = 0; i < 4; ++i) {
                const __m512i code = i == 3 ? _mm512_srli_epi32(four, 24) : _mm512_and_si512(_mm512_srli_epi32(four, 8 * i), _mm512_set1_epi32(255));
                value[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), scale[part], offset[part]);
            }
            _mm512_store_si512(*tiles + 128 * k, _mm512_permutexvar_epi16(in_turn, to_bfloat16(value[0], value[1])));
            _mm512_store_si512(*tiles + 128 * k + 64, _mm512_permutexvar_epi16(in_turn, to_bfloat16(value[2], value[3])));
        }
    }
}

/// Runs first .. first + runs - 1 of 1 to 32 packed rows; what lies past the end becomes zeros.
template <class F>
NIBBLE_NOINLINE void fill_from_rows(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t first, std::size_t runs,
                                    strip& out) noexcept {
    constexpr std::size_t factors = avx512::factors_of<F>;
    for (std::size_t half = 0; half < 2; ++half) {
        const std::size_t from = half * panel::rows;
        if (from >= rows) {
            __builtin_memset(out.tiles[half], 0, sizeof out.tiles[half]);
            return;
        }
        const std::size_t here = rows - from < panel::rows ? rows - from : panel::rows;
        for (std::size_t k = 0; k < runs; ++k) {
            avx512::unpacked_run<factors> run;
            avx512::unpack<F>(packed + from * row_bytes<F>(cols), here, cols, first + k, run);
            to_tiles<F::parts, avx512::decoder<F>::zero>(run.codes[0], panel::wide_code_bytes, run.factors[0][0], factors * panel::rows,
                                                         &out.tiles[half][8 * k]);
        }
    }
}

/// The same from panels of `rows` rows.
template <class F>
NIBBLE_NOINLINE void fill_from_panels(const std::byte* panels, std::size_t rows, std::size_t cols, std::size_t first, std::size_t runs,
                                      strip& out) noexcept {
    constexpr std::size_t size = panel::wide_group_bytes(F::parts), run_bytes = panel::order<F>::run_bytes;
    for (std::size_t half = 0; half < 2; ++half) {
        if (half * panel::rows >= rows) {
            __builtin_memset(out.tiles[half], 0, sizeof out.tiles[half]);
            return;
        }
        const std::byte* run = panels + half * panel::bytes<F>(panel::rows, cols) + first * run_bytes;
        for (std::size_t k = 0; k < runs; ++k, run += run_bytes) {
            alignas(64) std::byte wide[panel::wide_run_bytes<F>];
            avx512::widen_run<F>(run, wide);
            to_tiles<F::parts, avx512::decoder<F>::zero>(wide, size, reinterpret_cast<const float*>(wide + panel::wide_code_bytes),
                                                         size / sizeof(float), &out.tiles[half][8 * k]);
        }
    }
}

}  // namespace amx
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
