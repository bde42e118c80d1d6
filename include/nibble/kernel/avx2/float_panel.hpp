// Plain floats of 32 or 16 bits as floats in registers, with AVX2, and panels of them (floats/panel.hpp).
#pragma once

#include "nibble/format/layout.hpp"
#include "nibble/kernel/avx2/tile.hpp"
#include "nibble/kernel/op.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Eight weights of a layout as floats.
template <class Layout>
struct float_weights {};
template <>
struct float_weights<layout::float32> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept { return _mm256_loadu_ps(reinterpret_cast<const float*>(from)); }
};
template <>
struct float_weights<layout::float16> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
};
template <>
struct float_weights<layout::bfloat16> {
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept {
        const __m256i upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        return _mm256_castsi256_ps(_mm256_slli_epi32(upper, 16));
    }
};

template <class F>
concept has_float_weights = requires(const std::byte* from) { float_weights<typename F::layout>::load(from); };

/// `Rows` packed rows, of which `rows` exist, transposed: [unit][row]. The last units are completed with zeros to a multiple of eight.
/// @param bytes  of each row
template <class Weights, std::size_t UnitBytes, std::size_t Rows>
inline void fill_float_panel(const std::byte* packed, std::size_t row_stride, std::size_t rows, std::size_t bytes, float* panel) noexcept {
    constexpr std::size_t step = 8 * UnitBytes;
    for (std::size_t first = 0; first < Rows; first += 8) {
        const std::byte* from[8];
        for (std::size_t r = 0; r < 8; ++r) from[r] = packed + (first + r < rows ? first + r : 0) * row_stride;
        float* to = panel + first;
        for (std::size_t at = 0; at < bytes; at += step, to += 8 * Rows) {
            std::byte padded[8][step];
            const bool whole = bytes - at >= step;
            if (!whole) {
                __builtin_memset(padded, 0, sizeof padded);
                for (std::size_t r = 0; r < 8; ++r) __builtin_memcpy(padded[r], from[r] + at, bytes - at);
            }
            transpose_to(
                [&](std::size_t r) NIBBLE_LAMBDA_INLINE { return _mm256_castps_si256(Weights::load(whole ? from[r] + at : padded[r])); },
                [&](std::size_t k, __m256i v) NIBBLE_LAMBDA_INLINE { _mm256_store_si256(reinterpret_cast<__m256i*>(to + Rows * k), v); });
        }
    }
}

/// What floats/panel.hpp wants of this level.
struct float_lanes {
    using vector = __m256;
    static constexpr int vectors = 2, lanes = 8;
    static constexpr std::size_t widest = 6, step = 2, unit_cols = 1;
    NIBBLE_INLINE static void pack(const float* row, std::size_t cols, float* to) noexcept {
        __builtin_memcpy(to, row, (cols < 16 ? cols : 16) * sizeof(float));
    }
    NIBBLE_INLINE static __m256 zero() noexcept { return _mm256_setzero_ps(); }
    NIBBLE_INLINE static __m256 load(const float* from) noexcept { return _mm256_loadu_ps(from); }
    NIBBLE_INLINE static void store(float* to, __m256 v) noexcept { _mm256_storeu_ps(to, v); }
    NIBBLE_INLINE static __m256 broadcast(const float* from) noexcept { return _mm256_broadcast_ss(from); }
    NIBBLE_INLINE static __m256 add(__m256 a, __m256 b) noexcept { return _mm256_add_ps(a, b); }
    NIBBLE_INLINE static __m256 multiply_add(__m256 w, __m256 x, __m256 sum) noexcept { return _mm256_fmadd_ps(w, x, sum); }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END

#define NIBBLE_LEVEL avx2
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVX2
#include "nibble/kernel/floats/panel.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL
#endif
