// The tables of neighbours fill the memory that is set aside for them, no less and no more.
#include "nibble/format/codebook/neighbours.hpp"

#include "support/test.hpp"

namespace {

template <class Book>
void check() {
    const auto& table = nibble::neighbours<Book>();
    CHECK(table.first(Book::keys) == Book::chunks);
    // Points have an index, their rank, and no neighbours; everything else has neighbours and no index.
    std::size_t points = 0;
    for (std::size_t key = 0; key < Book::keys; ++key) {
        const bool point = nibble::is_point<Book>(key);
        REQUIRE((table.first(key + 1) == table.first(key)) == point);
        if (point) REQUIRE(table.index(key) == points++);
    }
    CHECK(points == Book::size);

    using table_type = nibble::neighbour_table<Book>;
    if (table_type::undominated == 0) return;
    CHECK(table.first(table_type::undominated + Book::keys) == Book::chunks + Book::undominated_chunks);
    const auto levels_at = [](std::size_t packed, std::size_t i) {
        return static_cast<int>((packed >> (Book::level_bits * i)) % (1u << Book::level_bits));
    };
    for (std::size_t key = 0; key < Book::keys; ++key) {
        const std::size_t all = table.first(key), all_end = table.first(key + 1), list = table_type::undominated + key;
        REQUIRE((table.first(list) == table.first(list + 1)) == (all == all_end));
        std::size_t digits = key, packed_key = 0;
        for (std::size_t i = 0; i < Book::width; ++i, digits /= Book::levels) packed_key |= digits % Book::levels << (Book::level_bits * i);
        // What was left out, and only that, lies beyond one that comes before it in the list of all.
        const std::uint16_t* kept = table.chunk(table.first(list));
        for (std::size_t n = 0; n < 8 * (all_end - all); ++n) {
            const std::uint16_t neighbour = table.chunk(all)[n];
            bool beyond = false;
            for (std::size_t m = 0; m < n && !beyond; ++m) {
                const std::uint16_t other = table.chunk(all)[m];
                beyond = true;
                for (std::size_t i = 0; i < Book::width; ++i) {
                    const int from = levels_at(packed_key, i), by = levels_at(other, i), to = levels_at(neighbour, i);
                    beyond = beyond && ((from <= by && by <= to) || (from >= by && by >= to));
                }
            }
            if (!beyond) REQUIRE(*kept++ == neighbour);
        }
        for (const auto* end = table.chunk(table.first(list + 1)); all != all_end && kept != end; ++kept) REQUIRE(*kept == kept[-1]);
    }
}

}  // namespace

TEST_CASE("neighbours of every codebook") {
    check<nibble::iq2_xxs_book>();
    check<nibble::iq2_xs_book>();
    check<nibble::iq2_s_book>();
    check<nibble::iq1_book>();
    check<nibble::iq3_xxs_book>();
    check<nibble::iq3_s_book>();
}
