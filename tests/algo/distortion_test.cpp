#include "support/test.hpp"

#include <cmath>
#include <nibble/nibble.hpp>

TEST_CASE("a report in numbers that can be checked by hand") {
    const float a[] = {1, 2, 3, 4}, b[] = {1, 2, 3, 2};
    const auto r = nibble::distortion(a, b);
    CHECK(r.rmse == Approx(1.0));
    CHECK(r.max_abs == Approx(2.0));
    CHECK(r.sqnr_db == Approx(10 * std::log10(30.0 / 4.0)));
    CHECK(r.cosine == Approx(22 / std::sqrt(30.0 * 18.0)));
}

TEST_CASE("lossless, empty and broken inputs") {
    const float a[] = {1, -2}, zero[] = {0, 0}, nan[] = {std::nanf(""), 1};
    CHECK(std::isinf(nibble::distortion(a, a).sqnr_db));
    CHECK(nibble::distortion(zero, zero).cosine == 1.0);
    CHECK(nibble::distortion({}, {}).rmse == 0.0);
    CHECK(std::isnan(nibble::distortion(a, nan).rmse));
    CHECK(std::isnan(nibble::distortion(a, nan).max_abs));
}

TEST_CASE("spans of unequal length are no better than any limit, whatever else is added") {
    const float a[] = {1, -2};
    for (const std::size_t some : {0u, 1u}) {
        nibble::distortion_sums sums, all;
        sums.add(a, std::span(a).first(some));
        sums.add(a, a);
        all.add(a, a);
        all.add(sums);
        for (const auto& r : {nibble::distortion(a, std::span(a).first(some)), sums.report(), all.report()}) {
            CHECK(std::isnan(r.rmse));
            CHECK(std::isnan(r.sqnr_db));
            CHECK(r.cosine == 0.0);
            CHECK(std::isnan(r.max_abs));
        }
    }
}
