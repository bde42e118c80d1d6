// Floats of 32 bits at every level: copies to the last bit, NaNs of all kinds included, from and to any address, on both sides of the size
// from which results go past the caches.
#include "support/test.hpp"

#include <cstring>
#include <nibble/nibble.hpp>
#include <vector>

#include "support/floats.hpp"
#include "support/formats.hpp"

namespace {
constexpr std::size_t past_caches = (std::size_t{32} << 20) / sizeof(float), most_rest = 1024;
}

TEST_CASE("any bits come back, and nothing else is written") {
    std::vector<std::uint32_t> bits(past_caches + most_rest);
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint32_t>(i * 0x9E3779B1u);
    bits[1] = 0x7F800001;  // a NaN that signals: becomes another one in a register of the x87
    std::vector<std::byte> packed(bits.size() * sizeof(float) + 1);
    std::memcpy(packed.data() + 1, bits.data(), bits.size() * sizeof(float));
    std::vector<float> memory(bits.size() + 32);
    for (const std::size_t count :
         {std::size_t{1}, std::size_t{7}, std::size_t{1000}, past_caches - 1, past_caches, past_caches + 497, past_caches + most_rest}) {
        support::for_each_level([&](nibble::isa level) {
            for (const std::size_t offset : {1, 2, 15, 16, 17}) {
                INFO(count << " floats at " << nibble::name_of(level) << ", " << offset << " from the start");
                memory[offset - 1] = memory[offset + count] = -9.0f;
                const auto from = std::span<const std::byte>(packed).subspan(1, count * sizeof(float));
                REQUIRE(static_cast<bool>(nibble::dequantize<nibble::f32>(from, std::span(memory).subspan(offset, count), {1, count})));
                CHECK(std::memcmp(memory.data() + offset, bits.data(), count * sizeof(float)) == 0);
                CHECK(memory[offset - 1] == -9.0f);
                CHECK(memory[offset + count] == -9.0f);
            }
        });
    }
}

TEST_CASE("floats are packed as they are, but not onto themselves unless in place") {
    const nibble::shape s{3, 1001};
    const auto x = support::noise(s.elements(), 15);
    support::for_each_level([&](nibble::isa level) {
        INFO(nibble::name_of(level));
        std::vector<std::byte> packed(s.elements() * sizeof(float) + 1);
        REQUIRE(static_cast<bool>(nibble::quantize<nibble::f32>(x, std::span(packed).subspan(1), s)));
        CHECK(std::memcmp(packed.data() + 1, x.data(), s.elements() * sizeof(float)) == 0);
        std::vector<float> buffer = x;
        const auto bytes = std::as_writable_bytes(std::span(buffer));
        CHECK(nibble::quantize<nibble::f32>(buffer, bytes, s).error() == nibble::errc::overlap);
        CHECK(nibble::dequantize<nibble::f32>(bytes, buffer, s).error() == nibble::errc::overlap);
        REQUIRE(static_cast<bool>(nibble::quantize_in_place<nibble::f32>(buffer, s)));
        CHECK(std::memcmp(buffer.data(), x.data(), s.elements() * sizeof(float)) == 0);
    });
}
