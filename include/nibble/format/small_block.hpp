// What the formats with 32 codes of 4 or 5 bits share. Source of the arithmetic: ggml's quantize_row_q4_0_ref and its like; with
// importance quantize_q4_0 and its like.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/encode.hpp"
#include "nibble/format/layout.hpp"
#include "nibble/format/search/magnitude.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/search/with_offset.hpp"
#include "nibble/format/split_codes.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

namespace detail {
/// The variance term of importance is that of the whole row.
struct weighted_by_row {
    static constexpr bool row_sigma = true;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return sum_of_squares / static_cast<float>(count); }
};

/// weights = importance * sqrt(sigma + x * x) in each lane.
template <int N, std::size_t Count>
NIBBLE_INLINE void weigh_by_row(const float (&x)[Count][N], const float (&importance)[Count][N], const f32x<N>& sigma,
                                float (&weights)[Count][N]) noexcept {
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = f32x<N>::load(x[i]);
        (f32x<N>::load(importance[i]) * sqrt(sigma + v * v)).store(weights[i]);
    }
}
}  // namespace detail

/// [scale fp16][codes]; value = scale * (code - middle), where middle is half the number of codes.
template <class Format, int Bits>
struct centered_block : detail::weighted_by_row {
    static constexpr std::size_t block_size = 32;
    static constexpr int middle = 1 << (Bits - 1);

    struct block {
        stored<std::uint16_t> scale;
        split_codes<Bits> codes;
    };

    static constexpr float safe_magnitude = float16_max * static_cast<float>(middle / 2);
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept { return is_finite_float16(packed.scale.get()); }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get());
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i] - middle);
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = -static_cast<float>(middle) * scale[0];
        packed.codes.get(codes);
    }

    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units], inverse[Units], middle[Units];
    };

    /// The scale maps the value of largest magnitude to code 0, so its sign gets the extra level.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        const auto scale = find_extreme<N>(x) / f32x<N>::set(-static_cast<float>(middle));
        scale.store(found.scale + at);
        inverse_or_zero(scale).store(found.inverse + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), rounding = f32x<N>::set(static_cast<float>(middle) + 0.5f);
        write<N>(found.scale[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(truncate(convertible(f32x<N>::load(values + i) * inverse + rounding)), 0, 2 * middle - 1);
        });
    }

    /// With importance: the symmetric search, whose codes are stored as found.
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale<middle, N>(x, weights);
        fit.scale.store(found.scale + at);
        fit.inverse.store(found.inverse + at);
        // An empty block gets code 0 from the reference, not the middle.
        select(fit.empty, f32x<N>::set(0.0f), f32x<N>::set(static_cast<float>(middle))).store(found.middle + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]);
        const auto zero_point = i32x<N>::set(static_cast<std::int32_t>(found.middle[at]));
        write<N>(found.scale[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(round_even(inverse * f32x<N>::load(values + i)), -middle, middle - 1) + zero_point;
        });
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_blocks<Format, 1>(values.data(), 1, 1, nullptr, &packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static void write(float scale, block& packed, auto code_at) noexcept {
        packed.scale.set(float_to_float16(scale));
        std::uint8_t codes[32];
        for (std::size_t i = 0; i < 32; i += N) store_bytes(code_at(i), codes + i);
        packed.codes.set(codes);
    }
};

/// [scale fp16][offset fp16][codes]; value = scale * code + offset.
template <class Format, int Bits>
struct shifted_block : detail::weighted_by_row {
    static constexpr std::size_t block_size = 32;
    static constexpr int max_code = (1 << Bits) - 1;

    struct block {
        stored<std::uint16_t> scale, offset;
        split_codes<Bits> codes;
    };

    /// The offset is about the least value, and the search may move it a little further.
    static constexpr float safe_magnitude = float16_max * 0.5f;
    NIBBLE_INLINE static constexpr bool finite(const block& packed) noexcept {
        return is_finite_float16(packed.scale.get()) && is_finite_float16(packed.offset.get());
    }

    NIBBLE_INLINE static constexpr void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = float16_to_float(packed.scale.get()), offset = float16_to_float(packed.offset.get());
        std::uint8_t codes[32];
        packed.codes.get(codes);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(codes[i]) + offset;
    }

    static constexpr int code_bits = Bits;
    static constexpr std::size_t parts = 1;
    NIBBLE_INLINE static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        scale[0] = float16_to_float(packed.scale.get());
        offset[0] = float16_to_float(packed.offset.get());
        packed.codes.get(codes);
    }

    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units], offset[Units], inverse[Units], low[Units];
    };

    /// The least value gets code 0, the largest the last code.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        f32x<N> low, high;
        find_range<N>(x, low, high);
        const auto scale = (high - low) / f32x<N>::set(static_cast<float>(max_code));
        scale.store(found.scale + at);
        low.store(found.low + at);
        inverse_or_zero(scale).store(found.inverse + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), low = f32x<N>::set(found.low[at]), half = f32x<N>::set(0.5f);
        write<N>(found.scale[at], found.low[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(truncate(convertible((f32x<N>::load(values + i) - low) * inverse + half)), 0, max_code);
        });
    }

    /// With importance: the search for scale and offset, whose codes are stored as found.
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale_and_offset<max_code, N>(x, weights, {-0.9f, 0.05f, 36, false});
        fit.scale.store(found.scale + at);
        fit.offset.store(found.offset + at);
        fit.inverse.store(found.inverse + at);
        fit.low.store(found.low + at);
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), low = f32x<N>::set(found.low[at]);
        write<N>(found.scale[at], -found.offset[at], packed, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return clamp(round_even(inverse * (f32x<N>::load(values + i) - low)), 0, max_code);
        });
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_blocks<Format, 1>(values.data(), 1, 1, nullptr, &packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static void write(float scale, float offset, block& packed, auto code_at) noexcept {
        packed.scale.set(float_to_float16(scale));
        packed.offset.set(float_to_float16(offset));
        std::uint8_t codes[32];
        for (std::size_t i = 0; i < 32; i += N) store_bytes(code_at(i), codes + i);
        packed.codes.set(codes);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
