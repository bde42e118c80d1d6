// What the formats with 32 codes of 4 or 5 bits share. Source of the arithmetic: ggml's quantize_row_q4_0_ref and its like; with
// importance quantize_q4_0 and its like.
#pragma once

#include <span>

#include "nibble/base/float16.hpp"
#include "nibble/format/best/input.hpp"
#include "nibble/format/best/line.hpp"
#include "nibble/format/best/scale.hpp"
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

/// The fifth bits of the codes of 32 elements, element i at bit i: gathered here, where the lanes are blocks and it takes no shuffle.
template <int Bits, int N>
NIBBLE_INLINE void keep_fifth_bits(std::int32_t* to, auto code_at) noexcept {
    if constexpr (Bits == 5) {
        auto bits = i32x<N>::set(0);
        for (int i = 0; i < 32; ++i) bits = bits | (((code_at(static_cast<std::size_t>(i)) >> 4) & i32x<N>::set(1)) << i);
        bits.store(to);
    }
}

/// Packs codes that are there already.
template <int Bits, int N>
NIBBLE_INLINE void set_codes(const std::int32_t (&codes)[32], split_codes<Bits>& packed) noexcept {
    std::uint32_t fifth = 0;
    for (std::size_t i = 0; i < 32; ++i) fifth |= (static_cast<std::uint32_t>(codes[i]) >> 4) << i;
    packed.template set<N>(fifth, [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return i32x<N>::load(codes + i); });
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
        float scale[Units], inverse[Units];
        std::int32_t zero_point[Units], fifth[Units];
    };

    /// The scale maps the value of largest magnitude to code 0, so its sign gets the extra level.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        const auto scale = find_extreme<N>(x) / f32x<N>::set(-static_cast<float>(middle));
        const auto inverse = inverse_or_zero(scale);
        scale.store(found.scale + at);
        inverse.store(found.inverse + at);
        detail::keep_fifth_bits<Bits, N>(found.fifth + at, [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return code(f32x<N>::load(x[i]), inverse); });
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.codes.template set<N>(static_cast<std::uint32_t>(found.fifth[at]), [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return code(f32x<N>::load(values + i), inverse);
        });
    }

    /// With importance: the symmetric search, whose codes are stored as found.
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale<middle, N>(x, weights);
        // An empty block gets code 0 from the reference, not the middle.
        const auto zero_point = select(fit.empty, i32x<N>::set(0), i32x<N>::set(middle));
        fit.scale.store(found.scale + at);
        fit.inverse.store(found.inverse + at);
        zero_point.store(found.zero_point + at);
        detail::keep_fifth_bits<Bits, N>(found.fifth + at, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return found_code(f32x<N>::load(x[i]), fit.inverse, zero_point);
        });
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]);
        const auto zero_point = i32x<N>::set(found.zero_point[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.codes.template set<N>(static_cast<std::uint32_t>(found.fifth[at]), [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return found_code(f32x<N>::load(values + i), inverse, zero_point);
        });
    }

    template <int N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        using levels = uniform_levels<-middle, middle - 1>;
        constexpr scale_trials trials = {0.875f * middle, Bits == 4 ? 0.25f : 0.4f, 14, 0};
        alignas(64) float scale[N];
        find_best_scale<levels, float16_scale, 32>(input.x, input.w, input.units(), trials).store(scale);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<levels, 32>(lane, 0, scale[lane], 0.0f, codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            detail::set_codes<Bits, N>(codes, out[lane].codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value, const f32x<N>& inverse) noexcept {
        const auto rounding = f32x<N>::set(static_cast<float>(middle) + 0.5f);
        return clamp(truncate(convertible(value * inverse + rounding)), 0, 2 * middle - 1);
    }
    template <int N>
    NIBBLE_INLINE static i32x<N> found_code(const f32x<N>& value, const f32x<N>& inverse, const i32x<N>& zero_point) noexcept {
        return clamp(round_even(inverse * value), -middle, middle - 1) + zero_point;
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
        std::int32_t fifth[Units];
    };

    /// The least value gets code 0, the largest the last code.
    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        f32x<N> low, high;
        find_range<N>(x, low, high);
        const auto scale = (high - low) / f32x<N>::set(static_cast<float>(max_code));
        const auto inverse = inverse_or_zero(scale);
        keep<N>(scale, low, inverse, low, found, at);
        detail::keep_fifth_bits<Bits, N>(found.fifth + at, [&](std::size_t i) NIBBLE_LAMBDA_INLINE { return code(f32x<N>::load(x[i]), inverse, low); });
    }
    template <int N>
    NIBBLE_INLINE static void assemble(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), low = f32x<N>::set(found.low[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.offset.set(float_to_float16(found.offset[at]));
        packed.codes.template set<N>(static_cast<std::uint32_t>(found.fifth[at]), [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return code(f32x<N>::load(values + i), inverse, low);
        });
    }

    /// With importance: the search for scale and offset, whose codes are stored as found.
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        detail::weigh_by_row<N>(x, importance, sigma, weights);
        const auto fit = find_scale_and_offset<max_code, N>(x, weights, {-0.9f, 0.05f, 36, false});
        keep<N>(fit.scale, -fit.offset, fit.inverse, fit.low, found, at);
        detail::keep_fifth_bits<Bits, N>(found.fifth + at, [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return found_code(f32x<N>::load(x[i]), fit.inverse, fit.low);
        });
    }
    template <int N>
    NIBBLE_INLINE static void assemble_weighted(const float* values, const auto& found, std::size_t at, block& packed) noexcept {
        const auto inverse = f32x<N>::set(found.inverse[at]), low = f32x<N>::set(found.low[at]);
        packed.scale.set(float_to_float16(found.scale[at]));
        packed.offset.set(float_to_float16(found.offset[at]));
        packed.codes.template set<N>(static_cast<std::uint32_t>(found.fifth[at]), [&](std::size_t i) NIBBLE_LAMBDA_INLINE {
            return found_code(f32x<N>::load(values + i), inverse, low);
        });
    }

    template <int N>
    NIBBLE_INLINE static void search_best(const best_input<N, 32>& input, block* out) noexcept {
        using levels = uniform_levels<0, max_code>;
        constexpr line_trials trials = {Bits == 4 ? -0.02f : -0.015f, Bits == 4 ? 0.03f : 0.015f, 5, 2};
        const auto line = find_best_line<max_code, float16_scale, 32>(input.x, input.w, input.units(), trials);
        alignas(64) float scale[N], offset[N];
        line.scale.store(scale);
        line.offset.store(offset);
        for (std::size_t lane = 0; lane < N; ++lane) {
            alignas(64) std::int32_t codes[32];
            input.template codes<levels, 32>(lane, 0, scale[lane], -offset[lane], codes);
            out[lane].scale.set(float_to_float16(scale[lane] * input.unit[lane]));
            out[lane].offset.set(float_to_float16(offset[lane] * input.unit[lane]));
            detail::set_codes<Bits, N>(codes, out[lane].codes);
        }
    }

    NIBBLE_INLINE static void encode(std::span<const float, 32> values, block& packed) noexcept {
        encode_block<Format>(values.data(), packed);
    }

private:
    template <int N>
    NIBBLE_INLINE static void keep(const f32x<N>& scale, const f32x<N>& offset, const f32x<N>& inverse, const f32x<N>& low, auto& found,
                                   std::size_t at) noexcept {
        scale.store(found.scale + at);
        offset.store(found.offset + at);
        inverse.store(found.inverse + at);
        low.store(found.low + at);
    }
    template <int N>
    NIBBLE_INLINE static i32x<N> code(const f32x<N>& value, const f32x<N>& inverse, const f32x<N>& low) noexcept {
        return clamp(truncate(convertible((value - low) * inverse + f32x<N>::set(0.5f))), 0, max_code);
    }
    template <int N>
    NIBBLE_INLINE static i32x<N> found_code(const f32x<N>& value, const f32x<N>& inverse, const f32x<N>& low) noexcept {
        return clamp(round_even(inverse * (value - low)), 0, max_code);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
