// Products of plain floats with many float rows, with AVX-512; few are AVX2's. Where the processor has AVX512_BF16, bfloat16 is multiplied as it
// is, and the float rows are rounded to it.
#pragma once

#include <type_traits>

#include "nibble/cpu/active.hpp"
#include "nibble/kernel/avx2/float_rows.hpp"
#include "nibble/kernel/avx512/bfloat16.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX512
NIBBLE_BASELINE_BEGIN
namespace avx512 {

/// What floats/panel.hpp wants of this level.
struct float_lanes {
    using vector = __m512;
    static constexpr int vectors = 2, lanes = 16;
    static constexpr std::size_t widest = 12, step = 2, unit_cols = 1;
    NIBBLE_INLINE static void pack(const float* row, std::size_t cols, float* to) noexcept { avx2::float_lanes::pack(row, cols, to); }
    NIBBLE_INLINE static __m512 zero() noexcept { return _mm512_setzero_ps(); }
    NIBBLE_INLINE static __m512 load(const float* from) noexcept { return _mm512_loadu_ps(from); }
    NIBBLE_INLINE static void store(float* to, __m512 v) noexcept { _mm512_storeu_ps(to, v); }
    NIBBLE_INLINE static __m512 broadcast(const float* from) noexcept { return _mm512_set1_ps(*from); }
    NIBBLE_INLINE static __m512 add(__m512 a, __m512 b) noexcept { return _mm512_add_ps(a, b); }
    NIBBLE_INLINE static __m512 multiply_add(__m512 w, __m512 x, __m512 sum) noexcept { return _mm512_fmadd_ps(w, x, sum); }
};

}  // namespace avx512
NIBBLE_BASELINE_END
NIBBLE_TARGET_END

NIBBLE_TARGET_BEGIN_AVX512BF16
NIBBLE_BASELINE_BEGIN
namespace avx512bf16 {

/// Lanes hold two bfloat16, the first in the lower half.
struct float_lanes : avx512::float_lanes {
    static constexpr std::size_t unit_cols = 2;
    NIBBLE_INLINE static void pack(const float* row, std::size_t cols, float* to) noexcept {
        _mm512_storeu_si512(to, to_bfloat16(load_finite(row, cols), cols > 16 ? load_finite(row + 16, cols - 16) : _mm512_setzero_ps()));
    }
    NIBBLE_INLINE static __m512 multiply_add(__m512 w, __m512 x, __m512 sum) noexcept {
        return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(x));
    }
};

}  // namespace avx512bf16
NIBBLE_BASELINE_END
NIBBLE_TARGET_END

#define NIBBLE_LEVEL avx512
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVX512
#include "nibble/kernel/floats/panel.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL
#define NIBBLE_LEVEL avx512bf16
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVX512BF16
#include "nibble/kernel/floats/panel.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL

NIBBLE_BASELINE_BEGIN

template <class F>
    requires avx2::has_float_weights<F>
struct kernel<op::linear, F, isa::avx512> {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        if (is_short(count)) return avx512bf16::panel_workspace(count, cols);
        return count <= avx2::few_float_rows ? few.workspace(count, cols) : avx512::panel_workspace(count, cols);
    }
    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if (is_short(count)) avx512bf16::prepare_for_panels(x, first, last, count, cols, out);
        else if (count <= avx2::few_float_rows) few.prepare(x, first, last, count, cols, out);
        else avx512::prepare_for_panels(x, first, last, count, cols, out);
    }
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if (is_short(count)) avx512bf16::multiply_by_panels<F, avx2::float_weights<layout::float32>>(packed, rows, cols, workspace, count, y, stride);
        else if (count <= avx2::few_float_rows) few.run(packed, rows, cols, workspace, count, y, stride);
        else avx512::multiply_by_panels<F, avx2::float_weights<typename F::layout>>(packed, rows, cols, workspace, count, y, stride);
    }
    static constexpr op::linear::entry entry{&workspace, &prepare, &run};

private:
    static constexpr op::linear::entry few = kernel<op::linear, F, isa::avx2>::entry;
    /// Float rows are rounded to bfloat16. A few are not worth that: they wait for the weights.
    static bool is_short(std::size_t count) noexcept {
        if constexpr (std::is_same_v<typename F::layout, layout::bfloat16>) return count > 4 && has_bfloat16_products();
        return false;
    }
};

NIBBLE_BASELINE_END
#endif
