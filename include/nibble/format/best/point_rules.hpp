// What the search for points of a codebook (points.hpp) wants to know of a format.
//
// Rules of a format:
//   book            its codebook
//   length          elements of a sub-block
//   max_sub         the largest sub_scale
//   factor          x is near scale * factor * (2 * sub_scale + 1) * sign * (value of a level + shift)
//   has_signs       levels are magnitudes; even_signs: the product of eight signs is positive
//   shifts          what is added to levels, one of several values ..
//   shifted         .. for so many elements together
//   first_reach, last_reach  of the search for the scales of the sub-blocks and for the points that are stored
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/config.hpp"
#include "nibble/format/codebook/books.hpp"

NIBBLE_NAMESPACE_BEGIN

/// How far a search for points goes.
enum class point_reach : std::uint8_t {
    levels,      ///< levels alone, whether they are a point or not
    neighbours,  ///< points next to the levels
    all,         ///< any point, where weights are uneven
};

/// Magnitudes with signs. Rules are those of the format's reference search (search/codebook.hpp); `factor` is left to the format.
template <class Rules>
struct signed_point_rules {
    using book = typename Rules::book;
    static constexpr std::size_t length = Rules::length, shifted = length;
    static constexpr int max_sub = 15;
    static constexpr bool has_signs = true, even_signs = Rules::even_signs;
    static constexpr point_reach first_reach = point_reach::neighbours, last_reach = point_reach::all;
    static constexpr float shifts[] = {0.0f};
};

/// Three levels that are moved up or down, Shifted elements together. Rules are those of the format's reference search (search/ternary.hpp).
template <class Rules, std::size_t Shifted>
struct shifted_point_rules {
    using book = iq1_book;
    static constexpr std::size_t length = Rules::length, shifted = Shifted;
    static constexpr int max_sub = 7;
    static constexpr float factor = 1.0f;
    static constexpr bool has_signs = false, even_signs = false;
    static constexpr point_reach first_reach = point_reach::levels, last_reach = point_reach::neighbours;
    static constexpr float shifts[] = {0.125f, -0.125f};
};

NIBBLE_NAMESPACE_END
