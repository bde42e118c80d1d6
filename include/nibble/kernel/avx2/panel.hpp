// Panels with AVX2 (kernel/panel.hpp): filled from any decoder, and multiplied with tiles of activations.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avx2/decode.hpp"
#include "nibble/kernel/panel.hpp"
#include "nibble/kernel/reference/panel.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Transposes eight vectors of eight 32-bit elements.
NIBBLE_INLINE void transpose(__m256i (&v)[8]) noexcept {
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
}

/// Columns that a panel is unpacked for at once: 32 groups stay in the L1 cache with a tile of activations.
inline constexpr std::size_t panel_cols = 1024;

/// Adds (or, for the first columns, stores) the product of half a panel, eight rows, with a tile of Width float rows. The weights of a
/// group stay in registers while the tile's rows pass by; the float sums live in the L1 cache, which costs less than to load the weights
/// again.
/// @param groups  groups of 32 columns to work on
/// @param stride  total groups of the tile
/// @param rows    rows of y that exist, 1 .. 8
template <class F, int Width>
inline void multiply_half_panel(const std::byte* half, std::size_t groups, tile x, std::size_t stride, float* y, std::size_t y_stride, std::size_t rows,
                                bool first) noexcept {
    constexpr std::size_t parts = F::parts, group_size = panel::group_bytes(parts), width = Width;
    constexpr int bits = F::code_bits;
    // Products of unsigned codes with int8 that fit in 16 bits together: n * 2 * (2^bits - 1) * 127 < 2^15. Codes of 8 bits are split into
    // nibbles, four columns of each at a time.
    constexpr int steps = bits == 8 ? 4 : 8 / static_cast<int>(parts), stages = 8 / steps;
    constexpr int fit = bits <= 4 || bits == 8 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
    constexpr int together = fit < steps ? fit : steps;
    constexpr bool carries = stages > static_cast<int>(parts);  // a part's integer sum spans two stages
    const __m256i ones = _mm256_set1_epi16(1);

    alignas(32) float sum[Width][8] = {};
    alignas(32) std::int32_t carried[Width][8];
    for (std::size_t g = 0; g < groups; ++g, half += group_size, x.scales += width, x.sums += width, x.codes += 32 * width) {
        const auto* scales = reinterpret_cast<const float*>(half + panel::code_bytes);
#pragma GCC unroll 2
        for (int stage = 0; stage < stages; ++stage) {
            const int part = carries ? 0 : stage;
            const __m256 scale = _mm256_loadu_ps(scales + static_cast<std::size_t>(part) * panel::rows);
            const __m256 offset = _mm256_loadu_ps(scales + (parts + static_cast<std::size_t>(part)) * panel::rows);
            __m256i low[steps], high[steps];
#pragma GCC unroll 8
            for (int k = 0; k < steps; ++k) {
                low[k] = _mm256_load_si256(reinterpret_cast<const __m256i*>(half + 64 * (stage * steps + k)));
                if constexpr (bits == 8) {
                    high[k] = _mm256_and_si256(_mm256_srli_epi16(low[k], 4), _mm256_set1_epi8(15));
                    low[k] = _mm256_and_si256(low[k], _mm256_set1_epi8(15));
                }
            }
#pragma GCC unroll 1
            for (int c = 0; c < Width; ++c) {
                const std::int8_t* codes = x.codes + 32 * c + 4 * stage * steps;
                __m256i total = _mm256_setzero_si256();
#pragma GCC unroll 8
                for (int from = 0; from < steps; from += together) {
                    __m256i low_i16x16 = _mm256_setzero_si256(), high_i16x16 = low_i16x16;
#pragma GCC unroll 8
                    for (int k = from; k < from + together; ++k) {
                        std::int32_t four;
                        __builtin_memcpy(&four, codes + 4 * k, 4);
                        const __m256i activations = _mm256_set1_epi32(four);
                        const __m256i product = _mm256_maddubs_epi16(low[k], activations);
                        low_i16x16 = k == from ? product : _mm256_add_epi16(low_i16x16, product);
                        if constexpr (bits == 8) {
                            const __m256i upper = _mm256_maddubs_epi16(high[k], activations);
                            high_i16x16 = k == from ? upper : _mm256_add_epi16(high_i16x16, upper);
                        }
                    }
                    const __m256i pairs = _mm256_madd_epi16(low_i16x16, ones);
                    total = from == 0 ? pairs : _mm256_add_epi32(total, pairs);
                    if constexpr (bits == 8) total = _mm256_add_epi32(total, _mm256_madd_epi16(high_i16x16, _mm256_set1_epi16(16)));
                }
                if constexpr (carries) {
                    auto* kept = reinterpret_cast<__m256i*>(carried[c]);
                    if (stage + 1 < stages) {
                        _mm256_store_si256(kept, total);
                        continue;
                    }
                    total = _mm256_add_epi32(total, _mm256_load_si256(kept));
                }
                const __m256 factor = _mm256_mul_ps(scale, _mm256_broadcast_ss(x.scales + c));
                const __m256 with_offset = _mm256_fmadd_ps(
                    offset, _mm256_broadcast_ss(x.sums + static_cast<std::size_t>(part) * stride * width + static_cast<std::size_t>(c)),
                    _mm256_load_ps(sum[c]));
                _mm256_store_ps(sum[c], _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), factor, with_offset));
            }
        }
    }
    for (std::size_t c = 0; c < width; ++c) {
        float* to = y + c * y_stride;
        if (rows == 8) {
            const __m256 total = _mm256_load_ps(sum[c]);
            _mm256_storeu_ps(to, first ? total : _mm256_add_ps(total, _mm256_loadu_ps(to)));
        } else {
            for (std::size_t r = 0; r < rows; ++r) to[r] = first ? sum[c][r] : to[r] + sum[c][r];
        }
    }
}

