// 8-bit floats against their definitions, every code, and the encoders against the nearest of all codes.
#include "support/test.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <nibble/base/float8.hpp>
#include <random>

namespace {

/// sign * 2^(e - bias) * (1 + m / 2^bits), or without the leading one where e is 0.
double defined(int code, int mantissa_bits, int bias) {
    const int exponent = (code & 0x7F) >> mantissa_bits, mantissa = code & ((1 << mantissa_bits) - 1);
    const double fraction = std::ldexp(mantissa, -mantissa_bits);
    const double value = exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
    return (code & 0x80) != 0 ? -value : value;
}

bool is_nan(float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu) > 0x7F800000u; }

/// The nearest code, ties to the even one, among those that are finite.
template <class Decode>
int nearest(float value, int largest, Decode decode) {
    const double magnitude = std::fabs(static_cast<double>(value));
    int best = 0;
    for (int code = 1; code <= largest; ++code) {
        const double old_error = std::fabs(magnitude - static_cast<double>(decode(static_cast<std::uint8_t>(best))));
        const double error = std::fabs(magnitude - static_cast<double>(decode(static_cast<std::uint8_t>(code))));
        if (error < old_error || (error == old_error && code % 2 == 0)) best = code;
    }
    return best | (std::signbit(value) ? 0x80 : 0);
}

}  // namespace

TEST_CASE("every code of 8-bit floats is what its definition says") {
    for (int code = 0; code < 256; ++code) {
        INFO(code);
        const auto bits = static_cast<std::uint8_t>(code);
        const bool nan_e4m3 = (code & 0x7F) == 0x7F;
        CHECK(is_nan(nibble::float8_e4m3_to_float(bits)) == nan_e4m3);
        if (!nan_e4m3) {
            CHECK(static_cast<double>(nibble::float8_e4m3_to_float(bits)) == defined(code, 3, 7));
            CHECK(nibble::float_to_float8_e4m3(nibble::float8_e4m3_to_float(bits)) == bits);
        }
        const int special = (code & 0x7C) == 0x7C ? (code & 3) + 1 : 0;  // 1: infinity, more: NaN
        CHECK(is_nan(nibble::float8_e5m2_to_float(bits)) == (special > 1));
        if (special == 0) {
            CHECK(static_cast<double>(nibble::float8_e5m2_to_float(bits)) == defined(code, 2, 15));
            CHECK(nibble::float_to_float8_e5m2(nibble::float8_e5m2_to_float(bits)) == bits);
        }
        CHECK(is_nan(nibble::float8_e4m3fnuz_to_float(bits)) == (code == 0x80));
        CHECK(is_nan(nibble::float8_e5m2fnuz_to_float(bits)) == (code == 0x80));
        if (code != 0x80) {
            CHECK(static_cast<double>(nibble::float8_e4m3fnuz_to_float(bits)) == defined(code, 3, 8));
            CHECK(static_cast<double>(nibble::float8_e5m2fnuz_to_float(bits)) == defined(code, 2, 16));
        }
        CHECK(is_nan(nibble::float8_e8m0_to_float(bits)) == (code == 255));
        if (code != 255) CHECK(static_cast<double>(nibble::float8_e8m0_to_float(bits)) == std::ldexp(1.0, code - 127));
    }
}

