// Products of panels (kernel/panel.hpp) with few float rows, with AVX2: a group of eight rows is unpacked into registers, which then meet up to four
// float rows. Rows are lanes, so that neither scales are broadcast nor sums formed across lanes. Many float rows have packed rows unpacked into
// tiles instead (linear.hpp), where panels would not save anything.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avx2/panel_codes.hpp"
#include "nibble/kernel/avx2/tile.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Float rows up to which panels were measured to serve better than packed rows. Codes of 6 bits take too long to put together, and those of 8
/// are multiplied too slowly for the unpacking to matter; listed ones save a single row the look-ups.
template <class F>
inline constexpr std::size_t most_with_panels = needs_words<F> ? (panels_of<F>.code_count != 0 ? 1 : 0) : panel::index_bits<F> == 6 ? 0 : F::code_bits == 7 ? 15 : 16;

/// Float rows as panels meet them: run by run, codes in the order of the elements.
template <class F>
struct ordered_activation {
    static constexpr int zero = needs_words<F> || panels_of<F>.zero < 0 ? 0 : panels_of<F>.zero;

    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept { return count * row_workspace<F>(cols); }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t, std::size_t cols, std::byte* out) noexcept {
        for (std::size_t i = first; i < last; ++i) {
            for (std::size_t r = 0; r < runs_of(cols); ++r) {
                float padded[run_size];
                quantize(floats_at(x + i * cols, cols, r, padded), reinterpret_cast<row_run<F>*>(out + i * row_workspace<F>(cols))[r]);
            }
        }
    }

private:
    [[gnu::noinline]] static void quantize(const float* from, row_run<F>& to) noexcept { quantize_run(from, zero, to); }
};

/// Halves of a panel that meet float rows together: both share the broadcasts, if there are registers for their sums.
template <class F, int Cols>
inline constexpr int halves_together = (fit_in_words(F::code_bits) >= 8 / static_cast<int>(F::parts) ? 1 : 2) * Cols <= 4 ? 2 : 1;

/// Products of a quad with four codes of a float row, of which `magnitude` are the magnitudes. Levels of 8 bits meet codes with one of both as
/// a magnitude that the other's sign has moved to; that of -128, which listed levels do not have, is no level.
template <class F>
NIBBLE_INLINE __m256i multiply_quad(__m256i w, __m256i x, __m256i magnitude) noexcept {
    if constexpr (!needs_words<F>) return _mm256_maddubs_epi16(w, x);
    else if constexpr (panels_of<F>.code_count != 0) return _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
    else return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

/// Products of part Part of a group with Cols float rows, in 32 bits, quad by quad: added in 16 bits as long as they fit.
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
                const __m256i p = multiply_quad<F>(w[h], x, magnitude);
                some[h][c] = K % fit == 0 ? p : _mm256_add_epi16(some[h][c], p);
                pin(some[h][c]);
                if constexpr (K % fit == fit - 1) {
                    const __m256i wide = widen(some[h][c]);
                    product[h][c] = K % steps < fit ? wide : _mm256_add_epi32(product[h][c], wide);
                }
            }
        }
    };
    constexpr int first = Part * steps;
    add.template operator()<first>();
    add.template operator()<first + 1>();
    add.template operator()<first + 2>();
    add.template operator()<first + 3>();
    if constexpr (steps == 8) {
        add.template operator()<4>();
        add.template operator()<5>();
        add.template operator()<6>();
        add.template operator()<7>();
    }
}

/// Adds the products of Halves halves of a run of a panel, from half `first` on, with runs of Cols float rows.
template <class F, int Cols, int Halves>
NIBBLE_INLINE void add_run(const std::byte* run, std::size_t first, const row_run<F>* const (&x)[Cols], std::size_t i, __m256 (&total)[2][Cols]) noexcept {
    using order = panel::order<F>;
    constexpr bool centered = !order::has_offsets;
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
#pragma GCC unroll 4
            for (int c = 0; c < Cols; ++c) total[at(h)][c] = _mm256_fmadd_ps(sums[h][c], panel_units<F>(run, kind, at(h)), total[at(h)][c]);
        }
    };
    clear();
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g) {
        fetch_ahead<F>(run, g);
        const std::int8_t* codes[Cols];
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
                    else if constexpr (needs_words<F>) to = _mm256_fmadd_ps(scale, _mm256_mul_ps(sum, _mm256_set1_ps(128.0f)), to);
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
[[gnu::noinline]] void multiply_panels(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y,
                                       std::size_t stride) noexcept {
    const row_run<F>* x[Cols];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) x[c] = reinterpret_cast<const row_run<F>*>(workspace + static_cast<std::size_t>(c) * row_workspace<F>(cols));
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
        while (count != 0) {
            const std::size_t here = avx2::rows_together(count);
            switch (here) {
                case 1: avx2::multiply_panels<F, 1>(panels, rows, cols, workspace, y, stride); break;
                case 2: avx2::multiply_panels<F, 2>(panels, rows, cols, workspace, y, stride); break;
                case 3: avx2::multiply_panels<F, 3>(panels, rows, cols, workspace, y, stride); break;
                default: avx2::multiply_panels<F, 4>(panels, rows, cols, workspace, y, stride); break;
            }
            count -= here;
            workspace += here * avx2::row_workspace<F>(cols);
            y += here * stride;
        }
    }
    static constexpr op::panel_linear::entry entry{{&avx2::ordered_activation<F>::workspace, &avx2::ordered_activation<F>::prepare, &run},
                                                   avx2::most_with_panels<F>};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
