// Products of panels (kernel/panel.hpp) with few float rows, with AVX2: a group of eight rows is unpacked into registers, which then meet up to four
// float rows. Rows are lanes, so that neither scales are broadcast nor sums formed across lanes. For many float rows panels are unpacked for tiles
// (panel_tiles.hpp).
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avx2/panel_codes.hpp"
#include "nibble/kernel/avx2/panel_tiles.hpp"
#include "nibble/kernel/avx2/tile.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// From as many float rows on panels are unpacked for tiles, as measured. Codes in two planes, or of a list, take long to put together in registers;
/// tiles of super-blocks save their scales.
template <class F>
inline constexpr std::size_t unpack_threshold = [] {
    const bool listed = panels_of<F>.code_count != 0, two_planes = panel::planes_of(panel::index_bits<F>).second.width != 0;
    if (needs_words<F>) return listed ? 6 : 12;
    if (two_planes) return 6;
    if (stays_integer<F>) return listed || F::code_bits < 4 ? 6 : 14;
    return listed && F::parts == 1 ? 6 : 17;
}();

/// A run of a float row as panels meet it. Codes are in the order of the elements, those of 16 bits as tiles have them. A single row has codes of 8
/// bits for listed levels of 8 bits too, which take their signs: looking them up takes longer than multiplying.
template <class F, bool Single>
using panel_activation = activation_run<std::conditional_t<Single && panels_of<F>.code_count != 0, std::int8_t, activation_code<F>>, F::parts>;

/// Workspace and prepare of products with panels: few float rows run by run, many in tiles.
template <class F>
struct ordered_activation {
    static constexpr int zero = needs_words<F> || panels_of<F>.zero < 0 ? 0 : panels_of<F>.zero;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        if (count >= unpack_threshold<F>) return tiled_activation<F>::workspace(count, cols);
        return count * runs_of(cols) * sizeof(panel_activation<F, false>);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (count >= unpack_threshold<F>) tiled_activation<F>::prepare(x, first, last, count, cols, out);
        else if (count == 1) prepare_rows<true>(x, first, last, cols, out);
        else prepare_rows<false>(x, first, last, cols, out);
    }

private:
    template <bool Single>
    static void prepare_rows(const float* x, std::size_t first, std::size_t last, std::size_t cols, std::byte* out) noexcept {
        for (std::size_t i = first; i < last; ++i) {
            for (std::size_t r = 0; r < runs_of(cols); ++r) {
                float padded[run_size];
                quantize(floats_at(x + i * cols, cols, r, padded), reinterpret_cast<panel_activation<F, Single>*>(out)[i * runs_of(cols) + r]);
            }
        }
    }
    template <class Run>
    NIBBLE_NOINLINE static void quantize(const float* from, Run& to) noexcept {
        quantize_run(from, zero, to);
        if constexpr (sizeof to.codes[0] == 2) exchange_middles(to.codes);
    }
};

/// Halves of a panel that meet float rows together: both share the broadcasts, if there are registers for their sums.
template <class F, int Cols>
inline constexpr int halves_together = (fit_in_words(F::code_bits) >= 8 / static_cast<int>(F::parts) ? 1 : 2) * Cols <= 4 ? 2 : 1;

/// Products of part Part of a group with Cols float rows, in 32 bits, quad by quad: added in 16 bits as long as they fit. Listed levels of 8 bits, of
/// which -128 is none, take the signs of the float rows and leave them their magnitudes.
/// @param group the group's codes, of the first of Halves halves
/// @param codes of the group, of each float row
template <class F, int Part, int Cols, int Halves>
NIBBLE_INLINE void multiply_part(const std::byte* group, const std::int8_t* const (&codes)[Cols], __m256i (&product)[Halves][Cols]) noexcept {
    constexpr int steps = 8 / static_cast<int>(F::parts), fits = fit_in_words(F::code_bits), fit = fits < steps ? fits : steps;
    __m256i some[Halves][Cols];
    const auto add = [&]<int K>() NIBBLE_LAMBDA_INLINE {
        __m256i w[Halves];
#pragma GCC unroll 2
        for (int h = 0; h < Halves; ++h) {
            w[h] = panel_codes<F, K, needs_words<F> ? 128 : 0>(group + 32 * h);
        }
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
            const __m256i x = broadcast_codes(codes[c] + 4 * K), magnitude = _mm256_abs_epi8(x);
#pragma GCC unroll 2
            for (int h = 0; h < Halves; ++h) {
                const __m256i p = needs_words<F> ? _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w[h], x)) : _mm256_maddubs_epi16(w[h], x);
                some[h][c] = K % fit == 0 ? p : _mm256_add_epi16(some[h][c], p);
                pin(some[h][c]);
                if constexpr (K % fit == fit - 1) {
                    const __m256i wide = widen(some[h][c]);
                    product[h][c] = K % steps < fit ? wide : _mm256_add_epi32(product[h][c], wide);
                    pin(product[h][c]);
                }
            }
        }
    };
    for_each_quad<Part * steps, steps>(add);
}

