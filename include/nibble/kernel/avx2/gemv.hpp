// Products of packed rows in file order with up to four float rows, with AVX2: a run of a row is decoded into registers, which then meet
// every float row. Float sums stay in registers until the row ends.
#pragma once

#include "nibble/kernel/avx2/activation.hpp"
#include "nibble/kernel/avx2/group_sums.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// total += weights * activations for the parts Part of all groups, a lane each.
/// @param product sums of code * activation
template <class F, std::size_t Part>
NIBBLE_INLINE __m256 add_product(__m256 total, __m256i product, const run_scales<F::parts>& weights, const float* scales,
                                 const float (*sums)[8]) noexcept {
    const __m256 p = _mm256_cvtepi32_ps(product), step = _mm256_loadu_ps(scales), sum = _mm256_loadu_ps(sums[Part]);
    if constexpr (decoder<F>::zero == 128) return _mm256_fmadd_ps(p, _mm256_mul_ps(weights.scale[Part], step), total);
    if constexpr (is_centered<F>) return _mm256_fmadd_ps(weights.scale[Part], _mm256_fmadd_ps(p, step, sum), total);
    __m256 offset = weights.offset[Part];
    if constexpr (needs_words<F>) offset = _mm256_fmadd_ps(weights.scale[Part], _mm256_set1_ps(128.0f), offset);
    return _mm256_fmadd_ps(p, _mm256_mul_ps(weights.scale[Part], step), _mm256_fmadd_ps(offset, sum, total));
}

/// Calls run(bytes, index) for the runs of a row, which meet Cols float rows.
template <class F, int Cols = 1>
NIBBLE_INLINE void for_each_run(const std::byte* row, std::size_t cols, auto&& run) noexcept {
    for (std::size_t i = 0; i < runs_of(cols); ++i) {
        std::byte padded[run_bytes<F>];
        const std::byte* at = run_at<F>(row, i, cols, padded);
        // With several float rows the core does not fetch ahead far enough by itself; with one it does, and better. The next rows follow in
        // memory; a prefetch past the end of the tensor is harmless.
        if constexpr (Cols > 1) {
            for (std::size_t line = 0; line < run_bytes<F>; line += 64) _mm_prefetch(reinterpret_cast<const char*>(at) + 2048 + line, _MM_HINT_T0);
        }
        run(at, i);
    }
}

/// Products of codes of up to 7 bits and a run of activations, both in strips: for part Part of each group, in its lane.
template <class F, int Part>
NIBBLE_INLINE __m256i multiply_strips(const __m256i (&v)[8], const std::int8_t* codes) noexcept {
    constexpr int count = 4 / static_cast<int>(F::parts), fit = fit_in_words(F::code_bits);
    constexpr bool joined_in_words = 2 * count <= fit;  // sums of even and odd groups fit in 16 bits together
    const auto product = [&](int j) NIBBLE_LAMBDA_INLINE {
        return _mm256_maddubs_epi16(v[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 32 * j)));
    };
    const auto sum = [&]<int First>() NIBBLE_LAMBDA_INLINE {
        __m256i total = product(First);
        if constexpr (fit >= count) {
#pragma GCC unroll 4
            for (int j = First + 1; j < First + count; ++j) total = _mm256_add_epi16(total, product(j));
            return joined_in_words ? total : widen(total);
        } else if constexpr (fit == 2) {
            total = widen(_mm256_add_epi16(total, product(First + 1)));
            return _mm256_add_epi32(total, widen(_mm256_add_epi16(product(First + 2), product(First + 3))));
        } else {
            total = widen(total);
#pragma GCC unroll 4
            for (int j = First + 1; j < First + count; ++j) total = _mm256_add_epi32(total, widen(product(j)));
            return total;
        }
    };
    const __m256i even = sum.template operator()<Part * count>(), odd = sum.template operator()<4 + Part * count>();
    return joined_in_words ? widen(join_strips<16>(even, odd)) : join_strips<32>(even, odd);
}

/// total += weights * activations for a run, in strips.
template <class F, int Cols>
NIBBLE_INLINE void add_run(const __m256i (&v)[8], const run_scales<F::parts>& scales, const row_run<F>* const (&x)[Cols], std::size_t i,
                           __m256 (&total)[Cols]) noexcept
    requires(!needs_words<F>)
{
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
        const auto& a = x[c][i];
        total[c] = add_product<F, 0>(total[c], multiply_strips<F, 0>(v, a.codes), scales, a.scales, a.sums);
        if constexpr (F::parts == 2) total[c] = add_product<F, 1>(total[c], multiply_strips<F, 1>(v, a.codes), scales, a.scales, a.sums);
    }
}

