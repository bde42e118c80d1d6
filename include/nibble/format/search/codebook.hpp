// The search for a scale and points of a codebook: |x| is near scale * (2 * level + 1) in groups whose levels must be a point.
// The IQ2 and IQ3 formats. Source of the steps and constants: ggml's quantize_row_iq2_xxs_impl and its siblings.
//
// Rules of a format:
//   book                          its codebook
//   length                        elements of a sub-block
//   even_signs                    signs are stored for seven of eight elements; their product is positive
//   trials, step                  candidates for the inverse scale: (2 * levels - 1 + step * t) / largest, t = -trials .. trials
//   is_empty(largest)             lanes without anything to encode
//   fitted_start                  start from a fit of the values instead of their largest
//   repeat_all                    the last step looks at all groups if any of them was no point, not only at those
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"
#include "nibble/format/codebook/neighbours.hpp"
#include "nibble/format/search/nearest.hpp"
#include "nibble/format/search/tried_levels.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// What the search finds, one entry a sub-block.
template <class Rules, std::size_t Units>
struct codebook_fits {
    static constexpr std::size_t groups = Rules::length / Rules::book::width;
    float scale[Units];
    bool empty[Units];                      ///< the reference leaves these out
    std::uint16_t index[Units * groups];    ///< points
    std::uint8_t signs[Units * (Rules::length / 8)];  ///< bit j: element j is negative
};

namespace detail {
/// 2 * level + 1 of coordinate i.
template <class Book, lane_count auto N>
NIBBLE_INLINE f32x<N> odd_at(const i32x<N>& packed, std::size_t i) noexcept {
    constexpr int mask = 2 * ((1 << Book::level_bits) - 1);
    const int bit = Book::level_bits * static_cast<int>(i);
    const auto twice = (bit == 0 ? packed << 1 : packed >> (bit - 1)) & i32x<N>::set(mask);
    return to_float(twice | i32x<N>::set(1));
}
}  // namespace detail

/// A fit of scale * code to values, codes 0 .. 4, by coordinate descent; where it starts. Source: ggml's make_qp_quants.
template <lane_count auto N, std::size_t Count>
NIBBLE_INLINE f32x<N> fit_magnitudes(const float (&y)[Count][N], const float (&weights)[Count][N], const f32x<N>& largest) noexcept {
    using floats = f32x<N>;
    constexpr int max_code = 4;
    const auto zero = floats::set(0.0f);
    // A value that was made negative has a negative code; the reference keeps it in an unsigned byte.
    const auto byte = i32x<N>::set(255);
    const auto code_of = [](const floats& v) NIBBLE_LAMBDA_INLINE {
        const auto code = round_even(v), most = i32x<N>::set(max_code);
        return select(code > most, most, code);
    };
    auto inverse = floats::set(4.0f) / largest;
    auto least = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(y[i]);
        const auto e = v - floats::set(1.0f) / inverse * to_float(round_even(inverse * v) & byte);
        least = least + floats::load(weights[i]) * e * e;
    }
    for (int t = -4; t <= 4; ++t) {
        if (t == 0) continue;
        const auto candidate = floats::set(0.1f * static_cast<float>(t) + 4.0f) / largest;
        const auto scale = floats::set(1.0f) / candidate;
        auto error = zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(y[i]);
            const auto e = v - scale * to_float(code_of(candidate * v));
            error = error + floats::load(weights[i]) * e * e;
        }
        const auto better = error < least;
        least = select(better, error, least);
        inverse = select(better, candidate, inverse);
    }
    alignas(64) std::int32_t codes[Count][N];
    auto sum_cx = zero, sum_cc = zero;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto v = floats::load(y[i]), w = floats::load(weights[i]);
        const auto rounded = code_of(inverse * v);
        (rounded & byte).store(codes[i]);
        const auto code = to_float(rounded);
        sum_cx = sum_cx + w * v * code;
        sum_cc = sum_cc + w * code * code;
    }
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < Count; ++i) {
            const auto v = floats::load(y[i]), w = floats::load(weights[i]);
            const auto old = i32x<N>::load(codes[i]);
            auto rest_cx = sum_cx - w * v * to_float(old), rest_cc = sum_cc - w * to_float(old) * to_float(old);
            const auto possible = (rest_cx > zero) & (rest_cc > zero);
            const auto rounded = code_of(v * rest_cc / rest_cx);
            const auto code = to_float(rounded);
            rest_cx = rest_cx + w * v * code;
            rest_cc = rest_cc + w * code * code;
            const auto gain = rest_cx * rest_cx * sum_cc > sum_cx * sum_cx * rest_cc;
            const auto better = possible & !(rounded == old) & gain;
            select(better, rounded & byte, old).store(codes[i]);
            sum_cx = select(better, rest_cx, sum_cx);
            sum_cc = select(better, rest_cc, sum_cc);
        }
    }
    return select(sum_cc > zero, sum_cx / sum_cc, zero);
}

