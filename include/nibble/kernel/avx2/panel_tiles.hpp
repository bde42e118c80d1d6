// Products of panels (kernel/panel.hpp) with many float rows, with AVX2: stretches of a panel are unpacked for tiles. Unlike packed rows they need no
// transposition.
#pragma once

#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avx2/panel_codes.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Half of a run in wide form, or, ForTiles, as tiles read it.
template <class F, bool ForTiles>
NIBBLE_INLINE void unpack_half(const std::byte* run, std::size_t half, std::byte* out) noexcept {
    using order = panel::order<F>;
    constexpr bool words = ForTiles && needs_words<F>, scaled = ForTiles && scales_levels<F>;
    constexpr std::size_t code_bytes = ForTiles ? tile_code_bytes<F> : panel::wide_code_bytes;
    constexpr std::size_t size = ForTiles ? tile_group_bytes<F> : panel::wide_group_bytes(F::parts);
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g, out += size) {
        auto* factors = reinterpret_cast<float*>(out + code_bytes);
#pragma GCC unroll 2
        for (std::size_t part = 0; part < F::parts; ++part) {
            __m256 scale = panel_units<F>(run, 0, half);
            if constexpr (!scaled) scale = _mm256_mul_ps(scale, panel_factors<F>(run, 0, g, part, half));
            __m256 offset = _mm256_mul_ps(scale, _mm256_set1_ps(static_cast<float>(-order::form.zero)));
            if constexpr (order::has_offsets) offset = _mm256_mul_ps(panel_factors<F>(run, 1, g, part, half), panel_units<F>(run, 1, half));
            if constexpr (words) scale = _mm256_mul_ps(scale, _mm256_set1_ps(1.0f / level_unit<F>));
            _mm256_store_ps(factors + part * panel::rows, scale);
            _mm256_store_ps(factors + (F::parts + part) * panel::rows, offset);
        }
        __m256i multiple = _mm256_setzero_si256();
        if constexpr (scaled) multiple = upper_bytes(panel_multiples<F>(run, 0, g, 0, half));
        const std::byte* codes = run + g * order::group_bytes + 32 * half;
        for_each_quad<0, 8>([&]<int K>() NIBBLE_LAMBDA_INLINE {
            if constexpr (words) store_levels(panel_codes<F, K, 128>(codes), out + 128 * K, scaled ? &multiple : nullptr);
            else _mm256_store_si256(reinterpret_cast<__m256i*>(out + 64 * K), panel_codes<F, K, 0>(codes));
        });
    }
}

/// Half of a run as integer tiles read it.
template <class F>
NIBBLE_INLINE void unpack_half(const std::byte* run, std::size_t half, integer_panel<F>& out) noexcept {
    using order = panel::order<F>;
    static_assert(order::has_units && order::form.zero == decoder<F>::zero, "sums and starts of tiles are the decoder's");
    constexpr std::size_t parts = F::parts;
    const auto store = [](std::int32_t* to, __m256i v) NIBBLE_LAMBDA_INLINE { _mm256_store_si256(reinterpret_cast<__m256i*>(to), v); };
    _mm256_store_ps(out.scales[half], panel_units<F>(run, 0, half));
    if constexpr (order::has_offsets) {
        _mm256_store_ps(out.offsets[half], panel_units<F>(run, 1, half));
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 4 * parts; ++i) {
            const auto offset = [&](std::size_t k) NIBBLE_LAMBDA_INLINE { return panel_multiples<F>(run, 1, k / parts, k % parts, half); };
            store(out.sub_offsets[i][half], two_words(offset(2 * i), offset(2 * i + 1)));
        }
    }
