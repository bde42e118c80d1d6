// The best scales, points and shifts of a super-block whose groups of 8 or 4 elements are rounded to points of a codebook:
// x is near scale * factor * (2 * sub_scale + 1) * sign * (value of a level + shift). The steps are those of sub_scales.hpp;
// what a format's Rules say is in point_rules.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/format/best/point_rules.hpp"
#include "nibble/format/best/scale.hpp"
#include "nibble/format/codebook/neighbours.hpp"
#include "nibble/format/search/nearest.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

struct point_trials {
    float first = 0.6f, step = 0.07f;  ///< the largest |x| of a sub-block becomes (first + step * t) * the largest level
    int count = 10;
    int supers = 12;  ///< scales tried
    int window = 3;   ///< sub_scales tried on either side of the nearest
    int refits = 2;
};

/// What was found for N super-blocks, block after block.
template <class Rules, lane_count auto N>
struct best_points {
    static constexpr std::size_t subs = 256 / Rules::length, groups = 256 / Rules::book::width;
    std::uint16_t scale[N];  ///< binary16
    std::uint8_t sub[N][subs];
    std::uint16_t index[N][groups];
    std::uint8_t signs[N][32];      ///< bit i: element i of eight is negative
    std::uint8_t shift[N][groups];  ///< which of the shifts
};

namespace detail {

/// What levels decode to: equally far apart, except that the last may be a little further. A shift is added to all.
template <class Book>
struct decoded_levels {
    static constexpr int top = Book::levels - 1;
    static constexpr float first = Book::values[0], step = Book::values[1] - Book::values[0];
    static constexpr float extra = Book::values[top] - (first + step * top);
    static constexpr float last_middle = 0.5f * (Book::values[top - 1] + Book::values[top]);

    float shift;

    NIBBLE_INLINE float at(int level) const noexcept {
        return first + shift + step * static_cast<float>(level) + (level == top ? extra : 0.0f);
    }
    template <lane_count auto N>
    NIBBLE_INLINE f32x<N> at(const f32x<N>& level) const noexcept {
        const auto value = f32x<N>::set(first + shift) + f32x<N>::set(step) * level;
        if constexpr (extra == 0.0f) return value;
        else return value + select(level == f32x<N>::set(static_cast<float>(top)), f32x<N>::set(extra), f32x<N>::set(0.0f));
    }
    template <lane_count auto N>
    NIBBLE_INLINE i32x<N> nearest(const f32x<N>& value) const noexcept {
        const auto level = (value - f32x<N>::set(first + shift)) * f32x<N>::set(1.0f / step);
        if constexpr (extra == 0.0f) {
            return truncate(round_whole(between(level, 0.0f, static_cast<float>(top))));
        } else {
            const auto low = truncate(round_whole(between(level, 0.0f, static_cast<float>(top - 1))));
            return select(value > f32x<N>::set(last_middle + shift), i32x<N>::set(top), low);
        }
    }
};

/// Takes signs away. Where their number must be even and is not, the element where that costs least changes its sign.
/// @return bit i: element i is negative
template <bool Even, lane_count auto N>
NIBBLE_INLINE i32x<N> take_signs(float (*y)[N], const float (*w)[N]) noexcept {
    using floats = f32x<N>;
    using ints = i32x<N>;
    auto signs = ints::set(0), odd = ints::set(0), place = ints::set(0);
    auto least = floats::set(no_error_yet);
    for (int i = 0; i < 8; ++i) {
        const auto v = floats::load(y[i]), magnitude = abs(v), cost = floats::load(w[i]) * magnitude;
        const auto bit = select(v < floats::set(0.0f), ints::set(1), ints::set(0));
        const auto cheaper = cost < least;
        least = select(cheaper, cost, least);
        place = select(cheaper, ints::set(i), place);
        signs = signs | (bit << i);
        odd = odd ^ bit;
        magnitude.store(y[i]);
    }
    if constexpr (Even) {
        for (int i = 0; i < 8; ++i) {
            const auto flip = odd & select(place == ints::set(i), ints::set(1), ints::set(0));
            const auto v = floats::load(y[i]);
            select(flip == ints::set(1), -v, v).store(y[i]);
            signs = signs ^ (flip << i);
        }
    }
    return signs;
}

/// All points of a codebook as packed levels, in the order of their indices.
template <class Book>
struct packed_points {
    std::uint16_t levels[Book::size];

