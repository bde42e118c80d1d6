// Floats of 16 bits, from fp32 at every level: the bits of the scalar conversions, and an error for what becomes an infinity.
#include "support/test.hpp"

#include <nibble/nibble.hpp>
#include <vector>

#include "support/floats.hpp"
#include "support/formats.hpp"

namespace {

template <class F>
void compare_with_scalar(std::uint16_t (*shorten)(float)) {
    std::vector<float> fits, too_large;
    for (std::uint_fast32_t upper = 0; upper < 0x10000; ++upper) {
        // Ties of both formats, with even and odd neighbours, and what is next to them.
        for (const std::uint_fast32_t lower : {0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001, 0xF000, 0xFFFF}) {
            const float value = support::float_of(upper << 16 | lower);
            typename F::block packed;
            packed.value.set(shorten(value));
            if (support::is_finite(value)) (F::finite(packed) ? fits : too_large).push_back(value);
        }
    }
    CHECK(!too_large.empty());
    std::vector<typename F::block> packed(fits.size());
    const auto bytes = std::as_writable_bytes(std::span(packed));
    support::for_each_level([&](nibble::isa level) {
        INFO(F::name << " at " << nibble::name_of(level));
        REQUIRE(static_cast<bool>(nibble::quantize<F>(fits, bytes, {1, fits.size()})));
        std::size_t different = 0;
        for (std::size_t i = 0; i < fits.size(); ++i) different += packed[i].value.get() != shorten(fits[i]);
        CHECK(different == 0);
        std::size_t taken = 0;
        std::vector<float> row(70, 0.5f);
        for (std::size_t i = 0; i < too_large.size(); i += 5) {
            row[i % row.size()] = too_large[i];
            taken += nibble::quantize<F>(row, bytes.first(2 * row.size()), {1, row.size()}).error() != nibble::errc::out_of_range;
            row[i % row.size()] = 0.5f;
        }
        CHECK(taken == 0);
    });
}

}  // namespace

TEST_CASE("f16 has the bits of float_to_float16") { compare_with_scalar<nibble::f16>(&nibble::float_to_float16); }

TEST_CASE("bf16 has the bits of float_to_bfloat16") { compare_with_scalar<nibble::bf16>(&nibble::float_to_bfloat16); }
