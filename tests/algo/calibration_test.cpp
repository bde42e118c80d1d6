// Importance that was measured on activations.
#include "support/test.hpp"

#include <nibble/nibble.hpp>

#include <limits>
#include <vector>

TEST_CASE("importance is the sum of squares of each column") {
    auto c = nibble::calibration::make(3);
    REQUIRE(c);
    const std::vector<float> a = {1, 2, -3, 0, 4, 5}, b = {2, 0, 0};
    CHECK(static_cast<bool>(c->add({a.data(), nibble::shape{2, 3}})));
    CHECK(static_cast<bool>(c->add({b.data(), nibble::shape{1, 3}})));
    CHECK(c->rows() == 3);
    const auto importance = c->importance();
    CHECK(std::vector<float>(importance.begin(), importance.end()) == std::vector<float>{5, 20, 34});
}

TEST_CASE("calibration refuses what cannot be measured") {
    auto c = nibble::calibration::make(2);
    REQUIRE(c);
    const std::vector<float> x = {1, std::numeric_limits<float>::quiet_NaN()};
    CHECK(c->add({x.data(), nibble::shape{2, 1}}).error() == nibble::errc::shape_mismatch);
    CHECK(c->add({static_cast<const float*>(nullptr), nibble::shape{1, 2}}).error() == nibble::errc::invalid_argument);
    const auto bad = c->add({x.data(), nibble::shape{1, 2}});
    CHECK(bad.error() == nibble::errc::nonfinite);
    CHECK(bad.where() == 1);
    CHECK(nibble::calibration::make(static_cast<std::size_t>(-1) / 2).error() == nibble::errc::overflow);
}

TEST_CASE("rows without columns, and an object that was moved from") {
    auto none = nibble::calibration::make(0);
    REQUIRE(none);
    CHECK(static_cast<bool>(none->add({static_cast<const float*>(nullptr), nibble::shape{std::size_t{1} << 60, 0}})));
    CHECK(none->importance().empty());

    auto from = nibble::calibration::make(2);
    REQUIRE(from);
    const std::vector<float> x = {1, 2};
    const nibble::calibration to = *std::move(from);
    CHECK(to.importance().size() == 2);
    CHECK(from->add({x.data(), nibble::shape{1, 2}}).error() == nibble::errc::shape_mismatch);
    CHECK(from->importance().empty());
}

TEST_CASE("columns that matter more are kept better") {
    // One column carries most of the activation; its weights must come back closer than without importance.
    constexpr std::size_t rows = 64, cols = 256, loud = 17;
    std::vector<float> w(rows * cols), x(8 * cols);
    std::uint32_t state = 1;
    const auto next = [&] { return static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f; };
    for (float& v : w) v = next();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = next() * (i % cols == loud ? 30.0f : 1.0f);
    auto c = nibble::calibration::make(cols);
    REQUIRE(c);
    REQUIRE(static_cast<bool>(c->add({x.data(), nibble::shape{8, cols}})));
    const auto error_of = [&](std::span<const float> importance) {
        std::vector<std::byte> packed(rows * nibble::row_bytes<nibble::q4_k>(cols));
        std::vector<float> decoded(w.size());
        REQUIRE(static_cast<bool>(nibble::quantize<nibble::q4_k>(w, packed, {rows, cols}, {.importance = importance})));
        REQUIRE(static_cast<bool>(nibble::dequantize<nibble::q4_k>(packed, decoded, {rows, cols})));
        double sum = 0;
        for (std::size_t r = 0; r < rows; ++r) {
            const double e = static_cast<double>(w[r * cols + loud]) - static_cast<double>(decoded[r * cols + loud]);
            sum += e * e;
        }
        return sum;
    };
    CHECK(error_of(c->importance()) < 0.5 * error_of({}));
}
