// Values in the middle between two levels, where rounding alone decides, get the bytes of the one-lane search at every level.
#include "support/test.hpp"

#include <cmath>
#include <nibble/nibble.hpp>
#include <random>
#include <string>
#include <vector>

#include "support/formats.hpp"
#include "support/one_lane.hpp"

namespace {

constexpr std::size_t cols = 512;
constexpr nibble::shape shape{16, cols};

/// In each 16 values one is the largest; the others are in the middle between levels at some of the scales that the search tries, or next to it.
template <class F>
std::vector<float> middles(std::mt19937& generator) {
    using rules = typename F::rules;
    constexpr int levels = rules::book::levels;
    std::uniform_int_distribution<int> level(0, levels - 2), any_try(-rules::trials, rules::trials), units(-2, 2), sign(0, 1);
    std::vector<float> x(shape.rows * cols);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const float reach = static_cast<float>(2 * levels - 1) + static_cast<float>(any_try(generator)) * rules::step;
        float v = i % 16 == 0 ? 1.75f : 1.75f / reach * static_cast<float>(2 * level(generator) + 2);
        for (int u = units(generator); i % 16 != 0 && u != 0; u += u < 0 ? 1 : -1) v = std::nextafter(v, u < 0 ? 0.0f : 2.0f);
        x[i] = sign(generator) == 0 ? v : -v;
    }
    return x;
}

template <class F>
void check() {
    std::mt19937 generator(3);
    std::uniform_real_distribution<float> weight(0.01f, 2.0f);
    std::vector<float> importance(cols);
    for (float& w : importance) w = weight(generator);
    for (int round = 0; round < 8; ++round) {
        support::compare_with_one_lane<F>(middles<F>(generator), shape, importance, "round " + std::to_string(round));
    }
}

}  // namespace

TEST_CASE("middles between the levels of codebooks") {
    check<nibble::iq2_xxs>();
    check<nibble::iq2_xs>();
    check<nibble::iq2_s>();
    check<nibble::iq3_xxs>();
    check<nibble::iq3_s>();
}