/// The same for codes of 8 bits, whose products with codes of 16 bits are added in 32: levels are multiplied with 256, which takes one instruction
/// for those of two columns. Of four columns, the codes of float rows come in the order 0, 2, 1, 3.
template <class F, int Part, int Cols, int Halves>
NIBBLE_INLINE void multiply_part(const std::byte* group, const std::int16_t* const (&codes)[Cols], __m256i (&product)[Halves][Cols]) noexcept {
    constexpr int steps = 8 / static_cast<int>(F::parts);
    static_assert(32 / static_cast<int>(F::parts) * 128 * 256 * std::int64_t{2047} < std::int64_t{1} << 31);
    const auto add = [&]<int K>() NIBBLE_LAMBDA_INLINE {
        __m256i w[Halves][2];
#pragma GCC unroll 2
        for (int h = 0; h < Halves; ++h) {
            const __m256i levels = panel_codes<F, K, 128>(group + 32 * h);
            w[h][0] = _mm256_slli_epi16(levels, 8);
            w[h][1] = _mm256_and_si256(levels, _mm256_set1_epi16(-256));
        }
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
#pragma GCC unroll 2
            for (int i = 0; i < 2; ++i) {
                const __m256i x = broadcast_codes(codes[c] + 4 * K + 2 * i);
#pragma GCC unroll 2
                for (int h = 0; h < Halves; ++h) {
                    const __m256i p = _mm256_madd_epi16(w[h][i], x);
                    product[h][c] = K % steps == 0 && i == 0 ? p : _mm256_add_epi32(product[h][c], p);
                    pin(product[h][c]);
                }
            }
        }
    };
    for_each_quad<Part * steps, steps>(add);
}

