// Repacking: shapes at the edge. That panels multiply like packed rows is checked in linear_test.cpp.
#include "support/test.hpp"

#include <nibble/nibble.hpp>

TEST_CASE("rows without columns, and columns without rows, repack to nothing") {
    for (const nibble::shape s : {nibble::shape{std::size_t{1} << 40, 0}, nibble::shape{0, 4096}, nibble::shape{0, 0}}) {
        const auto panels = nibble::repack(nibble::packed_view<nibble::q4_0>(static_cast<const std::byte*>(nullptr), s));
        REQUIRE(panels);
        CHECK(panels->shape() == s);
        CHECK(panels->valid());
        CHECK(panels->bytes().empty());
    }
}
