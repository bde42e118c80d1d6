// binary16 and bfloat16 against Eigen's, every code both ways, and every tie.
#include "support/test.hpp"

#include <Eigen/Core>
#include <bit>
#include <nibble/base/float16.hpp>

TEST_CASE("all 65,536 codes agree with Eigen both ways") {
    std::size_t wrong = 0;
    for (std::uint32_t code = 0; code < 65536; ++code) {
        const auto bits = static_cast<std::uint16_t>(code);
        const auto half = Eigen::numext::bit_cast<Eigen::half>(bits);
        const auto brain = Eigen::numext::bit_cast<Eigen::bfloat16>(bits);
        const bool half_nan = (bits & 0x7FFF) > 0x7C00, brain_nan = (bits & 0x7FFF) > 0x7F80;
        const float a = nibble::float16_to_float(bits), b = nibble::bfloat16_to_float(bits);
        if (half_nan) {
            wrong += !(a != a) || nibble::float_to_float16(a) != ((bits & 0x8000) | 0x7E00);
        } else {
            wrong += std::bit_cast<std::uint32_t>(a) != std::bit_cast<std::uint32_t>(static_cast<float>(half));
            wrong += nibble::float_to_float16(a) != bits;
        }
        if (brain_nan) {
            wrong += !(b != b) || nibble::float_to_bfloat16(b) != (bits | 64);
        } else {
            wrong += std::bit_cast<std::uint32_t>(b) != std::bit_cast<std::uint32_t>(static_cast<float>(brain));
            wrong += nibble::float_to_bfloat16(b) != bits;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("ties and their neighbours round as Eigen rounds") {
    std::size_t wrong = 0;
    for (std::uint32_t code = 0; code < 0x7C00; ++code) {
        const float low = nibble::float16_to_float(static_cast<std::uint16_t>(code));
        const float high = code == 0x7BFF ? 65536.0f : nibble::float16_to_float(static_cast<std::uint16_t>(code + 1));
        const float middle = low + (high - low) / 2;
        for (const float v : {middle, std::nextafter(middle, low), std::nextafter(middle, high)}) {
            const auto expected = Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(v));
            wrong += nibble::float_to_float16(v) != expected;
            wrong += nibble::float_to_float16(-v) != (expected | 0x8000);
        }
    }
    for (std::uint32_t code = 0; code < 0x7F80; ++code) {
        for (const std::uint32_t low : {0x7FFFu, 0x8000u, 0x8001u}) {
            const float v = std::bit_cast<float>((code << 16) | low);
            wrong += nibble::float_to_bfloat16(v) != Eigen::numext::bit_cast<std::uint16_t>(Eigen::bfloat16(v));
        }
    }
    CHECK(wrong == 0);
}