/// The same for signed levels of 8 bits, which lend their sign to the activations; half of the groups at a time, or registers would not
/// suffice for levels and magnitudes.
template <class F, int Cols>
NIBBLE_INLINE void add_run(const __m256i (&v)[8], const run_scales<F::parts>& scales, const row_run<F>* const (&x)[Cols], std::size_t i,
                           __m256 (&total)[Cols]) noexcept
    requires(needs_words<F>)
{
    constexpr int count = 4 / static_cast<int>(F::parts);
    const auto sum = [&](int first, __m256i (&sums)[Cols]) NIBBLE_LAMBDA_INLINE {
        __m256i magnitude[count];
#pragma GCC unroll 4
        for (int k = 0; k < count; ++k) magnitude[k] = _mm256_abs_epi8(v[first + k]);
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
            const auto product = [&](int k) NIBBLE_LAMBDA_INLINE {
                const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x[c][i].codes + 32 * (first + k)));
                return widen(_mm256_maddubs_epi16(magnitude[k], _mm256_sign_epi8(codes, v[first + k])));
            };
            sums[c] = product(0);
#pragma GCC unroll 4
            for (int k = 1; k < count; ++k) sums[c] = _mm256_add_epi32(sums[c], product(k));
        }
    };
    const auto part = [&]<int Part>() NIBBLE_LAMBDA_INLINE {
        __m256i even[Cols], odd[Cols];
        sum(Part * count, even);
        sum(4 + Part * count, odd);
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) {
            total[c] = add_product<F, Part>(total[c], join_strips<32>(even[c], odd[c]), scales, x[c][i].scales, x[c][i].sums);
        }
    };
    part.template operator()<0>();
    if constexpr (F::parts == 2) part.template operator()<1>();
}

/// One packed row by Cols float rows.
template <class F, int Cols>
NIBBLE_INLINE void multiply_row(const std::byte* row, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    const row_run<F>* x[Cols];
    __m256 total[Cols];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) {
        x[c] = reinterpret_cast<const row_run<F>*>(workspace + static_cast<std::size_t>(c) * row_workspace<F>(cols));
        total[c] = _mm256_setzero_ps();
    }
    for_each_run<F, Cols>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
        const run_scales<F::parts> scales = decoder<F>::scales(run);
        __m256i v[8];
        load_strips<F>(run, v);
        add_run<F, Cols>(v, scales, x, i, total);
    });
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) y[static_cast<std::size_t>(c) * stride] = sum_of(total[c]);
}

/// Products of a group with int8 activations in the order of the elements, 16 bits for two.
template <class F, int Group>
NIBBLE_INLINE __m256i multiply_group(const std::byte* run, const std::int8_t* codes) noexcept {
    const __m256i weights = decoder<F>::template codes<Group>(run);
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 32 * Group));
    if constexpr (F::code_bits < 8) {
        return _mm256_maddubs_epi16(weights, x);
    } else {
        // Levels lend their sign to the activations.
        const __m256i level = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
        return _mm256_maddubs_epi16(_mm256_abs_epi8(level), _mm256_sign_epi8(x, level));
    }
}

/// One packed row by a single float row whose codes are in the order of the elements.
template <class F>
NIBBLE_INLINE float multiply_single(const std::byte* row, std::size_t cols, const std::byte* workspace) noexcept {
    const auto* x = reinterpret_cast<const row_run<F>*>(workspace);
    __m256 total = _mm256_setzero_ps();
    for_each_run<F>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
        const auto& a = x[i];
        __m256i products[F::parts];
        sum_groups<fit_in_words(F::code_bits)>([&]<int Group>() NIBBLE_LAMBDA_INLINE { return multiply_group<F, Group>(run, a.codes); }, products);
        const run_scales<F::parts> scales = decoder<F>::scales(run);
        total = add_product<F, 0>(total, products[0], scales, a.scales, a.sums);
        if constexpr (F::parts == 2) total = add_product<F, 1>(total, products[1], scales, a.scales, a.sums);
    });
    return sum_of(total);
}

