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