/// Folds signs away. With even signs the element that matters least changes sign where their number is odd.
/// @return bit j: element j of eight is negative
template <bool EvenSigns, lane_count auto N>
NIBBLE_INLINE i32x<N> fold_signs(const float (*x)[N], const float (*weights)[N], float (*y)[N]) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    const auto zero = floats::set(0.0f);
    auto signs = ints::set(0), odd = ints::set(0);
    for (std::size_t i = 0; i < 8; ++i) {
        const auto v = floats::load(x[i]);
        const auto negative = !(v >= zero);
        select(negative, -v, v).store(y[i]);
        signs = signs | select(negative, ints::set(1 << i), ints::set(0));
        if constexpr (EvenSigns) odd = odd ^ select(negative, ints::set(1), ints::set(0));
    }
    if constexpr (EvenSigns) {
        auto least = floats::load(weights[0]) * floats::load(x[0]) * floats::load(x[0]);
        auto place = ints::set(0);
        for (std::size_t i = 1; i < 8; ++i) {
            const auto cost = floats::load(weights[i]) * floats::load(x[i]) * floats::load(x[i]);
            const auto less = cost < least;
            least = select(less, cost, least);
            place = select(less, ints::set(static_cast<std::int32_t>(i)), place);
        }
        for (std::size_t i = 0; i < 8; ++i) {
            const auto v = floats::load(y[i]);
            const auto flip = (odd == ints::set(1)) & (place == ints::set(static_cast<std::int32_t>(i)));
            select(flip, -v, v).store(y[i]);
            signs = signs ^ select(flip, ints::set(1 << i), ints::set(0));
        }
    }
    return signs;
}

