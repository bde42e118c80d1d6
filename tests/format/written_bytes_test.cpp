// The bytes that quantizers write, at every level and with every compiler and flag: those of ggml's reference (and its floats) for every format
// that has golden vectors, and with search::best those whose hashes stand here. Whoever improves a search updates its hash.
#include "support/test.hpp"

#include <cstdio>
#include <map>
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

/// FNV-1a.
std::uint64_t hash_of(const std::vector<std::byte>& bytes, std::uint64_t hash) {
    for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 1099511628211u;
    return hash;
}

/// search::best, of all golden inputs, without and with importance.
const std::map<std::string_view, std::uint64_t> best_hashes = {
    {"q4_0", 0xf26cb760b68ea9f2u},
    {"q4_1", 0xb8063431ddc0409bu},
    {"q5_0", 0xbeef2bca0ba4bf24u},
    {"q5_1", 0x795227abdf718117u},
    {"q8_0", 0xa18ed91f406bd919u},
    {"q8_1", 0xe4083d04943d119au},
    {"q4_k", 0x41845ec9c32242ddu},
    {"q5_k", 0xf3dde60170e187f4u},
    {"q6_k", 0x80fc62a70197c57du},
    {"q2_k", 0xbe95de6f388fcd06u},
    {"q3_k", 0xc5f4941d90030c50u},
    {"iq2_xxs", 0x19760fe77e567b31u},
    {"iq2_xs", 0x1666be6c8a793a36u},
    {"iq3_xxs", 0xc3ca42f0c4e2ac7bu},
    {"iq1_s", 0x89736144330f4021u},
    {"iq3_s", 0x82d55763a111ee5eu},
    {"iq2_s", 0xadfa3d8a7f96c507u},
    {"iq1_m", 0xc61401e79feb282bu},
    {"iq4_nl", 0x1240a0afbf6e7456u},
    {"iq4_xs", 0x22852982c3afad58u},
    {"mxfp4", 0xdacd86156091e75eu},
    {"nvfp4", 0x74b62c10609ba679u},
    {"tq1_0", 0xe22cfc83d389c893u},
    {"tq2_0", 0xbe1095d54cd972dcu},
    {"q1_0", 0xefac3b177ffd0de2u},
    {"q2_0", 0xa67b82112182ee71u},
};

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

TEST_CASE("the bytes of the best search") {
    const auto inputs = golden::load(golden::file_of("inputs"));
    REQUIRE(inputs.size() == 4);
    const std::vector<float> importance = inputs.at("importance").floats();
    std::size_t checked = 0;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        if constexpr (nibble::has_best_search<F>) {
            support::for_each_level([&](nibble::isa level) {
                std::uint64_t hash = 14695981039346656037u;
                for (const char* name : {"normal", "heavy", "edge"}) {
                    const auto& input = inputs.at(name);
                    const nibble::shape s{input.shape[0], input.shape[1]};
                    for (const bool weighted : {false, true}) {
                        nibble::quantize_options options{.how = nibble::search::best};
                        if (weighted) options.importance = std::span<const float>(importance).first(s.cols);
                        std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols), std::byte{0xA5});
                        CHECK(static_cast<bool>(nibble::quantize<F>(input.floats(), packed, s, options)));
                        hash = hash_of(packed, hash);
                    }
                }
                char line[80];
                std::snprintf(line, sizeof line, "{\"%s\", 0x%016llxu},", std::string(F::name).c_str(),
                              static_cast<unsigned long long>(hash));
                INFO(line << " at " << nibble::name_of(level));
                const auto known = best_hashes.find(F::name);
                CHECK((known != best_hashes.end() && known->second == hash));
            });
            ++checked;
        }
    });
    CHECK(checked == best_hashes.size());
}
