// Elements as floats: every type that has them, at any address.
#include "nibble/safetensors/floats.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "support/test.hpp"

using nibble::errc;
using nibble::safetensors::dtype;

namespace {

template <class T>
std::vector<float> floats(dtype type, const std::vector<T>& values) {
    support::bytes data = "x";  // so that nothing is aligned
    for (const T v : values) data += support::number(v);
    const support::exact_copy copy(data);
    std::vector<float> out(values.size());
    REQUIRE(to_floats(type, copy.span().subspan(1), out));
    return out;
}

}  // namespace

TEST_CASE("every float type converts") {
    const std::vector<float> expected = {1.0f, -2.0f, 0.5f, 0.0f};
    CHECK(floats<double>(dtype::f64, {1, -2, 0.5, 0}) == expected);
    CHECK(floats<float>(dtype::f32, {1, -2, 0.5, 0}) == expected);
    CHECK(floats<std::uint16_t>(dtype::f16, {0x3C00, 0xC000, 0x3800, 0}) == expected);
    CHECK(floats<std::uint16_t>(dtype::bf16, {0x3F80, 0xC000, 0x3F00, 0}) == expected);
    CHECK(floats<std::uint8_t>(dtype::f8_e4m3, {0x38, 0xC0, 0x30, 0}) == expected);
    CHECK(floats<std::uint8_t>(dtype::f8_e5m2, {0x3C, 0xC0, 0x38, 0}) == expected);
    CHECK(floats<std::uint8_t>(dtype::f8_e4m3fnuz, {0x40, 0xC8, 0x38, 0}) == expected);
    CHECK(floats<std::uint8_t>(dtype::f8_e5m2fnuz, {0x40, 0xC4, 0x3C, 0}) == expected);
    CHECK(floats<std::uint8_t>(dtype::f8_e8m0, {127, 128, 126}) == std::vector<float>{1.0f, 2.0f, 0.5f});
    CHECK(floats<double>(dtype::f64, {1e300})[0] == std::numeric_limits<float>::infinity());
    CHECK(std::isnan(floats<double>(dtype::f64, {std::nan("")})[0]));
}

TEST_CASE("other types and lengths are refused") {
    std::vector<float> out(2, 7.0f);
    const std::vector<std::byte> data(16);
    for (std::size_t i = 0; i < 30; ++i) {
        const auto type = static_cast<dtype>(i);
        INFO(i);
        const bool known = nibble::safetensors::has_floats(type);
        const std::size_t size = known ? bits_of(type) / 4 : 8;
        CHECK(to_floats(type, std::span(data).first(size), out).error() == (known ? errc::ok : errc::unsupported_type));
        if (known) CHECK(to_floats(type, std::span(data).first(size - 1), out).error() == errc::size_mismatch);
        if (known) CHECK(to_floats(type, std::span(data).first(size / 2), out).error() == errc::size_mismatch);
    }
    CHECK(to_floats(dtype::f32, {}, {}));
}
