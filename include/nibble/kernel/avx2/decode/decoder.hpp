// What a decoder for AVX2 is: from the bytes of a layout to codes and scales in registers. It works on a run of 256 elements, whatever the
// block size, that is on 8 groups of 32. Dequantize, gemv and gemm are loops over any decoder; a layout that has none is decoded by its
// format's scalar `affine`.
//
//   in_registers             true; the scalar way says false
//   zero                     value = scale * (code - zero), exactly as the format decodes; -1: value = scale * code + offset. That of the
//                            format's panels, if it has a form for them
//   codes<Group>(run)        the 32 unsigned codes of a group in the order of the elements, the very codes of the format's `affine`
//   scales(run)              scale and offset of every group and part
//   units(run)               if they are integers of at most 8 bits, with sign, times one number for the run: that number, and the one of the
//                            offsets. Sums of several groups can then stay integers.
//   one_scale                true, beside units, if that number is the scale of all groups
//
// Codes are as small as the format allows (F::code_bits): products of codes of few bits are added in 16 bits. A format with signed levels
// adds a `zero` just large enough, 16 for levels from -16 to 15.
#pragma once

#include "nibble/base/target.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/panel_form.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Elements that decoders work on at once: all block sizes divide it.
inline constexpr std::size_t run_size = 256;

/// Runs of a row, the last one perhaps not whole.
NIBBLE_INLINE constexpr std::size_t runs_of(std::size_t cols) noexcept { return divide_up(cols, run_size); }

/// Bytes of a run.
template <class F>
inline constexpr std::size_t run_bytes = run_size / F::block_size * sizeof(typename F::block);

/// A run of a format whose blocks have its size.
template <class F>
NIBBLE_INLINE const typename F::block& block_of(const std::byte* run) noexcept {
    static_assert(F::block_size == run_size);
    return *reinterpret_cast<const typename F::block*>(run);
}

/// Scales and offsets of a run: lane g of scale[p] belongs to part p of group g, whose elements are 32 g + 32 / Parts * p and on.
template <std::size_t Parts>
struct run_scales {
    __m256 scale[Parts], offset[Parts];
};

/// What the scales and offsets of a run are multiples of.
struct run_units {
    float scale, offset = 0.0f;
};
template <class D>
concept gives_units = requires(const std::byte* run) { D::units(run); };

template <class D>
concept gives_one_scale = gives_units<D> && requires { requires D::one_scale; };

/// Where value = scale * (code - Zero).
template <int Zero>
NIBBLE_INLINE run_scales<1> centered(__m256 scale) noexcept {
    return {{scale}, {_mm256_mul_ps(scale, _mm256_set1_ps(-static_cast<float>(Zero)))}};
}
template <int Zero>
NIBBLE_INLINE run_scales<2> centered(__m256 first, __m256 second) noexcept {
    const __m256 zero = _mm256_set1_ps(-static_cast<float>(Zero));
    return {{first, second}, {_mm256_mul_ps(first, zero), _mm256_mul_ps(second, zero)}};
}

/// The scalar way, for layouts without a decoder of their own.
template <class F>
struct scalar_decoder {
    static constexpr bool in_registers = false;
    static constexpr int zero = panels_of<F>.zero;

    static run_scales<F::parts> scales(const std::byte* run) noexcept {
        alignas(32) float scale[F::parts][8], offset[F::parts][8];
        for (std::size_t g = 0; g < 8; ++g) {
            std::uint8_t codes[32];
            float s[F::parts], o[F::parts];
            group(run, g, codes, s, o);
            for (std::size_t part = 0; part < F::parts; ++part) {
                scale[part][g] = s[part];
                offset[part][g] = o[part];
            }
        }
        run_scales<F::parts> all;
        for (std::size_t part = 0; part < F::parts; ++part) {
            all.scale[part] = _mm256_load_ps(scale[part]);
            all.offset[part] = _mm256_load_ps(offset[part]);
        }
        return all;
    }
    template <int Group>
    static __m256i codes(const std::byte* run) noexcept {
        alignas(32) std::uint8_t codes[32];
        float scale[F::parts], offset[F::parts];
        group(run, Group, codes, scale, offset);
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(codes));
    }

private:
    /// Never inlined: GCC 12 lets the arrays of unrolled groups share their place on the stack although their addresses, moved out of the
    /// loop, outlive them.
    NIBBLE_NOINLINE static void group(const std::byte* run, std::size_t g, std::uint8_t (&codes)[32], float (&scale)[F::parts],
                                      float (&offset)[F::parts]) noexcept {
        const auto* block = reinterpret_cast<const typename F::block*>(run) + g * 32 / F::block_size;
        F::affine(*block, g * 32 % F::block_size / 32, codes, scale, offset);
    }
};

template <class F, class Layout>
struct layout_decoder : scalar_decoder<F> {};

/// The decoder of a format.
template <class F>
struct decoder : layout_decoder<F, typename F::layout> {};

/// Calls fn.template operator()<Group>() for groups 0 .. 7, unrolled.
template <class Fn>
NIBBLE_INLINE void for_each_group(Fn&& fn) noexcept {
    fn.template operator()<0>();
    fn.template operator()<1>();
    fn.template operator()<2>();
    fn.template operator()<3>();
    fn.template operator()<4>();
    fn.template operator()<5>();
    fn.template operator()<6>();
    fn.template operator()<7>();
}

/// The first `count` blocks of a run, and zeros for those that it lacks. Moves of sizes that compilers know: a call takes longer than the rest.
template <class F, std::size_t Blocks = run_size / F::block_size>
NIBBLE_INLINE void copy_blocks(const std::byte* run, std::size_t count, std::byte* copy) noexcept {
    constexpr std::size_t size = sizeof(typename F::block);
    std::size_t b = 0;
    for (; b < count; ++b) __builtin_memcpy(copy + b * size, run + b * size, size);
    for (; b < Blocks; ++b) __builtin_memset(copy + b * size, 0, size);
}

/// The `index`-th run of a row; the last one, if it is not whole, is completed with zeros in `padded`.
template <class F>
NIBBLE_INLINE const std::byte* run_at(const std::byte* row, std::size_t index, std::size_t cols, std::byte* padded) noexcept {
    const std::byte* run = row + index * run_bytes<F>;
    if constexpr (F::block_size == run_size) {
        return run;
    } else {
        if ((index + 1) * run_size <= cols) return run;
        copy_blocks<F>(run, divide_up(cols - index * run_size, F::block_size), padded);
        return padded;
    }
}

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