#pragma GCC unroll 1
    for (std::size_t g = 0; g < panel::groups; ++g) {
#pragma GCC unroll 2
        for (std::size_t part = 0; part < parts; ++part) {
            const __m256i multiple = panel_multiples<F>(run, 0, g, part, half);
            store(out.sub_scales[g][part][half], two_words(multiple, multiple));
        }
        for_each_quad<0, 8>([&]<int K>() NIBBLE_LAMBDA_INLINE {
            const __m256i codes = panel_codes<F, K, 0>(run + g * order::group_bytes + 32 * half);
            _mm256_store_si256(reinterpret_cast<__m256i*>(out.codes[g][K][half]), codes);
        });
    }
}

/// A run as tiles read it.
template <class F>
NIBBLE_INLINE void unpack_run(const std::byte* run, std::byte* out) noexcept {
    for (std::size_t half = 0; half < 2; ++half) {
        if constexpr (stays_integer<F>) unpack_half<F>(run, half, *reinterpret_cast<integer_panel<F>*>(out));
        else unpack_half<F, true>(run, half, out + 32 * half);
    }
}

/// Unpacks panels stretch by stretch, by unpack(run, to), and calls multiply(unpacked, rows, first_run, runs, y, stride, fetch) for each. Who calls
/// fetch(i) before each tile has what comes next fetched little by little: who waits for many lines at once waits long.
/// @tparam Most  runs of a stretch that stay in the L1 cache together with a tile, if each of them meets many float rows
/// @tparam Size  bytes of an unpacked run
template <class F, std::size_t Most, std::size_t Size>
NIBBLE_INLINE void for_each_stretch(const std::byte* panels, std::size_t rows, std::size_t cols, std::size_t count, float* y, std::size_t stride,
                                    auto unpack, auto multiply) noexcept {
    constexpr std::size_t size = panel::order<F>::run_bytes, most_in_order = 64, short_stretch = 2;
    alignas(64) std::byte unpacked[Most][Size];
    alignas(64) float sums[most_in_order][panel::rows];  // y's rows may well be apart by a power of two, and take each other's place in the cache
    // As few float rows as stay in the L2 cache meet one panel after the other, all of its columns; more meet the same columns of all panels.
    const bool in_order = count <= most_in_order;
    const std::size_t runs = runs_of(cols), tiles = tiles_of(count), step = in_order ? short_stretch : Most, across = in_order ? runs : Most;
    for (std::size_t from = 0; from < runs; from += across) {
        const std::size_t end = runs - from < across ? runs : from + across;
        for (std::size_t r = 0; r < rows; r += panel::rows) {
            const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
            for (std::size_t first = from; first < end; first += step) {
                const std::size_t here = end - first < step ? end - first : step;
                const std::byte* run = panels + (r / panel::rows * runs + first) * size;
                for (std::size_t i = 0; i < here; ++i) unpack(run + i * size, unpacked[i]);
                const std::byte* ahead = run + (in_order ? here : runs) * size;
                const auto fetch = [&](std::size_t) NIBBLE_LAMBDA_INLINE {
                    const std::byte* last = ahead + divide_up(here * size, tiles);
                    for (; ahead < last; ahead += 64) _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
                };
                multiply(unpacked[0], in_order ? panel::rows : some, first, here, in_order ? sums[0] : y + r, in_order ? panel::rows : stride, fetch);
            }
            if (!in_order) continue;
            for (std::size_t c = 0; c < count; ++c) __builtin_memcpy(y + c * stride + r, sums[c], some * sizeof(float));
        }
    }
}

/// Products of all panels with float rows in tiles.
template <class F>
NIBBLE_NOINLINE void multiply_unpacked(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count,
                                       float* y, std::size_t stride) noexcept {
    for_each_stretch<F, panel_cols<F> / run_size, tile_run_bytes<F>>(
        panels, rows, cols, count, y, stride, [](const std::byte* run, std::byte* to) NIBBLE_LAMBDA_INLINE { unpack_run<F>(run, to); },
        [&](const std::byte* unpacked, std::size_t here, std::size_t first, std::size_t runs, float* to, std::size_t apart,
            auto fetch) NIBBLE_LAMBDA_INLINE {
            multiply_panel<F>(unpacked, here, first, runs, cols, workspace, count, to, apart, fetch);
        });
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
