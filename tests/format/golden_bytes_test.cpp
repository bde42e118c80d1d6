// Promise 1: the bytes and floats of ggml's reference, for every format that has golden vectors, at every level.
#include "support/test.hpp"

#include <nibble/nibble.hpp>

#include "support/formats.hpp"
#include "support/golden.hpp"

namespace {

std::vector<std::byte> pack(auto format, const std::vector<float>& x, nibble::shape s, std::span<const float> importance) {
    using F = decltype(format);
    std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols), std::byte{0xA5});
    const auto done = nibble::quantize<F>(x, packed, s, {.importance = importance});
    INFO(done.message());
    CHECK(static_cast<bool>(done));
    return packed;
}

std::size_t differing_blocks(const std::vector<std::byte>& a, const std::vector<std::byte>& b, std::size_t block) {
    if (a.size() != b.size()) return a.size() + b.size();
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.size(); i += block) count += std::memcmp(&a[i], &b[i], block) != 0;
    return count;
}

}  // namespace

TEST_CASE("bytes and floats equal those of the reference") {
    const auto inputs = golden::load(std::string(NIBBLE_TESTS_DIR) + "/golden/inputs.safetensors");
    REQUIRE(inputs.size() == 4);
    const std::vector<float> importance = inputs.at("importance").floats();
    std::size_t compared = 0;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const auto vectors = golden::load(golden::file_of(std::string(F::name)));
        if (vectors.empty()) return;  // f32 has none; the count below notices a lost file
        support::for_each_level([&](nibble::isa level) {
            for (const char* name : {"normal", "heavy", "edge"}) {
                const auto& input = inputs.at(name);
                const nibble::shape s{input.shape[0], input.shape[1]};
                const std::vector<float> x = input.floats();
                for (const bool weighted : {false, true}) {
                    const std::string key = std::string(name) + (weighted ? ".importance" : "");
                    if (!vectors.contains(key + ".blocks")) continue;
                    INFO(F::name << " " << key << " at " << nibble::name_of(level));
                    const auto& expected = vectors.at(key + ".blocks").bytes;
                    const auto weights = weighted ? std::span<const float>(importance).first(s.cols) : std::span<const float>{};
                    // q8_k: the reference leaves the sums of an all-zero block undefined; the golden file has zeros there.
                    CHECK(differing_blocks(pack(format, x, s, weights), expected, sizeof(typename F::block)) == 0);
                    ++compared;
                    if (!vectors.contains(key + ".values")) continue;
                    std::vector<float> decoded(x.size(), -1.0f);
                    CHECK(static_cast<bool>(nibble::dequantize<F>(std::as_bytes(std::span(expected)), decoded, s)));
                    CHECK(std::memcmp(decoded.data(), vectors.at(key + ".values").bytes.data(), decoded.size() * 4) == 0);
                }
            }
        });
    });
    CHECK(compared >= 30 * support::levels().size());
}

TEST_CASE("a block's own encode is the same search") {
    const auto inputs = golden::load(std::string(NIBBLE_TESTS_DIR) + "/golden/inputs.safetensors");
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const auto vectors = golden::load(golden::file_of(std::string(F::name)));
        if (!vectors.contains("normal.blocks")) return;
        const auto x = inputs.at("normal").floats();
        const auto& expected = vectors.at("normal.blocks").bytes;
        for (std::size_t b = 0; b < x.size() / F::block_size; ++b) {
            typename F::block packed;
            F::encode(std::span<const float, F::block_size>(x.data() + b * F::block_size, F::block_size), packed);
            INFO(F::name << " block " << b);
            REQUIRE(std::memcmp(&packed, expected.data() + b * sizeof packed, sizeof packed) == 0);
        }
    });
}
