// The umbrella header, used as the README shows it: the one test that every compiler and platform runs.
#include <nibble/nibble.hpp>

#include <cmath>
#include <vector>

#include "support/test.hpp"

TEMPLATE_TEST_CASE("quantize, look, multiply, dequantize", "", nibble::q4_0, nibble::q8_0, nibble::q4_k, nibble::q6_k) {
    using F = TestType;
    const nibble::shape shape{3, 512};
    std::vector<float> weights(3 * 512);
    std::vector<float> x(512);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::sin(0.7f * static_cast<float>(i));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::cos(0.3f * static_cast<float>(i));

    std::vector<std::byte> packed(3 * nibble::row_bytes<F>(512));
    REQUIRE(nibble::quantize<F>(weights, packed, shape));
    const auto view = nibble::view<F>(packed, shape);
    REQUIRE(view);

    std::vector<float> decoded(weights.size());
    REQUIRE(nibble::dequantize<F>(packed, decoded, shape));
    const auto report = nibble::distortion(weights, decoded);
    CHECK(report.sqnr_db > 15.0);
    CHECK(report.cosine > 0.98);

    std::vector<float> y(3);
    REQUIRE(nibble::gemv(*view, std::span<const float>(x), std::span<float>(y)));
    for (std::size_t row = 0; row < 3; ++row) {
        double product = 0;
        for (std::size_t i = 0; i < x.size(); ++i) product += static_cast<double>(decoded[row * 512 + i]) * static_cast<double>(x[i]);
        CHECK(static_cast<double>(y[row]) == Approx(product).margin(0.5));
    }
}

TEST_CASE("a wrong size is an error value, not a crash") {
    std::vector<float> weights(512);
    std::vector<std::byte> packed(7);
    const nibble::status failed = nibble::quantize<nibble::q4_0>(weights, packed, nibble::shape{1, 512});
    CHECK_FALSE(failed);
    CHECK_FALSE(failed.message().empty());
}