/// @param x        Rules::length values of N sub-blocks, one a lane
/// @param weights  their weights, same order
/// @param found    codebook_fits; receives entries at .. at + N - 1
template <class Rules, lane_count auto N>
NIBBLE_INLINE void find_points(const float (*x)[N], const float (*weights)[N], auto& found, std::size_t at) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    using book = typename Rules::book;
    constexpr std::size_t length = Rules::length, width = book::width, groups = length / width;
    constexpr float top = static_cast<float>(2 * book::levels - 1);
    const auto zero = floats::set(0.0f), one = floats::set(1.0f);

    alignas(64) float y[length][N];
    ints signs[length / 8];
    for (std::size_t k = 0; k < length; k += 8) signs[k / 8] = fold_signs<Rules::even_signs, N>(x + k, weights + k, y + k);

    auto largest = floats::load(y[0]);
    alignas(64) float root[length][N], weighted[length][N];
    for (std::size_t i = 0; i < length; ++i) {
        const auto v = floats::load(y[i]), w = floats::load(weights[i]);
        largest = select(v > largest, v, largest);
        sqrt(w).store(root[i]);
        (w * v).store(weighted[i]);
    }
    auto empty = Rules::is_empty(largest);
    auto scale = largest / floats::set(top);
    if constexpr (Rules::fitted_start) {
        alignas(64) float w[length][N];
        __builtin_memcpy(w, weights, sizeof w);
        scale = fit_magnitudes<N>(y, w, largest);
        largest = scale * floats::set(static_cast<float>(book::levels));
        empty = empty | !(largest > zero);
    }

    alignas(64) float y_rows[N][length], root_rows[N][length];
    spread_lanes<N>(y, y_rows);
    spread_lanes<N>(root, root_rows);
    const auto odd = [](std::size_t) NIBBLE_LAMBDA_INLINE { return level_scale{2.0f, -1.0f}; };
    // Also how far the values are from the levels that they were rounded to.
    const auto levels_of = [&](const floats& inverse, std::size_t g, floats& furthest) NIBBLE_LAMBDA_INLINE {
        auto packed = ints::set(0);
        furthest = zero;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < width; ++i) {
            const auto position = floats::set(0.5f) * (inverse * floats::load(y[g * width + i]) - one);
            const auto level = clamp(round_even(position), 0, book::levels - 1);
            packed = packed | (level << (book::level_bits * static_cast<int>(i)));
            const auto inside = lesser(greater(position, zero), floats::set(static_cast<float>(book::levels - 1)));
            furthest = greater(abs(inside - to_float(level)), furthest);
        }
        return packed;
    };
    floats sum_cx, sum_cc;
    const auto measure = [&](const ints(&packed)[groups]) NIBBLE_LAMBDA_INLINE {
        sum_cx = sum_cc = zero;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < length; ++i) {
            const auto code = detail::odd_at<book>(packed[i / width], i % width);
            sum_cx = sum_cx + floats::load(weighted[i]) * code;
            sum_cc = sum_cc + floats::load(weights[i]) * code * code;
        }
    };

    auto score = zero;
    ints best[groups], off_points[groups];  // off_points: not 0 where levels had to move, or nothing has been found yet in some formats
    for (std::size_t g = 0; g < groups; ++g) {
        best[g] = ints::set(0);
        off_points[g] = ints::set(Rules::repeat_all ? 1 : 0);
    }
    // First the levels of all scales, then their points, then what they are worth: each for itself keeps the machine busy.
    constexpr std::size_t tries = 2 * Rules::trials + 1;
    tried_levels<tries, groups, N> tried;
    alignas(64) float scales[tries][N], scale_rows[N][tries];
    for (std::size_t t = 0; t < tries; ++t) {
        const auto inverse = floats::set(top + static_cast<float>(static_cast<int>(t) - Rules::trials) * Rules::step) / largest;
        (one / inverse).store(scales[t]);
        for (std::size_t g = 0; g < groups; ++g) {
            floats furthest;
            const auto packed = levels_of(inverse, g, furthest);
            tried.template enter<book>(t, g, packed, furthest);
        }
    }
    spread_lanes<N>(scales, scale_rows);
    alignas(64) std::int32_t left_out[N];
    ones_where(empty).store(left_out);
    for (std::size_t lane = 0; lane < N; ++lane) {
        for (std::size_t g = 0; g < groups && left_out[lane] == 0; ++g) {
            tried.template move_to_points<book>(g, lane, y_rows[lane] + g * width, root_rows[lane] + g * width, scale_rows[lane], odd(lane));
        }
    }
    for (std::size_t t = 0; t < tries; ++t) {
        ints packed[groups];
        for (std::size_t g = 0; g < groups; ++g) packed[g] = tried.levels(t, g);
        measure(packed);
        const auto better = (sum_cc > zero) & (sum_cx * sum_cx > score * sum_cc);
        scale = select(better, sum_cx / sum_cc, scale);
        score = select(better, scale * sum_cx, score);
        for (std::size_t g = 0; g < groups; ++g) {
            best[g] = select(better, packed[g], best[g]);
            off_points[g] = select(better, tried.moved(t, g), off_points[g]);
        }
    }

    // Once more with the scale that was found, if any levels had to move: those, or all of them.
    auto off = off_points[0];
    for (std::size_t g = 1; g < groups; ++g) off = off | off_points[g];
    if constexpr (Rules::fitted_start) off = ints::set(1);
    off = select(scale > zero, select(empty, ints::set(0), off), ints::set(0));
    const auto repeat = off > ints::set(0);
    if (any(repeat)) {
        for (std::size_t g = 0; g < groups; ++g) {
            const auto here = (Rules::repeat_all ? off : off & off_points[g]) > ints::set(0);
            floats furthest;
            auto packed = levels_of(one / scale, g, furthest);
            (void)move_to_points<book, N>(packed, here, y_rows[0] + g * width, root_rows[0] + g * width, length, scale, odd);
            best[g] = select(here, packed, best[g]);
        }
        measure(best);
        scale = select(repeat & (sum_cc > zero), sum_cx / sum_cc, scale);
    }

    const auto negative = scale < zero;
    scale = select(empty, zero, select(negative, -scale, scale));
    alignas(64) std::int32_t lanes[N];
    scale.store(found.scale + at);
    select(empty, ints::set(1), ints::set(0)).store(lanes);
    for (std::size_t lane = 0; lane < N; ++lane) found.empty[at + lane] = lanes[lane] != 0;
    const neighbour_table<book>& table = neighbours<book>();
    for (std::size_t g = 0; g < groups; ++g) {
        select(empty, ints::set(0), book::key_of(best[g])).store(lanes);
        for (std::size_t lane = 0; lane < N; ++lane) found.index[(at + lane) * groups + g] = table.index(static_cast<std::size_t>(lanes[lane]));
    }
    for (std::size_t k = 0; k < length / 8; ++k) {
        const auto turned = select(negative, signs[k] ^ ints::set(255), signs[k]);
        select(empty, ints::set(0), turned & ints::set(Rules::even_signs ? 127 : 255)).store(lanes);
        for (std::size_t lane = 0; lane < N; ++lane) found.signs[(at + lane) * (length / 8) + k] = static_cast<std::uint8_t>(lanes[lane]);
    }
}

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