    consteval packed_points() noexcept : levels{} {
        std::size_t count = 0;
        for (std::size_t key = 0; key < Book::keys; ++key) {
            if (!is_point<Book>(key)) continue;
            std::size_t packed = 0;
            for (std::size_t i = 0, digits = key; i < Book::width; ++i, digits /= Book::levels)
                packed |= digits % Book::levels << (Book::level_bits * i);
            levels[count++] = static_cast<std::uint16_t>(packed);
        }
    }
};
template <class Book>
inline constexpr packed_points<Book> all_points{};

/// As move_to_points, but looks at every point and not only at those that lie next to the levels: with uneven weights the best one may be
/// further away.
template <class Book, lane_count auto N>
NIBBLE_INLINE void move_to_any_point(i32x<N>& packed, const mask32<N>& wanted, const float* y, const float* w, std::size_t stride,
                                     const f32x<N>& scale, const auto& values) noexcept {
    const neighbour_table<Book>& table = neighbours<Book>();
    alignas(64) std::int32_t levels[N], keys[N], here[N];
    alignas(64) float scales[N];
    packed.store(levels);
    Book::key_of(packed).store(keys);
    scale.store(scales);
    select(wanted, i32x<N>::set(1), i32x<N>::set(0)).store(here);
    for (std::size_t lane = 0; lane < N; ++lane) {
        const auto key = static_cast<std::size_t>(keys[lane]);
        if (here[lane] == 0 || table.first(key) == table.first(key + 1)) continue;  // levels that are a point are the best
        const auto& list = all_points<Book>.levels;
        levels[lane] = find_nearest_with<Book, N>(list, Book::size, y + lane * stride, w + lane * stride, scales[lane], values);
    }
    packed = i32x<N>::load(levels);
}

/// The points of one sub-block and what they cost.
template <class Rules, lane_count auto N>
struct rounded_points {
    f32x<N> error, cx, cc;  ///< sums of w * (y - scale * v)^2, w * y * v, w * v^2
    i32x<N> levels[Rules::length / Rules::book::width];
    i32x<N> shift[Rules::length / Rules::book::width];
};

}  // namespace detail

template <class Rules, lane_count auto N>
class point_search {
    using floats = f32x<N>;
    using ints = i32x<N>;
    using book = typename Rules::book;
    using levels = detail::decoded_levels<book>;
    using rounded = detail::rounded_points<Rules, N>;
    static constexpr std::size_t length = Rules::length, width = book::width, subs = 256 / length, groups = length / width;
    static constexpr std::size_t together = Rules::shifted / width;  // groups with one shift

public:
    /// @param x  values in, magnitudes out if the format has signs
    NIBBLE_INLINE point_search(float (*x)[N], const float (*w)[N]) noexcept : y_(x), w_(w) {
        if constexpr (Rules::has_signs) {
            for (std::size_t k = 0; k < 32; ++k) detail::take_signs<Rules::even_signs, N>(y_ + 8 * k, w_ + 8 * k).store(signs_[k]);
        }
    }

