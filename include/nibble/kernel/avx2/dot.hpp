// Dot products with the companion, with AVX2: loops over any decoder, and over floats. Sums are integers for a group of 32 and floats beyond.
// Codes may be any bytes, -128 among those of the companion, which gemv's own activations never are.
#pragma once

#include <cstddef>
#include <type_traits>

#include "nibble/kernel/avx2/float_panel.hpp"
#include "nibble/kernel/avx2/group_sums.hpp"
#include "nibble/kernel/reference/dot.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Activations: where the codes of a run lie, those of group g from code_at + g * group_stride on, and the scales of groups.
template <activation_format X>
struct companion {
    static constexpr bool one_scale = X::block_size == run_size;
    static constexpr std::size_t code_at = offsetof(typename X::block, codes), group_stride = one_scale ? 32 : sizeof(typename X::block);

    NIBBLE_INLINE static __m256 scales(const std::byte* run) noexcept {
        if constexpr (one_scale) return _mm256_broadcast_ss(reinterpret_cast<const float*>(run));
        else return load_halves<group_stride>(run);
    }
};

/// The first `used` elements of some blocks of activations, and zeros for the other ones, whatever the row says.
template <class X, std::size_t Bytes>
NIBBLE_INLINE void copy_used(const std::byte* blocks, std::size_t used, std::byte (&copy)[Bytes]) noexcept {
    const std::size_t count = divide_up(used, X::block_size), copied = count * X::block_size / 32;
    copy_blocks<X, Bytes / sizeof(typename X::block)>(blocks, count, copy);
    for (std::size_t g = used / 32, first = used % 32; g < copied; ++g, first = 0) {
        __builtin_memset(copy + companion<X>::code_at + g * companion<X>::group_stride + first, 0, 32 - first);
    }
}

/// Weights by activations.
template <class F>
class row_dot {
    using x_blocks = companion<typename F::companion>;
    static constexpr int zero = decoder<F>::zero;
    static constexpr bool bytes = std::is_same_v<typename F::layout, layout::signed_bytes>;  // -128 may be among them
    static constexpr bool has_offset = zero < 0, has_scale = requires(const typename F::block& b) { b.scale.get(); };
    static constexpr bool has_exponent = requires(const typename F::block& b) { F::half_scale(b.exponent); };
    static_assert(!has_offset || F::code_bits < 8);

    template <int Group>
    NIBBLE_INLINE static __m256i x_codes(const std::byte* x) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + x_blocks::code_at + Group * x_blocks::group_stride));
    }
    template <int Group>
    NIBBLE_INLINE static __m256i x_sum(const std::byte* x) noexcept {
        return _mm256_maddubs_epi16(_mm256_set1_epi8(1), x_codes<Group>(x));
    }
    /// Where value = scale * level.
    template <int Group>
    NIBBLE_INLINE static __m256i level(const std::byte* w) noexcept {
        const __m256i codes = decoder<F>::template codes<Group>(w);
        if constexpr (zero == 128) return _mm256_xor_si256(codes, _mm256_set1_epi8(-128));  // compilers see that bytes come as they are
        return _mm256_sub_epi8(codes, _mm256_set1_epi8(static_cast<char>(zero)));
    }
    /// Of codes, or of levels, which lend their magnitudes the signs of the activations.
    template <int Group>
    NIBBLE_INLINE static __m256i product(const std::byte* w, const std::byte* x) noexcept {
        const __m256i with = x_codes<Group>(x);
        if constexpr (has_offset) return _mm256_maddubs_epi16(decoder<F>::template codes<Group>(w), with);
        return _mm256_maddubs_epi16(_mm256_abs_epi8(with), _mm256_sign_epi8(level<Group>(w), with));
    }
    /// The same for a level of -128, which has no opposite, in 32 bits.
    template <int Group>
    NIBBLE_INLINE static __m256i wide_product(const std::byte* w, const std::byte* x) noexcept {
        const __m256i levels = level<Group>(w), with = x_codes<Group>(x);
        const __m256i low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(levels)), high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(levels, 1));
        return _mm256_add_epi32(_mm256_madd_epi16(low, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(with))),
                                _mm256_madd_epi16(high, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(with, 1))));
    }
    NIBBLE_INLINE static bool is_lowest(__m256i levels) noexcept {
        return _mm256_movemask_epi8(_mm256_cmpeq_epi8(levels, _mm256_set1_epi8(-128))) != 0;
    }
    NIBBLE_INLINE static bool has_lowest(const std::byte* w) noexcept {
        __m256i least = _mm256_setzero_si256();
        for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE { least = _mm256_min_epi8(least, level<Group>(w)); });
        return is_lowest(least);
    }
    [[gnu::cold]] static __m256i wide_products(const std::byte* w, const std::byte* x) noexcept {
        __m256i sums[1];
        sum_groups<0>([&]<int Group>() NIBBLE_LAMBDA_INLINE { return wide_product<Group>(w, x); }, sums);
        return sums[0];
    }
    NIBBLE_INLINE static __m256 add_block(__m256 total, const std::byte* w, const std::byte* x) noexcept {
        const auto& block = *reinterpret_cast<const typename F::block*>(w);
        const __m128 x_scale = convert_half(x);
        // The product of two fp16 numbers in all lanes.
        const auto factor = [x_scale](const auto& stored) NIBBLE_LAMBDA_INLINE {
            return _mm256_broadcastss_ps(_mm_mul_ss(convert_half(reinterpret_cast<const std::byte*>(&stored)), x_scale));
        };
        __m256i sums = widen(product<0>(w, x));
        if constexpr (bytes) {
            if (is_lowest(level<0>(w))) [[unlikely]] sums = wide_product<0>(w, x);
        }
        if constexpr (has_exponent) {  // that of a block of zeros may mean 2^127: times the scale of x first, it would be infinite
            const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_broadcastss_ps(x_scale));
            total = _mm256_fmadd_ps(scaled, _mm256_set1_ps(F::half_scale(block.exponent)), total);
        } else {
            total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), factor(block.scale), total);
        }
        if constexpr (has_offset) total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(widen(x_sum<0>(x))), factor(block.offset), total);
        return total;
    }

