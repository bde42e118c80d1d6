// Searches in lanes take ways that a single lane does not: they round in fewer steps, and look up levels instead of searching them. Here they meet
// values for which these ways are not enough, or just enough.
#include "support/test.hpp"

#include <cmath>
#include <nibble/nibble.hpp>
#include <random>
#include <vector>

#include "support/formats.hpp"
#include "support/one_lane.hpp"

namespace {

constexpr std::size_t rows = 6, cols = 1024;

struct family {
    const char* name;
    float (*value)(std::size_t i, std::mt19937& random);
    float (*importance)(std::mt19937& random);
};
float gauss(std::mt19937& random) { return std::normal_distribution<float>()(random); }
float even(std::mt19937&) { return 1.0f; }
/// Most columns do not matter, some matter very much.
float skewed(std::mt19937& random) { return random() % 3 == 0 ? std::exp(4.0f * gauss(random)) : 0.0f; }

const family families[] = {
    {"normal", [](std::size_t, std::mt19937& random) { return gauss(random); }, even},
    {"tiny", [](std::size_t, std::mt19937& random) { return std::ldexp(gauss(random), static_cast<int>(random() % 8) - 130); }, even},
    {"negative, of many sizes", [](std::size_t, std::mt19937& random) { return -std::exp(-0.02f * static_cast<float>(random() % 1000)); }, skewed},
    {"near one number", [](std::size_t, std::mt19937& random) { return -1.0f - 1e-6f * static_cast<float>(random() % 5); }, skewed},
    {"ties",
     [](std::size_t i, std::mt19937& random) { return i % 16 == 0 ? -8.0f : 0.5f * static_cast<float>(static_cast<int>(random() % 32) - 16); }, even},
    {"between levels",
     [](std::size_t i, std::mt19937& random) { return i % 32 == 0 ? -127.0f : 0.5f * static_cast<float>(static_cast<int>(random() % 480) - 240); },
     even},
    {"one large value", [](std::size_t i, std::mt19937& random) { return i % 32 == 5 ? 1e4f : gauss(random); }, skewed},
};

template <class F>
void compare() {
    for (const family& kind : families) {
        std::mt19937 random(1);
        std::vector<float> x(rows * cols), importance(cols);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = kind.value(i, random);
        for (float& w : importance) w = kind.importance(random);
        support::compare_with_one_lane<F>(x, {rows, cols}, importance, kind.name);
    }
}

}  // namespace

TEST_CASE("searches with an offset write the bytes of one lane") {
    compare<nibble::q2_k>();
    compare<nibble::q4_k>();
    compare<nibble::q5_1>();
}
TEST_CASE("searches without an offset write the bytes of one lane") {
    compare<nibble::q3_k>();
    compare<nibble::q6_k>();
    compare<nibble::q4_0>();
}
TEST_CASE("searches of levels write the bytes of one lane") {
    compare<nibble::iq4_nl>();
    compare<nibble::iq4_xs>();
}
TEST_CASE("searches of ternary points write the bytes of one lane") {
    compare<nibble::iq1_s>();
    compare<nibble::iq1_m>();
}