/// One panel (columns from `first_group` on) with all float rows.
template <class F>
inline void multiply_panel(const std::byte* panel, std::size_t rows, std::size_t first_group, std::size_t groups, std::size_t cols,
                           const std::byte* workspace, std::size_t count, float* y, std::size_t stride) noexcept {
    constexpr std::size_t parts = F::parts;
    const std::size_t all_groups = groups_of(cols), widest = width_for(count);
    for (std::size_t i = 0; i < count; i += widest) {
        const std::size_t width = count - i < widest ? count - i : widest;
        tile x = tile_at<parts>(workspace, i, width, cols);
        x.scales += first_group * width;
        x.sums += first_group * width;
        x.codes += first_group * width * 32;
        for (std::size_t half = 0; half < 2 && half * 8 < rows; ++half) {
            const std::size_t here = rows - half * 8 < 8 ? rows - half * 8 : 8;
            // Eight rows are half of each 64 bytes of codes and of each vector of scales: 32 bytes on.
            const std::byte* from = panel + 32 * half;
            float* to = y + i * stride + half * 8;
            const bool first = first_group == 0;
            switch (width) {
                case 1: multiply_half_panel<F, 1>(from, groups, x, all_groups, to, stride, here, first); break;
                case 2: multiply_half_panel<F, 2>(from, groups, x, all_groups, to, stride, here, first); break;
                case 3: multiply_half_panel<F, 3>(from, groups, x, all_groups, to, stride, here, first); break;
                case 4: multiply_half_panel<F, 4>(from, groups, x, all_groups, to, stride, here, first); break;
                case 5: multiply_half_panel<F, 5>(from, groups, x, all_groups, to, stride, here, first); break;
                case 6: multiply_half_panel<F, 6>(from, groups, x, all_groups, to, stride, here, first); break;
                case 7: multiply_half_panel<F, 7>(from, groups, x, all_groups, to, stride, here, first); break;
                default: multiply_half_panel<F, 8>(from, groups, x, all_groups, to, stride, here, first); break;
            }
        }
    }
}

}  // namespace avx2

template <affine_format F>
struct kernel<op::fill_panel, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t first, std::size_t last, std::byte* out) noexcept {
        using decoder = avx2::decoder<F>;
        constexpr std::size_t parts = F::parts, size = panel::group_bytes(parts);
        const std::size_t row_stride = row_bytes<F>(cols);
        for (std::size_t c = first; c < last; c += avx2::run_size, out += 8 * size) {
            for (std::size_t half = 0; half < 2; ++half) {
                alignas(32) std::byte padded[8][avx2::run_bytes<F>];
                const std::byte* runs[8];
                for (std::size_t r = 0; r < 8; ++r) {
                    const std::size_t row = 8 * half + r;
                    if (row < rows) {
                        runs[r] = avx2::run_at<F>(packed + row * row_stride, c / avx2::run_size, cols, padded[r]);
                    } else {
                        __builtin_memset(padded[r], 0, sizeof padded[r]);
                        runs[r] = padded[r];
                    }
                    const avx2::run_scales<parts> scales = decoder::scales(runs[r]);
                    alignas(32) float scale[parts][8], offset[parts][8];
                    for (std::size_t part = 0; part < parts; ++part) {
                        _mm256_store_ps(scale[part], scales.scale[part]);
                        _mm256_store_ps(offset[part], scales.offset[part]);
                    }
                    const bool exists = row < rows;  // zero bytes of some formats do not decode to zero
                    for (std::size_t g = 0; g < 8; ++g) {
                        auto* to = reinterpret_cast<float*>(out + g * size + panel::code_bytes) + row;
                        for (std::size_t part = 0; part < parts; ++part) {
                            to[part * panel::rows] = exists ? scale[part][g] : 0.0f;
                            to[(parts + part) * panel::rows] = exists ? offset[part][g] : 0.0f;
                        }
                    }
                }
                avx2::for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
                    __m256i codes[8];
#pragma GCC unroll 8
                    for (int r = 0; r < 8; ++r) codes[r] = decoder::template codes<Group>(runs[r]);
                    avx2::transpose(codes);
#pragma GCC unroll 8
                    for (int k = 0; k < 8; ++k) {
                        _mm256_store_si256(reinterpret_cast<__m256i*>(out + Group * size + 64 * static_cast<std::size_t>(k) + 32 * half), codes[k]);
                    }
                });
            }
        }
    }
    static constexpr op::fill_panel::entry entry = &run;
};

template <affine_format F>
struct kernel<op::panel_linear, F, isa::avx2> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        constexpr std::size_t size = panel::group_bytes(F::parts), step = avx2::panel_cols / panel::group;
        const std::size_t groups = avx2::groups_of(cols);
        for (std::size_t g = 0; g < groups; g += step) {
            const std::size_t here = groups - g < step ? groups - g : step;
            for (std::size_t r = 0; r < rows; r += panel::rows) {
                const std::size_t some = rows - r < panel::rows ? rows - r : panel::rows;
                avx2::multiply_panel<F>(panels + (r / panel::rows * groups + g) * size, some, g, here, cols, workspace, count, y + r, stride);
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&run};
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
