// f8_e4m3 and f8_e5m2 at every level: all codes, all ties and what is next to them, odd floats, and what does not fit.
#include "support/test.hpp"

#include <cmath>
#include <cstring>
#include <nibble/nibble.hpp>
#include <random>
#include <vector>

#include "support/floats.hpp"

namespace {

/// The levels that this machine and NIBBLE_ISA allow.
template <class Fn>
void for_each_level(Fn&& fn) {
    const nibble::isa top = nibble::active_isa();
    for (std::size_t i = 0; i < nibble::isa_count; ++i) {
        const auto level = static_cast<nibble::isa>(i);
        if (!nibble::is_supported(level) || !nibble::internal::allowed_under(level, top)) continue;
        const nibble::scoped_isa limit(level);
        INFO("at " << nibble::name_of(level));
        fn();
    }
}

template <class F>
void check_codes(float (*extend)(std::uint8_t)) {
    std::vector<std::byte> codes(256 + 13);  // and a tail
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(i);
    for_each_level([&] {
        std::vector<float> values(codes.size());
        REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(codes), values, {1, codes.size()})));
        for (std::size_t i = 0; i < codes.size(); ++i) {
            const float expected = extend(static_cast<std::uint8_t>(i));
            INFO(F::name << ", code " << i);
            CHECK(std::memcmp(&values[i], &expected, sizeof expected) == 0);
        }
    });
}

/// @param shorten rounds as the format does, but saturates
/// @param end     the least magnitude that is rounded to more than the largest value
template <class F>
void check_floats(std::uint8_t (*shorten)(float), float (*extend)(std::uint8_t), int last_code, float end) {
    std::vector<float> values;
    const auto add = [&](float value) {
        if (std::fabs(value) < end) values.insert(values.end(), {value, -value});
    };
    for (int code = 0; code <= last_code; ++code) {
        const float value = extend(static_cast<std::uint8_t>(code)), next = code < last_code ? extend(static_cast<std::uint8_t>(code + 1)) : end;
        for (const float v : {value, 0.5f * (value + next)}) {
            for (const float near : {v, std::nextafter(v, 0.0f), std::nextafter(v, 2.0f * end)}) add(near);
        }
    }
    std::mt19937 generator(1);
    for (int i = 0; i < 100000; ++i) add(support::float_of(generator() & 0x7FFFFFFF));                         // any bits
    for (int i = 0; i < 100000; ++i) add(support::float_of((100 + generator() % 48) << 23 | generator() % (1 << 23)));  // around the format's range
    for (int i = 0; i < 1000; ++i) add(support::float_of(generator() & 0x007FFFFF));                            // subnormals
    values.push_back(0.0f);  // an odd number of them
    for_each_level([&] {
        std::vector<std::byte> packed(values.size());
        REQUIRE(static_cast<bool>(nibble::quantize<F>(values, packed, {1, values.size()})));
        std::size_t different = 0;
        for (std::size_t i = 0; i < values.size(); ++i) different += packed[i] != static_cast<std::byte>(shorten(values[i]));
        CHECK(different == 0);

        for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{36}}) {
            for (const float sign : {1.0f, -1.0f}) {
                std::vector<float> row(37, 0.25f);
                const auto quantize = [&](nibble::nonfinite policy) {
                    return nibble::quantize<F>(row, std::span(packed).first(row.size()), {1, row.size()}, {.on_nonfinite = policy}).error();
                };
                row[at] = sign * end;
                CHECK(quantize(nibble::nonfinite::error) == nibble::errc::out_of_range);
                CHECK(quantize(nibble::nonfinite::clamp) == nibble::errc::ok);
                CHECK(packed[at] == static_cast<std::byte>(last_code | (sign < 0 ? 0x80 : 0)));
                row[at] = sign * support::float_of(0x7F800000);
                CHECK(quantize(nibble::nonfinite::error) == nibble::errc::nonfinite);
                CHECK(quantize(nibble::nonfinite::clamp) == nibble::errc::ok);
                CHECK(packed[at] == static_cast<std::byte>(last_code | (sign < 0 ? 0x80 : 0)));
                row[at] = support::float_of(0x7FC00000);
                CHECK(quantize(nibble::nonfinite::error) == nibble::errc::nonfinite);
                CHECK(quantize(nibble::nonfinite::clamp) == nibble::errc::ok);
                CHECK(packed[at] == std::byte{0});
            }
        }
    });
}

}  // namespace

TEST_CASE("every code of f8 decodes to its float") {
    check_codes<nibble::f8_e4m3>(nibble::float8_e4m3_to_float);
    check_codes<nibble::f8_e5m2>(nibble::float8_e5m2_to_float);
}

TEST_CASE("floats become the nearest f8, or an error, or saturate") {
    check_floats<nibble::f8_e4m3>(nibble::float_to_float8_e4m3, nibble::float8_e4m3_to_float, 0x7E, std::nextafter(464.0f, 500.0f));
    check_floats<nibble::f8_e5m2>(nibble::float_to_float8_e5m2, nibble::float8_e5m2_to_float, 0x7B, 61440.0f);
}
