// What the formats whose blocks are indices of points have in common: how they decode.
//
// Such a format says where things are: sub_scale(packed, j), index(packed, k) of a point, and signs or shifts. It does not look at points itself.
// They are in tables that the compiler computes (books.hpp), and it does so wherever a function that is no template mentions them: not only in
// programs that use the format, but in each that includes it. That was a sixth of the time for which nibble.hpp is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nibble/format/codebook/books.hpp"
#include "nibble/format/super_block.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// value = sub_scale * Format::unit * Format::level, with a sub_scale for Length elements.
template <class Format, std::size_t Length>
struct point_block {
    static constexpr std::size_t block_size = super_block_size;
    static constexpr std::size_t parts = 32 / Length;

    template <class Block>
    NIBBLE_INLINE static constexpr void decode(const Block& packed, std::span<float, 256> values) noexcept {
        for (std::size_t j = 0; j < block_size / Length; ++j) {
            const float scale = Format::sub_scale(packed, j);
            for (std::size_t i = Length * j; i < Length * (j + 1); ++i) {
                values[i] = scale * (Format::unit * static_cast<float>(Format::level(packed, i)));
            }
        }
    }
    template <class Block>
    NIBBLE_INLINE static void affine(const Block& packed, std::size_t group, std::uint8_t (&codes)[32], float (&scale)[parts],
                                     float (&offset)[parts]) noexcept {
        constexpr int zero = Format::panels.zero;
        for (std::size_t part = 0; part < parts; ++part) {
            scale[part] = Format::unit * Format::sub_scale(packed, parts * group + part);
            offset[part] = -static_cast<float>(zero) * scale[part];
        }
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(Format::level(packed, 32 * group + i) + zero);
    }
};

/// Points are magnitudes, in units of Unit; Format::signs(packed, k) has a bit for each of eight elements that is negative.
template <class Format, class Book, std::size_t Length, int Unit = 1>
struct signed_point_block : point_block<Format, Length> {
    static constexpr float unit = Unit;

    template <class Block>
    NIBBLE_INLINE static constexpr int level(const Block& packed, std::size_t i) noexcept {
        const int magnitude = points<Book>.values[Format::index(packed, i / Book::width)][i % Book::width] / Unit;
        return ((Format::signs(packed, i / 8) >> (i % 8)) & 1u) != 0 ? -magnitude : magnitude;
    }
};

/// Levels are an eighth above those of points, or below where Format::shifts_down(packed, k) says so of eight elements.
template <class Format, class Book, std::size_t Length>
struct shifted_point_block : point_block<Format, Length> {
    static constexpr float unit = 0.125f;

    template <class Block>
    NIBBLE_INLINE static constexpr int level(const Block& packed, std::size_t i) noexcept {
        return 8 * points<Book>.values[Format::index(packed, i / 8)][i % 8] + (Format::shifts_down(packed, i / 8) ? -1 : 1);
    }
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
