// Encoders that work on blocks side by side, at every level: the bytes of the reference where values are on the middles between codes or next to
// them, where they are short floats, tiny or huge, and for any number of blocks.
#include "support/test.hpp"

#include <cmath>
#include <cstring>
#include <nibble/nibble.hpp>
#include <random>
#include <utility>
#include <vector>

#include "support/floats.hpp"
#include "support/formats.hpp"

namespace {

enum class kind { noise, short_floats, quarters, next_to_quarters, tiny, huge, zeros, any_size, count };

std::vector<float> values_of(kind what, std::size_t count, std::mt19937& random) {
    auto x = support::noise(count, static_cast<unsigned>(random()), 1.0f);
    const float unit = std::ldexp(static_cast<float>(1 + random() % 15), -static_cast<int>(random() % 12));
    for (float& v : x) {
        const auto bits = nibble::bit_cast<std::uint32_t>(v);
        const float quarters = 0.25f * static_cast<float>(random() % 49) - 6.0f;
        switch (what) {
            case kind::short_floats: v = support::float_of(bits & 0xFFFF0000u); break;
            case kind::quarters: v = unit * quarters; break;
            case kind::next_to_quarters: v = std::nextafter(unit * quarters, random() % 2 == 0 ? 100.0f : -100.0f); break;
            case kind::tiny: v *= 1e-38f; break;
            case kind::huge: v *= 3000.0f; break;
            case kind::zeros: v = std::copysign(0.0f, v); break;
            case kind::any_size: v = std::ldexp(v, static_cast<int>(random() % 60) - 30); break;
            default: break;
        }
    }
    // Largest magnitudes that make the scales multiples of the unit.
    if (what == kind::quarters || what == kind::next_to_quarters) {
        for (std::size_t i = 0; i < count; i += 16) x[i] = 6.0f * unit;
    }
    return x;
}

template <class F>
void compare_with_reference() {
    std::mt19937 random(5);
    for (std::size_t round = 0; round < 25 * static_cast<std::size_t>(kind::count); ++round) {
        const auto what = static_cast<kind>(round % static_cast<std::size_t>(kind::count));
        const nibble::shape s{1, F::block_size * (1 + random() % 21)};
        const auto x = values_of(what, s.cols, random);
        std::vector<std::byte> expected(nibble::row_bytes<F>(s.cols)), packed(expected.size());
        const bool fits = [&] {
            const nibble::scoped_isa limit(nibble::isa::reference);
            return static_cast<bool>(nibble::quantize<F>(x, expected, s));
        }();
        support::for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level) << ", " << s.cols << " columns, kind " << static_cast<int>(what));
            CHECK(static_cast<bool>(nibble::quantize<F>(x, packed, s)) == fits);
            if (fits) CHECK(packed == expected);
        });
    }
}

template <class F>
void compare_with_rows() {
    const nibble::shape s{920, 4608};
    static_assert(920 * 4608 * sizeof(float) >= nibble::internal::least_from_memory);
    auto x = support::noise(s.elements(), 3);
    std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols)), row(nibble::row_bytes<F>(s.cols));
    support::for_each_level([&](nibble::isa level) {
        INFO(F::name << " at " << nibble::name_of(level));
        REQUIRE(static_cast<bool>(nibble::quantize<F>(x, packed, s)));
        std::size_t different = 0;
        for (std::size_t r = 0; r < s.rows; ++r) {
            REQUIRE(static_cast<bool>(nibble::quantize<F>(std::span(x).subspan(r * s.cols, s.cols), row, {1, s.cols})));
            different += std::memcmp(row.data(), packed.data() + r * row.size(), row.size()) != 0;
        }
        CHECK(different == 0);
        float& odd = x[5 * s.cols + 1025];
        const float before = std::exchange(odd, support::float_of(0x7FC00000));
        CHECK(nibble::quantize<F>(x, packed, s).error() == nibble::errc::nonfinite);
        odd = before;
    });
}

}  // namespace

TEST_CASE("floats that no cache holds have the bytes of their rows") {
    compare_with_rows<nibble::bf16>();
    compare_with_rows<nibble::q8_0>();
    compare_with_rows<nibble::q8_k>();
    compare_with_rows<nibble::q1_0>();
    compare_with_rows<nibble::q2_0>();
    compare_with_rows<nibble::tq1_0>();
    compare_with_rows<nibble::mxfp4>();
    compare_with_rows<nibble::nvfp4>();
}

TEST_CASE("blocks that are encoded side by side have the bytes of the reference") {
    compare_with_reference<nibble::q4_0>();
    compare_with_reference<nibble::q4_1>();
    compare_with_reference<nibble::q5_0>();
    compare_with_reference<nibble::q5_1>();
    compare_with_reference<nibble::q8_0>();
    compare_with_reference<nibble::q8_1>();
    compare_with_reference<nibble::q8_k>();
    compare_with_reference<nibble::q1_0>();
    compare_with_reference<nibble::q2_0>();
    compare_with_reference<nibble::tq1_0>();
    compare_with_reference<nibble::tq2_0>();
    compare_with_reference<nibble::mxfp4>();
    compare_with_reference<nibble::nvfp4>();
}
