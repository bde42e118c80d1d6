// The search for a scale of uneven levels: x is near scale * level. IQ4_NL and IQ4_XS. Source of the steps and constants: ggml's
// quantize_row_iq4_nl_impl.
#pragma once

#include "nibble/format/levels.hpp"
#include "nibble/format/search/magnitude.hpp"
#include "nibble/format/search/odd_codes.hpp"
#include "nibble/format/search/symmetric.hpp"
#include "nibble/format/split_codes.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// @param x       Count values of N sub-blocks, one a lane
/// @param weights their weights, same order
/// @return the scale; 0 in a lane without a value of at least 1e-15
template <class Levels, int N, std::size_t Count>
NIBBLE_INLINE f32x<N> find_level_scale(const float (&x)[Count][N], const float (&weights)[Count][N]) noexcept {
    using floats = f32x<N>;
    const auto zero = floats::set(0.0f);
    const auto first_level = floats::set(Levels::values[0]);
    const auto extreme = find_extreme<N>(x);

    floats sum_cx, sum_cc;
    const auto measure = [&](const floats& inverse) NIBBLE_LAMBDA_INLINE {
        sum_cx = sum_cc = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(x[i]);
            floats level;
            (void)find_nearest_level<Levels, N>(inverse * v, level);
            const auto weighted = floats::load(weights[i]) * level;
            sum_cx = sum_cx + weighted * v;
            sum_cc = sum_cc + weighted * level;
        }
    };

    // First the extreme value gets minus the first level, then about the first level itself.
    measure(floats::set(1.0f) / (-extreme / first_level));
    auto scale = select(sum_cc > zero, sum_cx / sum_cc, zero);
    auto score = scale * sum_cx;
    for (int t = -7; t <= 7; ++t) {
        measure((floats::set(static_cast<float>(t)) + first_level) / extreme);
        const auto better = detail::both(sum_cc > zero, sum_cx * sum_cx > score * sum_cc);
        scale = select(better, sum_cx / sum_cc, scale);
        score = select(better, scale * sum_cx, score);
    }
    return select(abs(extreme) < floats::set(1e-15f), zero, scale);
}

/// Writes the codes of the levels that are nearest to 32 values. Scale 0 gives the code of the level nearest to 0.
template <class Levels, int N>
NIBBLE_INLINE void set_nearest_levels(const float* values, float scale, split_codes<4>& codes) noexcept {
    const auto inverse = f32x<N>::set(inverse_or_zero(f32x<1>{scale}).raw);
    codes.set<N>([&](std::size_t i) NIBBLE_LAMBDA_INLINE {
        f32x<N> level;
        return find_nearest_level<Levels, N>(inverse * f32x<N>::load(values + i), level);
    });
}

/// The searching half of a format (format/encode.hpp): scales of 32 elements.
template <class Levels>
struct level_search {
    static constexpr std::size_t unit_size = 32;
    template <std::size_t Units>
    struct fits {
        float scale[Units];
    };

    template <int N>
    NIBBLE_INLINE static void search(const float (&x)[32][N], auto& found, std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        weigh_squares<N>(x, weights);
        find_level_scale<Levels, N>(x, weights).store(found.scale + at);
    }

    static constexpr bool row_sigma = false;
    NIBBLE_INLINE static float sigma(float sum_of_squares, std::size_t count) noexcept { return doubled_mean(sum_of_squares, count); }
    template <int N>
    NIBBLE_INLINE static void search_weighted(const float (&x)[32][N], const float (&importance)[32][N], const f32x<N>& sigma, auto& found,
                                              std::size_t at) noexcept {
        alignas(64) float weights[32][N];
        (void)weigh<N>(x, importance, sigma, weights);
        find_level_scale<Levels, N>(x, weights).store(found.scale + at);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
