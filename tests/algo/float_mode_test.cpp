// The floating-point mode of the caller's thread: it changes nothing, and nothing changes it.
#include "support/test.hpp"

#include <cfenv>
#include <cstring>
#include <nibble/nibble.hpp>

#include "support/floats.hpp"
#include "support/formats.hpp"

using nibble::shape;
using support::noise;

TEST_CASE("Rounding modes and flushed subnormals of the calling thread change no byte, and are restored") {
    const shape s{3, 512};
    auto x = noise(s.elements(), 13);
    for (std::size_t i = 0; i < 512; ++i) x[512 + i] *= 1e-37f;  // a row of numbers around the smallest normal one
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const auto expected = nibble::quantizer<F>()({x.data(), s});
        REQUIRE(expected);
        std::vector<float> floats(s.elements()), decoded(s.elements());
        REQUIRE(nibble::dequantize(expected->view(), std::span(floats)));
        support::for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level));
            for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST}) {
                std::vector<std::byte> packed(expected->bytes().size());
                REQUIRE(std::fesetround(mode) == 0);
#if defined(NIBBLE_X86)
                const unsigned before = _mm_getcsr();
                _mm_setcsr(before | 0x8040);  // flush to zero, subnormals are zeros
#endif
                const auto done = nibble::quantize<F>(x, packed, s);
                const auto back = nibble::dequantize<F>(packed, std::span(decoded), s);
                const int mode_after = std::fegetround();
#if defined(NIBBLE_X86)
                const unsigned after = _mm_getcsr();
                _mm_setcsr(before);
                CHECK((after & 0xE040) == ((before | 0x8040) & 0xE040));
#endif
                std::fesetround(FE_TONEAREST);
                REQUIRE((done && back));
                CHECK(mode_after == mode);
                CHECK(std::ranges::equal(packed, expected->bytes()));
                CHECK(std::memcmp(decoded.data(), floats.data(), floats.size() * 4) == 0);
            }
        });
    });
}