    NIBBLE_INLINE void run(const floats& unit, const point_trials trials, best_points<Rules, N>& found) noexcept {
        const auto zero = floats::set(0.0f), no_error_yet = floats::set(detail::no_error_yet), factor = floats::set(Rules::factor);
        const auto to_odd = [](const floats& ratio) NIBBLE_LAMBDA_INLINE {
            const auto sub = detail::between((ratio - floats::set(1.0f)) * floats::set(0.5f), 0.0f, static_cast<float>(Rules::max_sub));
            return detail::round_whole(sub) * floats::set(2.0f) + floats::set(1.0f);
        };
        alignas(64) float wish[subs][N], weight[subs][N], odd[subs][N];
        auto top = zero;
        for (std::size_t j = 0; j < subs; ++j) {
            enter(j);
            const auto free = scan(j, trials);
            free.scale.store(wish[j]);
            free.weight.store(weight[j]);
            top = greater(top, free.scale);
        }

        auto scale = zero, least = no_error_yet;
        for (int t = 0; t < trials.supers; ++t) {
            const float reach = static_cast<float>(2 * Rules::max_sub + 1) - 0.5f * static_cast<float>(t);
            const auto candidate = nearest_scale<float16_scale>(top / floats::set(Rules::factor * reach), unit);
            const auto per_scale = detail::quotient(floats::set(1.0f), candidate * factor);
            auto error = zero;
            for (std::size_t j = 0; j < subs; ++j) {
                const auto wanted = floats::load(wish[j]), e = wanted - candidate * factor * to_odd(wanted * per_scale);
                error = error + floats::load(weight[j]) * (e * e);
            }
            const auto better = error < least;
            least = select(better, error, least);
            scale = select(better, candidate, scale);
        }

        const auto per_scale = detail::quotient(floats::set(1.0f), scale * factor);
        for (std::size_t j = 0; j < subs; ++j) {
            const auto middle = to_odd(floats::load(wish[j]) * per_scale);
            enter(j);
            auto best = zero;
            least = no_error_yet;
            for (int t = -trials.window; t <= trials.window; ++t) {
                const auto candidate = to_odd(middle + floats::set(2.0f * static_cast<float>(t)));
                const auto error = round<point_reach::neighbours>(j, scale * factor * candidate).error;
                const auto better = error < least;
                least = select(better, error, least);
                best = select(better, candidate, best);
            }
            best.store(odd[j]);
        }

        least = no_error_yet;
        auto next = scale;
        for (int r = 0; r <= trials.refits; ++r) {
            auto error = zero, cx = zero, cc = zero;
            rounded to[subs];
            for (std::size_t j = 0; j < subs; ++j) {
                enter(j);
                const auto m = factor * floats::load(odd[j]);
                to[j] = round<Rules::last_reach>(j, next * m);
                error = error + to[j].error;
                cx = cx + m * to[j].cx;
                cc = cc + m * m * to[j].cc;
            }
            const auto better = error < least;
            least = select(better, error, least);
            scale = select(better, next, scale);
            for (std::size_t j = 0; j < subs; ++j) {
                for (std::size_t g = 0; g < groups; ++g) {
                    const std::size_t k = j * groups + g;
                    select(better, to[j].levels[g], ints::load(levels_[k])).store(levels_[k]);
                    select(better, to[j].shift[g], ints::load(shift_[k])).store(shift_[k]);
                }
            }
            next = nearest_scale<float16_scale>(detail::quotient(cx, cc), unit);
        }
        store(scale * unit, odd, found);
    }

private:
    /// The best of many scales, each fitted to the points that it leads to.
    NIBBLE_INLINE free_scale<N> scan(std::size_t j, const point_trials trials) const noexcept {
        const auto zero = floats::set(0.0f);
        auto largest = zero;
        for (std::size_t i = j * length; i < (j + 1) * length; ++i) largest = greater(largest, abs(floats::load(y_[i])));
        free_scale<N> best = {zero, zero};
        auto best_gain = zero;
        for (int t = 0; t < trials.count; ++t) {
            const float reach = static_cast<float>(book::values[levels::top]) * (trials.first + trials.step * static_cast<float>(t));
            const auto to = round<Rules::first_reach>(j, largest * floats::set(1.0f / reach));
            const auto fitted = detail::quotient(to.cx, to.cc), gain = fitted * to.cx;
            const auto better = gain > best_gain;
            best_gain = select(better, gain, best_gain);
            best.scale = select(better, fitted, best.scale);
            best.weight = select(better, to.cc, best.weight);
        }
        if constexpr (Rules::first_reach == point_reach::levels) {
            const auto to = round<point_reach::neighbours>(j, best.scale);
            return {detail::quotient(to.cx, to.cc), to.cc};
        }
        return best;
    }

    /// Whether the weights of a group are not all the same.
    NIBBLE_INLINE mask32<N> is_uneven(std::size_t at) const noexcept {
        const auto first = floats::load(w_[at]);
        auto different = ints::set(0);
        for (std::size_t i = 1; i < width; ++i) different = different | (bits_of(first) ^ bits_of(floats::load(w_[at + i])));
        return !(different == ints::set(0));
    }

