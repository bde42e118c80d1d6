// The nearest points of the levels of many scales, group by group.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"
#include "nibble/format/codebook/neighbours.hpp"
#include "nibble/format/search/nearest.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The levels of `Groups` groups in each of N sub-blocks, one a lane, for each scale that is tried.
template <std::size_t Tries, std::size_t Groups, lane_count auto N>
class tried_levels {
public:
    /// @param packed    packed levels, to which values y were rounded: nearest to position (y / scale - 1) / 2, cut off at the ends
    /// @param furthest  the largest distance of a position from its level
    template <class Book>
    NIBBLE_INLINE void enter(std::size_t t, std::size_t g, const i32x<N>& packed, const f32x<N>& furthest) noexcept {
        packed.store(levels_[t][g]);
        auto list = Book::key_of(packed);
        // A step away from the level that a value was rounded to is never a step towards the value, in floats either, unless the value is within
        // some units of the last place of the middle between two levels: then dominated neighbours are out of question.
        [[maybe_unused]] const auto undominated = i32x<N>::set(neighbour_table<Book>::undominated);
        if constexpr (N > 1) list = list + select(furthest < f32x<N>::set(0.4998f), undominated, i32x<N>::set(0));
        list.store(lists_[t][g]);
    }

    /// Replaces levels that are no point by the nearest point.
    /// @param y, w    Book::width values and weights of the group
    /// @param scales  one a try
    template <class Book>
    NIBBLE_INLINE void move_to_points(std::size_t g, std::size_t lane, const float* y, const float* w, const float (&scales)[Tries],
                                      const level_scale& what) noexcept {
        const neighbour_table<Book>& table = neighbours<Book>();
        struct pending {
            std::size_t t, first, count;
        } searches[Tries];
        std::size_t wanted = 0;
        for (std::size_t t = 0; t < Tries; ++t) {
            const auto list = static_cast<std::size_t>(lists_[t][g][lane]);
            const std::size_t first = table.first(list), chunks = table.first(list + 1) - first;
            searches[wanted] = {t, first, 8 * chunks};
            wanted += chunks != 0;
        }
        for (std::size_t i = 0; i < wanted; ++i) {
            const auto [t, first, count] = searches[i];
            levels_[t][g][lane] = detail::find_nearest_with<Book, N>(table.chunk(first), count, y, w, scales[t], what) | moved_bit;
        }
    }

    NIBBLE_INLINE i32x<N> levels(std::size_t t, std::size_t g) const noexcept { return i32x<N>::load(levels_[t][g]) & i32x<N>::set(moved_bit - 1); }
    /// Not 0 where the levels were no point.
    NIBBLE_INLINE i32x<N> moved(std::size_t t, std::size_t g) const noexcept { return i32x<N>::load(levels_[t][g]) & i32x<N>::set(moved_bit); }

private:
    static constexpr std::int32_t moved_bit = 1 << 16;

    alignas(64) std::int32_t levels_[Tries][Groups][N];
    alignas(64) std::int32_t lists_[Tries][Groups][N];
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