TEST_CASE("encoders round to the nearest even code and saturate") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float value : {448.0f, std::nextafter(448.0f, infinity), 464.0f, 480.0f, 1e9f, 3e38f, infinity}) {
        CHECK(nibble::float_to_float8_e4m3(value) == 0x7E);
        CHECK(nibble::float_to_float8_e4m3(-value) == 0xFE);
    }
    for (const float value : {57344.0f, 61440.0f, 65536.0f, 1e9f, infinity}) {
        CHECK(nibble::float_to_float8_e5m2(value) == 0x7B);
        CHECK(nibble::float_to_float8_e5m2(-value) == 0xFB);
    }
    for (const std::uint32_t nan : {0x7FC00000u, 0x7F800001u, 0xFFFFFFFFu}) {
        CHECK((nibble::float_to_float8_e4m3(std::bit_cast<float>(nan)) & 0x7F) == 0x7F);
        CHECK(is_nan(nibble::float8_e5m2_to_float(nibble::float_to_float8_e5m2(std::bit_cast<float>(nan)))));
    }

    std::mt19937 generator(1);
    std::uniform_int_distribution<std::uint32_t> exponent(95, 145), rest(0, (1u << 24) - 1);
    for (int i = 0; i < 20000; ++i) {
        const std::uint32_t r = rest(generator);
        const std::uint32_t mantissa = i % 3 == 0 ? (r & 0x780000u) : r & 0x7FFFFFu;  // a third are codes and ties between them
        const float value = std::bit_cast<float>(((r >> 23) << 31) | (exponent(generator) << 23) | mantissa);
        INFO(value);
        REQUIRE(nibble::float_to_float8_e4m3(value) == nearest(value, 0x7E, nibble::float8_e4m3_to_float));
        REQUIRE(nibble::float_to_float8_e5m2(value) == nearest(value, 0x7B, nibble::float8_e5m2_to_float));
    }
    for (const float value : {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-38f}) {
        CHECK(nibble::float_to_float8_e4m3(value) == (std::signbit(value) ? 0x80 : 0));
        CHECK(nibble::float_to_float8_e5m2(value) == (std::signbit(value) ? 0x80 : 0));
    }
}

TEST_CASE("a power of two is the nearest one") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (int code = 0; code < 255; ++code) {
        INFO(code);
        const float value = nibble::float8_e8m0_to_float(static_cast<std::uint8_t>(code));
        CHECK(nibble::float_to_float8_e8m0(value) == code);
        CHECK(nibble::float_to_float8_e8m0(-value) == code);
        if (code == 254) break;
        CHECK(nibble::float_to_float8_e8m0(1.5f * value) == code + 1);
        CHECK(nibble::float_to_float8_e8m0(std::nextafter(1.5f * value, 0.0f)) == code);
    }
    CHECK(nibble::float_to_float8_e8m0(0.0f) == 0);
    CHECK(nibble::float_to_float8_e8m0(std::numeric_limits<float>::denorm_min()) == 0);
    CHECK(nibble::float_to_float8_e8m0(std::numeric_limits<float>::max()) == 254);
    CHECK(nibble::float_to_float8_e8m0(infinity) == 255);
    CHECK(nibble::float_to_float8_e8m0(std::numeric_limits<float>::quiet_NaN()) == 255);
}

TEST_CASE("4-bit floats are what their definition says, and round to the nearest even code") {
    constexpr float values[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    const auto check = [&](float value) {
        INFO(value);
        const int code = nearest(value, 7, nibble::float4_e2m1_to_float);
        CHECK(nibble::float_to_float4_e2m1(value) == ((code >> 4) | (code & 7)));
    };
    for (int code = 0; code < 16; ++code) {
        const float value = nibble::float4_e2m1_to_float(static_cast<std::uint8_t>(code));
        CHECK(value == (code < 8 ? values[code] : -values[code - 8]));
        CHECK(std::signbit(value) == (code >= 8));
        CHECK(nibble::float_to_float4_e2m1(value) == code);
        if (code % 8 == 7) continue;
        const float middle = 0.5f * (value + nibble::float4_e2m1_to_float(static_cast<std::uint8_t>(code + 1)));
        for (const float v : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 9.0f * middle)}) check(v);
    }
    std::mt19937 generator(2);
    std::normal_distribution<float> normal(0.0f, 3.0f);
    for (int i = 0; i < 2000; ++i) check(normal(generator));
    for (const float value : {7.0f, 1e30f, std::numeric_limits<float>::infinity()}) {
        CHECK(nibble::float_to_float4_e2m1(value) == 7);
        CHECK(nibble::float_to_float4_e2m1(-value) == 15);
    }
    CHECK((nibble::float_to_float4_e2m1(std::numeric_limits<float>::quiet_NaN()) & 7) == 7);
}
