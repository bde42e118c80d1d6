// What a search needs to know of a codebook: the index of each point, and for every other key the points that lie next to it.
//
// These tables are large (0.2 to 0.7 MB), so no program carries them: they are computed on first use, into static memory, and stay.
// See docs/decisions/0004-codebook-tables.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/config.hpp"
#include "nibble/format/codebook/books.hpp"

NIBBLE_BASELINE_BEGIN

/// Index and neighbours of every key. The neighbours are the points at the `Book::shells` smallest distances that occur, nearest first,
/// equally near ones in the order of their indices: the order decides which of two equally good points a search takes.
template <class Book>
class neighbour_table {
public:
    /// Neighbours in a chunk. The last chunk of a key repeats its last neighbour.
    static constexpr std::size_t chunk_size = 8;

    neighbour_table() noexcept {
        const half_distances half;
        std::uint16_t point_keys[Book::size];
        std::size_t points = 0, chunk = 0;
        for (std::size_t key = 0; key < Book::keys; ++key) {
            if (is_point<Book>(key)) point_keys[points++] = static_cast<std::uint16_t>(key);
        }
        points = 0;
        for (std::size_t key = 0; key < Book::keys; ++key) {
            first_[key] = static_cast<std::uint16_t>(chunk);
            if (is_point<Book>(key)) {
                index_[key] = static_cast<std::uint16_t>(points++);
                continue;
            }
            // A counting sort by distance; it keeps the order of indices.
            std::uint8_t distance[Book::size];
            std::uint16_t place[256] = {};
            for (std::size_t p = 0; p < Book::size; ++p) {
                distance[p] = half.between(key, point_keys[p]);
                ++place[distance[p]];
            }
            std::size_t found = 0, reach = 0;
            for (int shells = Book::shells; shells > 0; ++reach) {
                const std::size_t here = place[reach];
                place[reach] = static_cast<std::uint16_t>(found);
                found += here;
                shells -= here != 0;
            }
            std::uint16_t* list = neighbours_ + chunk_size * chunk;
            for (std::size_t p = 0; p < Book::size; ++p) {
                if (distance[p] < reach) list[place[distance[p]]++] = packed(point_keys[p]);
            }
            chunk += complete(list, found);
        }
        first_[Book::keys] = static_cast<std::uint16_t>(chunk);
        if constexpr (undominated != 0) leave_out_dominated(chunk);
    }

    /// Index of a key that is a point.
    NIBBLE_INLINE std::uint16_t index(std::size_t key) const noexcept { return index_[key]; }
    /// Index of packed levels that are a point.
    NIBBLE_INLINE std::uint16_t index_of(std::int32_t levels) const noexcept {
        return index_[static_cast<std::size_t>(Book::key_of(i32x<1>{levels}).raw)];
    }
    /// first(undominated + key): as first(key), but without neighbours beyond another one: whose way from the key leads through it, or beside
    /// it, never back. They are no nearer wherever the key is what the values were rounded to.
    static constexpr int undominated = Book::undominated_chunks > 0 ? Book::keys + 1 : 0;
    /// The chunks of a key are first(key) .. first(key + 1) - 1: none if the key is a point.
    NIBBLE_INLINE std::size_t first(std::size_t key) const noexcept { return first_[key]; }
    /// The neighbours from a chunk on, as packed levels.
    NIBBLE_INLINE const std::uint16_t* chunk(std::size_t c) const noexcept { return neighbours_ + chunk_size * c; }

private:
    static constexpr std::size_t half_keys = Book::levels == 3 ? 81 : 64;

    /// Squared distances of halves of keys, in units of a level: at most 4 * 2 * 2 or 2 * 7 * 7.
    struct half_distances {
        std::uint8_t values[half_keys][half_keys];

        half_distances() noexcept {
            for (std::size_t a = 0; a < half_keys; ++a) {
                for (std::size_t b = 0; b < half_keys; ++b) {
                    int sum = 0;
                    for (std::size_t i = 0, u = a, v = b; i < Book::width / 2; ++i, u /= Book::levels, v /= Book::levels) {
                        const int step = static_cast<int>(u % Book::levels) - static_cast<int>(v % Book::levels);
                        sum += step * step;
                    }
                    values[a][b] = static_cast<std::uint8_t>(sum);
                }
            }
        }
        std::uint8_t between(std::size_t a, std::size_t b) const noexcept {
            return static_cast<std::uint8_t>(values[a % half_keys][b % half_keys] + values[a / half_keys][b / half_keys]);
        }
    };

    /// Fills the last chunk of a list. @return its chunks
    static std::size_t complete(std::uint16_t* list, std::size_t count) noexcept {
        for (; count % chunk_size != 0; ++count) list[count] = list[count - 1];
        return count / chunk_size;
    }

    /// The steps from the lowest levels to these: a bit for each step of each coordinate.
    static std::uint32_t steps_to(std::size_t levels) noexcept {
        std::uint32_t steps = 0;
        for (std::size_t i = 0; i < Book::width; ++i, levels >>= Book::level_bits) {
            const auto level = levels & ((1u << Book::level_bits) - 1);
            steps = (steps << (Book::levels - 1)) | ((1u << level) - 1);
        }
        return steps;
    }
    void leave_out_dominated(std::size_t chunk) noexcept {
        for (std::size_t key = 0; key < Book::keys; ++key) {
            first_[undominated + key] = static_cast<std::uint16_t>(chunk);
            const std::size_t from = first_[key], count = chunk_size * (first_[key + 1] - from);
            if (count == 0) continue;
            const std::uint32_t here = steps_to(packed(key));
            std::uint32_t ways[Book::size];  // steps between the key and neighbours that were kept
            std::size_t kept = 0;
            std::uint16_t* list = neighbours_ + chunk_size * chunk;
            for (std::size_t n = 0; n < count; ++n) {
                const std::uint16_t neighbour = neighbours_[chunk_size * from + n];
                const std::uint32_t way = steps_to(neighbour) ^ here;
                bool beyond = false;
                for (std::size_t k = 0; k < kept && !beyond; ++k) beyond = (ways[k] & ~way) == 0;
                if (beyond) continue;
                ways[kept] = way;
                list[kept++] = neighbour;
            }
            chunk += complete(list, kept);
        }
        first_[undominated + Book::keys] = static_cast<std::uint16_t>(chunk);
    }

    static std::uint16_t packed(std::size_t key) noexcept {
        std::size_t levels = 0;
        for (std::size_t i = 0; i < Book::width; ++i, key /= Book::levels) levels |= key % Book::levels << (Book::level_bits * i);
        return static_cast<std::uint16_t>(levels);
    }

    std::uint16_t first_[undominated + Book::keys + 1];
    std::uint16_t index_[Book::keys];
    std::uint16_t neighbours_[(Book::chunks + Book::undominated_chunks) * chunk_size];
};

/// The table of a codebook. The first call computes it; callers in other threads wait for that. It needs no memory from the heap, so
/// it cannot fail, and it has nothing to destroy.
template <class Book>
inline const neighbour_table<Book>& neighbours() noexcept {
    static const neighbour_table<Book> table;
    return table;
}

NIBBLE_BASELINE_END