    /// Makes points of levels.
    template <point_reach Reach>
    NIBBLE_INLINE void move(ints& chosen, std::size_t at, std::size_t in_sub_block, const floats& scale,
                            const levels& values) const noexcept {
        const float *y = y_rows_[0] + in_sub_block, *w = w_rows_[0] + in_sub_block;
        auto nearby = scale == scale;
        if constexpr (Reach == point_reach::all) {
            const auto uneven = is_uneven(at);
            nearby = !uneven;
            detail::move_to_any_point<book, N>(chosen, uneven, y, w, length, scale, values);
        }
        (void)move_to_points<book, N>(chosen, nearby, y, w, length, scale, [&](std::size_t) NIBBLE_LAMBDA_INLINE { return values; });
    }

    /// Rounds a sub-block to points.
    template <point_reach Reach>
    NIBBLE_INLINE rounded round(std::size_t j, const floats& scale) const noexcept {
        const auto zero = floats::set(0.0f);
        const auto inverse = detail::quotient(floats::set(1.0f), scale);
        rounded result;
        result.error = result.cx = result.cc = zero;
        for (std::size_t first = 0; first < groups; first += together) {
            auto least = floats::set(detail::no_error_yet), best_cx = zero, best_cc = zero;
            int which = 0;
            for (const float shift : Rules::shifts) {
                const levels values{shift};
                auto error = zero, cx = zero, cc = zero;
                ints packed[together];
                for (std::size_t g = 0; g < together; ++g) {
                    const std::size_t at = j * length + (first + g) * width;
                    auto chosen = ints::set(0);
                    for (std::size_t i = 0; i < width; ++i) {
                        chosen = chosen | (values.nearest(floats::load(y_[at + i]) * inverse) << (book::level_bits * static_cast<int>(i)));
                    }
                    if constexpr (Reach != point_reach::levels) move<Reach>(chosen, at, (first + g) * width, scale, values);
                    for (std::size_t i = 0; i < width; ++i) {
                        const auto v = floats::load(y_[at + i]), weight = floats::load(w_[at + i]);
                        const auto c = values.at(detail::level_at<book>(chosen, i));
                        const auto wc = weight * c, e = v - scale * c;
                        error = error + weight * (e * e);
                        cx = cx + wc * v;
                        cc = cc + wc * c;
                    }
                    packed[g] = chosen;
                }
                const auto better = error < least;
                least = select(better, error, least);
                best_cx = select(better, cx, best_cx);
                best_cc = select(better, cc, best_cc);
                for (std::size_t g = first; g < first + together; ++g) {
                    result.levels[g] = which == 0 ? packed[g - first] : select(better, packed[g - first], result.levels[g]);
                    result.shift[g] = which == 0 ? ints::set(0) : select(better, ints::set(which), result.shift[g]);
                }
                ++which;
            }
            result.error = result.error + least;
            result.cx = result.cx + best_cx;
            result.cc = result.cc + best_cc;
        }
        return result;
    }

    NIBBLE_INLINE void store(const floats& scale, const float (&odd)[subs][N], best_points<Rules, N>& found) const noexcept {
        alignas(64) float scales[N];
        scale.store(scales);
        const auto& table = neighbours<book>();
        for (std::size_t lane = 0; lane < N; ++lane) {
            found.scale[lane] = float_to_float16(scales[lane]);
            for (std::size_t j = 0; j < subs; ++j) found.sub[lane][j] = static_cast<std::uint8_t>((static_cast<int>(odd[j][lane]) - 1) / 2);
            for (std::size_t k = 0; k < 256 / width; ++k) {
                found.index[lane][k] = table.index_of(levels_[k][lane]);
                found.shift[lane][k] = static_cast<std::uint8_t>(shift_[k][lane]);
            }
            if constexpr (Rules::has_signs) {
                for (std::size_t k = 0; k < 32; ++k) found.signs[lane][k] = static_cast<std::uint8_t>(signs_[k][lane]);
            }
        }
    }

    /// Makes ready for round: the same values lane after lane.
    NIBBLE_INLINE void enter(std::size_t j) noexcept {
        spread_lanes<N>(y_ + j * length, y_rows_);
        spread_lanes<N>(w_ + j * length, w_rows_);
    }

    float (*y_)[N];
    const float (*w_)[N];
    alignas(64) float y_rows_[N][length], w_rows_[N][length];
    alignas(64) std::int32_t signs_[32][N];
    alignas(64) std::int32_t levels_[256 / width][N], shift_[256 / width][N];
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
