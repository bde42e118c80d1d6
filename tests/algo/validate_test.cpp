// Packed rows with scales that are no numbers are found, wherever they are.
#include "support/test.hpp"

#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>

#include "support/floats.hpp"
#include "support/formats.hpp"

using nibble::errc;
using nibble::shape;

TEST_CASE("rows that were quantized are valid, and rows of any bytes as their floats are") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        const shape s{5, 2600};  // more than one piece, and a block that is padded
        const auto x = support::noise(s.elements(), 3);
        auto packed = nibble::quantizer<F>()({x.data(), s});
        REQUIRE(packed);
        std::vector<float> decoded(s.elements());
        for (unsigned seed = 0; seed < 20; ++seed) {
            if (seed != 0) {  // ever more damage
                for (unsigned i = 0; i < seed; ++i) packed->bytes()[(seed * 7919u + i * 104729u) % packed->bytes().size()] = std::byte{0xFF};
            }
            REQUIRE(nibble::dequantize(*packed, decoded));
            std::size_t first = 0;
            while (first < decoded.size() && support::is_finite(decoded[first])) ++first;
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level) << ", " << seed);
                const nibble::status found = nibble::validate(*packed);
                CHECK(found.error() == (first == decoded.size() ? errc::ok : errc::nonfinite));
                CHECK(found.where() == (first == decoded.size() ? 0 : first));
            });
        }
    });
}

TEST_CASE("views that do not fit, empty ones, and threads") {
    using F = nibble::q4_0;
    const shape s{100, 64};
    const auto x = support::noise(s.elements(), 4);
    auto packed = nibble::quantizer<F>()({x.data(), s});
    REQUIRE(packed);
    nibble::thread_pool pool(3);
    CHECK(nibble::validate(*packed, pool));
    std::byte* scale = packed->data() + 71 * nibble::row_bytes<F>(64) + sizeof(F::block);
    scale[0] = std::byte{0};
    scale[1] = std::byte{0x7C};  // infinity
    CHECK(nibble::validate(packed->view(), pool).where() == 71 * 64 + 32);
    CHECK(nibble::validate(packed->span()).error() == errc::nonfinite);
    CHECK(nibble::validate(nibble::packed_view<F>(nullptr, s)).error() == errc::invalid_argument);
    CHECK(nibble::validate(nibble::packed_view<F>(std::span<const std::byte>(packed->bytes()).first(7), s)).error() == errc::size_mismatch);
    CHECK(nibble::validate(nibble::packed_view<F>(packed->data(), {~std::size_t{0}, 64})).error() == errc::overflow);
    CHECK(nibble::validate(nibble::packed_view<F>(nullptr, {~std::size_t{0}, 0})));
}