/// Adds the products of Halves halves of a run of a panel, from half `first` on, with runs of Cols float rows.
template <class F, int Cols, int Halves, class Run>
NIBBLE_INLINE void add_run(const std::byte* run, std::size_t first, const Run* const (&x)[Cols], std::size_t i, __m256 (&total)[2][Cols]) noexcept {
    using order = panel::order<F>;
    constexpr bool centered = !order::has_offsets;
    using code = std::remove_extent_t<decltype(Run::codes)>;
    constexpr float code_unit = sizeof(code) == 2 ? 256.0f : 1.0f;
    const auto at = [&](std::size_t h) NIBBLE_LAMBDA_INLINE { return first + h; };
    __m256 sums[Halves][Cols];  // in units of scales, then of offsets
    const auto clear = [&]() NIBBLE_LAMBDA_INLINE {
#pragma GCC unroll 2
        for (std::size_t h = 0; h < Halves; ++h) {
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) sums[h][c] = _mm256_setzero_ps();
        }
    };
    const auto add_to_total = [&](std::size_t kind) NIBBLE_LAMBDA_INLINE {
#pragma GCC unroll 2
        for (std::size_t h = 0; h < Halves; ++h) {
            const __m256 unit = _mm256_mul_ps(panel_units<F>(run, kind, at(h)), _mm256_set1_ps(kind == 0 ? 1.0f / code_unit : 1.0f));
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) total[at(h)][c] = _mm256_fmadd_ps(sums[h][c], unit, total[at(h)][c]);
        }
    };
    clear();
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g) {
        if (first == 0) fetch_ahead<F, Cols == 1>(run, g);
        const code* codes[Cols];
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) codes[c] = x[c][i].codes + 32 * g;
        const auto part = [&]<int Part>() NIBBLE_LAMBDA_INLINE {
            __m256i product[Halves][Cols];
            multiply_part<F, Part>(run + g * order::group_bytes + 32 * first, codes, product);
#pragma GCC unroll 2
            for (std::size_t h = 0; h < Halves; ++h) {
                const __m256 scale = panel_factors<F>(run, 0, g, Part, at(h));
#pragma GCC unroll 4
                for (int c = 0; c < Cols; ++c) {
                    const auto& a = x[c][i];
                    __m256& to = sums[h][c];
                    to = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product[h][c]), _mm256_mul_ps(scale, _mm256_broadcast_ss(&a.scales[g])), to);
                    if constexpr (centered && needs_words<F>) continue;
                    const __m256 sum = _mm256_broadcast_ss(&a.sums[Part][g]);
                    if constexpr (centered) to = _mm256_fmadd_ps(scale, sum, to);
                    else if constexpr (needs_words<F>) to = _mm256_fmadd_ps(scale, _mm256_mul_ps(sum, _mm256_set1_ps(128.0f * code_unit)), to);
                }
            }
        };
        part.template operator()<0>();
        if constexpr (F::parts == 2) part.template operator()<1>();
    }
    add_to_total(0);
    if constexpr (!centered) {
        clear();
#pragma GCC unroll 1
        for (std::size_t p = 0; p < panel::groups * F::parts; ++p) {
#pragma GCC unroll 2
            for (std::size_t h = 0; h < Halves; ++h) {
                const __m256 offset = panel_factors<F>(run, 1, p / F::parts, p % F::parts, at(h));
#pragma GCC unroll 4
                for (int c = 0; c < Cols; ++c) {
                    sums[h][c] = _mm256_fmadd_ps(offset, _mm256_broadcast_ss(&x[c][i].sums[p % F::parts][p / F::parts]), sums[h][c]);
                }
            }
        }
        add_to_total(1);
    }
}

/// Products of all panels with Cols float rows.
template <class F, int Cols>
NIBBLE_NOINLINE void multiply_panels(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y,
                                       std::size_t stride) noexcept {
    using activation = panel_activation<F, Cols == 1>;
    const activation* x[Cols];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) x[c] = reinterpret_cast<const activation*>(workspace) + static_cast<std::size_t>(c) * runs_of(cols);
    for (std::size_t r = 0; r < rows; r += panel::rows) {
        __m256 total[2][Cols] = {};
        for (std::size_t i = 0; i < runs_of(cols); ++i, panels += panel::order<F>::run_bytes) {
            constexpr int halves = halves_together<F, Cols>;
            add_run<F, Cols, halves>(panels, 0, x, i, total);
            if constexpr (halves == 1) add_run<F, Cols, 1>(panels, 1, x, i, total);
        }
        const std::size_t here = rows - r < panel::rows ? rows - r : panel::rows;
        for (std::size_t c = 0; c < Cols; ++c) {
            alignas(32) float sums[panel::rows];
            _mm256_store_ps(sums, total[0][c]);
            _mm256_store_ps(sums + 8, total[1][c]);
            __builtin_memcpy(y + c * stride + r, sums, here * sizeof(float));
        }
    }
}

}  // namespace avx2

template <affine_format F>
struct kernel<op::panel_linear, F, isa::avx2> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (count >= avx2::unpack_threshold<F>) return avx2::multiply_unpacked<F>(panels, rows, cols, workspace, count, y, stride);
        while (count != 0) {
            const std::size_t here = avx2::rows_together(count);
            switch (here) {
                case 1: avx2::multiply_panels<F, 1>(panels, rows, cols, workspace, y, stride); break;
                case 2: avx2::multiply_panels<F, 2>(panels, rows, cols, workspace, y, stride); break;
                case 3: avx2::multiply_panels<F, 3>(panels, rows, cols, workspace, y, stride); break;
                default: avx2::multiply_panels<F, 4>(panels, rows, cols, workspace, y, stride); break;
            }
            count -= here;
            workspace += here * avx2::runs_of(cols) * sizeof(avx2::panel_activation<F, false>);
            y += here * stride;
        }
    }
    static constexpr op::panel_linear::entry entry{&avx2::ordered_activation<F>::workspace, &avx2::ordered_activation<F>::prepare, &run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
