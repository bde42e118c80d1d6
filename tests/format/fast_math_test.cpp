// Compiled and linked with -ffast-math, which drops tests for NaN, fuses and reorders, and flushes subnormals from the program's first
// line on: the bytes stay those of the reference, and what is not a number is noticed. Compares bits, as this file is compiled so too.
#include "support/test.hpp"

#include <nibble/nibble.hpp>

#include "support/floats.hpp"
#include "support/formats.hpp"
#include "support/golden.hpp"

using support::float_of, support::is_nan;

namespace {

/// A search of each kind.
using searches = nibble::format_list<nibble::f16, nibble::q4_1, nibble::q8_0, nibble::q3_k, nibble::q5_k, nibble::iq4_nl, nibble::mxfp4,
                                      nibble::nvfp4, nibble::tq2_0, nibble::q1_0>;

}  // namespace

TEST_CASE("the bytes and floats of the reference under -ffast-math") {
    const auto inputs = golden::load(golden::file_of("inputs"));
    REQUIRE(inputs.size() == 4);
    const std::vector<float> importance = inputs.at("importance").floats();
    std::size_t compared = 0;
    support::for_each_format(searches{}, [&](auto format) {
        using F = decltype(format);
        const auto vectors = golden::load(golden::file_of(std::string(F::name)));
        support::for_each_level([&](nibble::isa level) {
            for (const char* name : {"normal", "heavy", "edge"}) {
                const auto& input = inputs.at(name);
                const nibble::shape s{input.shape[0], input.shape[1]};
                for (const bool weighted : {false, true}) {
                    const std::string key = std::string(name) + (weighted ? ".importance" : "");
                    if (!vectors.contains(key + ".blocks")) continue;
                    INFO(F::name << ' ' << key << " at " << nibble::name_of(level));
                    const auto& expected = vectors.at(key + ".blocks").bytes;
                    nibble::quantize_options options;
                    if (weighted) options.importance = std::span<const float>(importance).first(s.cols);
                    std::vector<std::byte> packed(expected.size());
                    CHECK(static_cast<bool>(nibble::quantize<F>(input.floats(), packed, s, options)));
                    CHECK(packed == expected);
                    ++compared;
                    if (!vectors.contains(key + ".values")) continue;
                    std::vector<float> decoded(s.elements(), -1.0f);
                    CHECK(static_cast<bool>(nibble::dequantize<F>(expected, decoded, s)));
                    CHECK(std::memcmp(decoded.data(), vectors.at(key + ".values").bytes.data(), decoded.size() * 4) == 0);
                }
            }
        });
    });
    CHECK(compared >= 20 * support::levels().size());
}

TEST_CASE("what is not a number is noticed under -ffast-math") {
    const nibble::shape s{2, 256};
    for (const std::uint32_t bad : {0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0x7F800000u, 0xFF800000u}) {
        std::vector<float> x(s.elements(), 0.5f), weights(s.cols, 1.0f);
        x[300] = float_of(bad);
        weights[77] = float_of(bad);
        support::for_each_format(searches{}, [&](auto format) {
            using F = decltype(format);
            std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols));
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level));
                CHECK(nibble::quantize<F>(x, packed, s).error() == nibble::errc::nonfinite);
                CHECK(nibble::quantize<F>(std::vector<float>(s.elements(), 0.5f), packed, s, {.importance = weights}).error() ==
                      nibble::errc::bad_importance);
                CHECK(static_cast<bool>(nibble::quantize<F>(x, packed, s, {.on_nonfinite = nibble::nonfinite::clamp})));
                std::vector<float> decoded(s.elements());
                CHECK(static_cast<bool>(nibble::dequantize<F>(packed, decoded, s)));
                REQUIRE(support::count_nonfinite(decoded) == 0);
            });
        });
        auto sums = nibble::calibration::make(s.cols);
        REQUIRE(static_cast<bool>(sums));
        CHECK(sums->add({x.data(), s}).error() == nibble::errc::nonfinite);
    }
    std::vector<float> x(s.elements(), 0.5f), broken = x;
    broken[300] = float_of(0x7FC00000u);
    for (const auto& report : {nibble::distortion(x, broken), nibble::distortion(x, std::span(x).first(300))}) {
        CHECK(is_nan(report.rmse));
        CHECK(is_nan(report.max_abs));
        CHECK(is_nan(report.sqnr_db));
        CHECK(report.cosine == 0.0);
    }
    CHECK(is_nan(float_of(0xFFC00001u)));
    CHECK_FALSE(is_nan(float_of(0x7F800000u)));
}
