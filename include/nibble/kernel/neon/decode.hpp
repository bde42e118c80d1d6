// Decoders for NEON: from the bytes of a layout to 32 unsigned codes in two registers and the scales and offsets of a run of 256 elements. A
// layout that has none here is decoded by its format's scalar `affine`.
//
//   zero             value = scale * (code - zero) exactly as the format decodes; -1: value = scale * code + offset
//   scales(run, scale, offset)   8 * parts floats each, in the order of the elements
//   codes(run, group)            the 32 codes of group 0 .. 7
#pragma once

#include "nibble/base/float16.hpp"
#include "nibble/base/target.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/format/layout.hpp"

#if defined(NIBBLE_ARM64)
NIBBLE_BASELINE_BEGIN
namespace neon {

/// Elements that decoders work on at once, whatever the block size: all block sizes divide it.
inline constexpr std::size_t run_size = 256;

/// Bytes of a run.
template <class F>
inline constexpr std::size_t run_bytes = run_size / F::block_size * sizeof(typename F::block);

NIBBLE_INLINE uint8x16_t load_u8x16(const std::byte* from) noexcept { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(from)); }

/// The scalar way, for layouts without a decoder of their own.
template <class F>
struct scalar_decoder {
    static constexpr bool in_registers = false;

    static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        std::uint8_t codes[32];
        for (std::size_t g = 0; g < 8; ++g) group(run, g, codes, scale + g * F::parts, offset + g * F::parts);
    }
    static uint8x16x2_t codes(const std::byte* run, std::size_t g) noexcept {
        std::uint8_t codes[32];
        float scale[F::parts], offset[F::parts];
        group(run, g, codes, scale, offset);
        return {{vld1q_u8(codes), vld1q_u8(codes + 16)}};
    }

private:
    static void group(const std::byte* run, std::size_t g, std::uint8_t (&codes)[32], float* scale, float* offset) noexcept {
        const auto* block = reinterpret_cast<const typename F::block*>(run) + g * 32 / F::block_size;
        float s[F::parts], o[F::parts];
        F::affine(*block, g * 32 % F::block_size / 32, codes, s, o);
        for (std::size_t part = 0; part < F::parts; ++part) {
            scale[part] = s[part];
            offset[part] = o[part];
        }
    }
};

template <class F, class Layout>
struct layout_decoder : scalar_decoder<F> {};

/// The decoder of a format.
template <class F>
struct decoder : layout_decoder<F, typename F::layout> {};

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Zero;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        for (std::size_t g = 0; g < 8; ++g) {
            std::uint16_t bits;
            __builtin_memcpy(&bits, run + g * sizeof(typename F::block), sizeof bits);
            scale[g] = float16_to_float(bits);
            offset[g] = -static_cast<float>(Zero) * scale[g];
        }
    }
    NIBBLE_INLINE static uint8x16x2_t codes(const std::byte* run, std::size_t g) noexcept {
        const uint8x16_t pairs = load_u8x16(run + g * sizeof(typename F::block) + 2);
        return {{vandq_u8(pairs, vdupq_n_u8(15)), vshrq_n_u8(pairs, 4)}};
    }
};

template <class F>
struct layout_decoder<F, layout::offset_super_block<4>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = -1;

    NIBBLE_INLINE static void scales(const std::byte* run, float* scale, float* offset) noexcept {
        const auto& packed = *reinterpret_cast<const typename F::block*>(run);
        const float s = float16_to_float(packed.scale.get()), o = float16_to_float(packed.offset.get());
        for (std::size_t g = 0; g < 8; ++g) {
            scale[g] = s * static_cast<float>(packed.sub.scale(g));
            offset[g] = -(o * static_cast<float>(packed.sub.offset(g)));
        }
    }
    NIBBLE_INLINE static uint8x16x2_t codes(const std::byte* run, std::size_t g) noexcept {
        const uint8x16_t a = load_u8x16(run + 16 + g / 2 * 32), b = load_u8x16(run + 32 + g / 2 * 32);
        if (g % 2 != 0) return {{vshrq_n_u8(a, 4), vshrq_n_u8(b, 4)}};
        return {{vandq_u8(a, vdupq_n_u8(15)), vandq_u8(b, vdupq_n_u8(15))}};
    }
};

/// The `index`-th run of a row; the last one, if it is not whole, is completed with zeros in `padded`.
template <class F>
NIBBLE_INLINE const std::byte* run_at(const std::byte* row, std::size_t index, std::size_t cols, std::byte* padded) noexcept {
    const std::byte* run = row + index * run_bytes<F>;
    if (F::block_size == run_size || (index + 1) * run_size <= cols) return run;
    const std::size_t left = row_bytes<F>(cols) - index * run_bytes<F>;
    __builtin_memset(padded, 0, run_bytes<F>);
    __builtin_memcpy(padded, run, left < run_bytes<F> ? left : run_bytes<F>);
    return padded;
}

}  // namespace neon
NIBBLE_BASELINE_END
#endif
