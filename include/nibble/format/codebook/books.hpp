// Codebooks: the fixed sets of points to which the formats of 1 to 3 bits round groups of 8 or 4 elements at once.
//
// A point has `width` coordinates, each with one of `levels` levels. Its key is the number that has the levels as digits, coordinate 0 the
// lowest; its index, which blocks store, is its rank among the keys of the codebook. Searches work in the coordinates 2 * level + 1;
// decoders use `values`, a little different spacing that the formats' authors tuned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lanes.hpp"
#include "nibble/format/codebook/members.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// Eight coordinates with three levels. Packed levels take two bits each.
struct ternary_book {
    static constexpr std::size_t width = 8, keys = 6561;
    static constexpr int levels = 3, level_bits = 2;

    /// From packed levels to keys: the digits' base goes from 4 to 3, then of pairs from 16 to 9, then of quadruples from 256 to 81.
    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> key_of(const i32x<N>& packed) noexcept {
        const auto pairs = packed - ((packed >> 2) & i32x<N>::set(0x3333));
        const auto high = (pairs >> 4) & i32x<N>::set(0x0F0F);
        const auto quadruples = pairs - ((high << 3) - high);
        return quadruples - (quadruples >> 8) * i32x<N>::set(256 - 81);
    }
};

/// Four coordinates with eight levels. Packed levels take three bits each and are the key.
struct octal_book {
    static constexpr std::size_t width = 4, keys = 4096;
    static constexpr int levels = 8, level_bits = 3;

    template <lane_count auto N>
    NIBBLE_INLINE static i32x<N> key_of(const i32x<N>& packed) noexcept {
        return packed;
    }
};

// size     points
// shells   how many distances from a key that is no point its neighbours have (neighbours.hpp); source: ggml's iq2xs_init_impl and
//          iq3xs_init_impl
// chunks   groups of eight that the neighbours of all keys fill, and what undominated ones (neighbours.hpp) fill again: 0 where all are, or where
//          no search wants them; neighbours_test.cpp counts them
struct iq2_xxs_book : ternary_book {
    static constexpr std::size_t size = 256, chunks = 16920, undominated_chunks = 13027;
    static constexpr int shells = 2;
    static constexpr std::int8_t values[3] = {8, 25, 43};
    static constexpr const auto& members = detail::iq2_xxs_members;
};
struct iq2_xs_book : ternary_book {
    static constexpr std::size_t size = 512, chunks = 25422, undominated_chunks = 14955;
    static constexpr int shells = 2;
    static constexpr std::int8_t values[3] = {8, 25, 43};
    static constexpr const auto& members = detail::iq2_xs_members;
};
struct iq2_s_book : ternary_book {
    static constexpr std::size_t size = 1024, chunks = 8633, undominated_chunks = 0;
    static constexpr int shells = 1;
    static constexpr std::int8_t values[3] = {8, 25, 43};
    static constexpr const auto& members = detail::iq2_s_members;
};
struct iq1_book : ternary_book {
    static constexpr std::size_t size = 2048, chunks = 42913, undominated_chunks = 0;
    static constexpr int shells = 3;
    static constexpr std::int8_t values[3] = {-1, 0, 1};
    static constexpr std::int8_t shifted_eighths[3] = {1, 7, 9};  ///< magnitudes of 8 * value + 1 and 8 * value - 1
    static constexpr const auto& members = detail::iq1_s_members;
};
struct iq3_xxs_book : octal_book {
    static constexpr std::size_t size = 256, chunks = 4288, undominated_chunks = 4042;
    static constexpr int shells = 2;
    static constexpr std::int8_t values[8] = {4, 12, 20, 28, 36, 44, 52, 62};
    static constexpr const auto& members = detail::iq3_xxs_members;
};
struct iq3_s_book : octal_book {
    static constexpr std::size_t size = 512, chunks = 4557, undominated_chunks = 3916;
    static constexpr int shells = 3;
    static constexpr std::int8_t values[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    static constexpr const auto& members = detail::iq3_s_members;
};

/// True if the key is a point of the codebook.
template <class Book>
NIBBLE_INLINE constexpr bool is_point(std::size_t key) noexcept {
    return ((Book::members[key / 64] >> (key % 64)) & 1u) != 0;
}

/// What the points decode to, in the order of their indices.
template <class Book>
struct decoded_points {
    alignas(Book::width) std::int8_t values[Book::size][Book::width];
};

namespace detail {
template <class Book>
consteval std::size_t count_points() {
    std::size_t count = 0;
    for (std::size_t key = 0; key < Book::keys; ++key) count += is_point<Book>(key);
    return count;
}
template <class Book>
consteval decoded_points<Book> decode_points() {
    static_assert(count_points<Book>() == Book::size, "a codebook has lost points");
    decoded_points<Book> points{};
    std::size_t index = 0;
    for (std::size_t key = 0; key < Book::keys; ++key) {
        if (!is_point<Book>(key)) continue;
        std::size_t digits = key;
        for (std::size_t i = 0; i < Book::width; ++i, digits /= Book::levels) points.values[index][i] = Book::values[digits % Book::levels];
        ++index;
    }
    return points;
}
}  // namespace detail

/// Expanded by the compiler, and only in programs that use a format with this codebook, as long as nothing but templates mentions it
/// (point_block.hpp): 1 to 16 KB.
template <class Book>
inline constexpr decoded_points<Book> points = detail::decode_points<Book>();

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