/// The same in octets, for layouts that multiply a run themselves.
template <class F>
NIBBLE_INLINE float multiply_octets(const std::byte* row, std::size_t cols, const std::byte* workspace) noexcept {
    using product = run_product_of<F>;
    const auto* x = reinterpret_cast<const octets<F>*>(workspace);
    __m256 total = _mm256_setzero_ps();
    if constexpr (std::is_empty_v<typename product::notes>) {
        for_each_run<F>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
            total = product::add(total, run, {}, x[i]);
        });
    } else {
        constexpr std::size_t some = 8;
        static_assert(F::block_size == run_size);
        typename product::notes notes[some];
        for_each_run<F>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
            if (i % some == 0) {
                const std::size_t left = runs_of(cols) - i;
                for (std::size_t k = 0; k < some && k < left; ++k) notes[k] = product::note(run + k * run_bytes<F>);
            }
            total = product::add(total, run, notes[i % some], x[i]);
        });
    }
    return sum_of(total);
}

/// Two packed rows at once, for layouts that want it.
template <class F>
NIBBLE_INLINE void multiply_two(const std::byte* row, const std::byte* other, std::size_t cols, const std::byte* workspace, float* y,
                                float* other_y) noexcept {
    static_assert(F::block_size == run_size);
    const auto* x = reinterpret_cast<const octets<F>*>(workspace);
    __m256 total = _mm256_setzero_ps();
    for_each_run<F>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
        total = run_product_of<F>::add_two(total, run, other + i * run_bytes<F>, x[i]);
    });
    *y = sum_of(_mm256_castps256_ps128(total));
    *other_y = sum_of(_mm256_extractf128_ps(total, 1));
}

/// The same for Cols float rows.
template <class F, int Cols>
NIBBLE_INLINE void multiply_octets(const std::byte* row, std::size_t cols, const std::byte* workspace, float* y, std::size_t stride) noexcept {
    const auto* x = reinterpret_cast<const octets<F>*>(workspace);
    __m256 total[Cols];
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) total[c] = _mm256_setzero_ps();
    for_each_run<F, Cols>(row, cols, [&](const std::byte* run, std::size_t i) NIBBLE_LAMBDA_INLINE {
#pragma GCC unroll 4
        for (int c = 0; c < Cols; ++c) total[c] = run_product_of<F>::add(total[c], run, {}, x[static_cast<std::size_t>(c) * runs_of(cols) + i]);
    });
#pragma GCC unroll 4
    for (int c = 0; c < Cols; ++c) y[static_cast<std::size_t>(c) * stride] = sum_of(total[c]);
}

template <class F, int Cols>
inline void multiply_rows(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y,
                          std::size_t stride) noexcept {
    for (std::size_t r = 0; r < rows; ++r) {
        const std::byte* row = packed + r * row_bytes<F>(cols);
        if constexpr (shares_octets<F>) multiply_octets<F, Cols>(row, cols, workspace, y + r, stride);
        else multiply_row<F, Cols>(row, cols, workspace, y + r, stride);
    }
}
template <class F>
NIBBLE_INLINE void multiply_rows_single(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, float* y) noexcept {
    const auto row = [&](std::size_t r) NIBBLE_LAMBDA_INLINE { return packed + r * row_bytes<F>(cols); };
    if constexpr (multiplies_two_rows<F>) {
        for (std::size_t r = 0; r < rows; r += 2) {
            const std::size_t other = r + 1 < rows ? r + 1 : r;
            multiply_two<F>(row(r), row(other), cols, workspace, y + r, y + other);
        }
    } else {
        for (std::size_t r = 0; r < rows; ++r) {
            if constexpr (multiplies_octets<F>) y[r] = multiply_octets<F>(row(r), cols, workspace);
            else y[r] = multiply_single<F>(row(r), cols, workspace);
        }
    }
}

/// Few float rows, up to four at a time.
template <class F>
NIBBLE_INLINE void multiply_few(const std::byte* packed, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                                std::size_t stride) noexcept {
    if (count == 1) {
        if constexpr (single_in_order<F>) multiply_rows_single<F>(packed, rows, cols, workspace, y);
        else multiply_rows<F, 1>(packed, rows, cols, workspace, y, stride);
        return;
    }
    while (count != 0) {
        const std::size_t here = rows_together(count);
        if (here == 2) multiply_rows<F, 2>(packed, rows, cols, workspace, y, stride);
        else if (here == 3) multiply_rows<F, 3>(packed, rows, cols, workspace, y, stride);
        else multiply_rows<F, 4>(packed, rows, cols, workspace, y, stride);
        count -= here;
        workspace += here * row_workspace<F>(cols);
        y += here * stride;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