public:
    static constexpr std::size_t x_bytes = run_bytes<typename F::companion>;

    NIBBLE_INLINE static __m256 add_run(__m256 total, const std::byte* w, const std::byte* x) noexcept {
        __m256i products[F::parts], x_sums[F::parts];
        sum_groups<fit_in_words(F::code_bits)>([&]<int Group>() NIBBLE_LAMBDA_INLINE { return product<Group>(w, x); }, products);
        if constexpr (bytes) {
            if (has_lowest(w)) [[unlikely]] products[0] = wide_products(w, x);
        }
        if constexpr (has_offset) sum_groups<8>([&]<int Group>() NIBBLE_LAMBDA_INLINE { return x_sum<Group>(x); }, x_sums);
        const run_scales<F::parts> scales = decoder<F>::scales(w);
        const __m256 x_scales = x_blocks::scales(x);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < F::parts; ++p) {
            total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[p]), _mm256_mul_ps(scales.scale[p], x_scales), total);
            if constexpr (has_offset) total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(x_sums[p]), _mm256_mul_ps(scales.offset[p], x_scales), total);
        }
        return total;
    }

    /// What is left of a row.
    NIBBLE_INLINE static __m256 add_rest(__m256 total, const std::byte* w, const std::byte* x, std::size_t used) noexcept {
        if constexpr (F::block_size == 32 && (has_scale || has_exponent)) {  // heads of a cache of keys have 64 or 128 elements
            for (; used >= 32; used -= 32, w += sizeof(typename F::block), x += x_blocks::group_stride) total = add_block(total, w, x);
            if (used == 0) return total;
            std::byte copy[x_blocks::group_stride];
            copy_used<typename F::companion>(x, used, copy);
            return add_block(total, w, copy);
        } else {
            std::byte padded[run_bytes<F>], copy[x_bytes];
            copy_used<typename F::companion>(x, used, copy);
            return add_run(total, run_at<F>(w, 0, used, padded), copy);
        }
    }
};

}  // namespace avx2

template <has_companion F>
    requires(affine_format<F> && activation_format<typename F::companion> && avx2::decoder<F>::in_registers)
struct kernel<op::dot, F, isa::avx2> {
    static double run(const std::byte* weights, const std::byte* x, std::size_t cols) noexcept {
        using row_dot = avx2::row_dot<F>;
        __m256 total = _mm256_setzero_ps();
        for (; cols >= avx2::run_size; cols -= avx2::run_size, weights += avx2::run_bytes<F>, x += row_dot::x_bytes) {
            total = row_dot::add_run(total, weights, x);
        }
        if (cols != 0) total = row_dot::add_rest(total, weights, x, cols);
        return static_cast<double>(avx2::sum_of(total));
    }
    static constexpr op::dot::entry entry = &run;
};

/// Floats of 16 and 32 bits.
template <has_companion F>
    requires avx2::has_float_weights<F>
struct kernel<op::dot, F, isa::avx2> {
    static double run(const std::byte* weights, const std::byte* x, std::size_t cols) noexcept {
        constexpr std::size_t size = sizeof(typename F::block), together = 32;
        __m256 total[4] = {};
        const auto add = [&](const std::byte* w, const std::byte* v) NIBBLE_LAMBDA_INLINE {
#pragma GCC unroll 4
            for (std::size_t i = 0; i < 4; ++i) total[i] = _mm256_fmadd_ps(load(w + 8 * i * size), load(v + 8 * i * size), total[i]);
        };
        std::size_t c = 0;
        for (; c + together <= cols; c += together) add(weights + c * size, x + c * size);
        if (c < cols) {
            std::byte w_end[together * size] = {}, x_end[together * size] = {};
            __builtin_memcpy(w_end, weights + c * size, (cols - c) * size);
            __builtin_memcpy(x_end, x + c * size, (cols - c) * size);
            add(w_end, x_end);
        }
        return static_cast<double>(avx2::sum_of(_mm256_add_ps(_mm256_add_ps(total[0], total[1]), _mm256_add_ps(total[2], total[3]))));
    }
    static constexpr op::dot::entry entry = &run;

private:
    NIBBLE_INLINE static __m256 load(const std::byte* from) noexcept { return avx2::float_weights<typename F::layout>::load(from); }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
