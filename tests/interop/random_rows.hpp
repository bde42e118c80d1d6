// Rows of floats of many kinds, the same on every machine: what weights look like, and what breaks quantizers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace support {

/// Numbers that depend on nothing but the seed (the distributions of the standard library differ between libraries).
class numbers {
public:
    explicit numbers(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}

    std::uint64_t bits() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ * 0x2545F4914F6CDD1Du;
    }
    /// Below n.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>((bits() >> 32) * n >> 32); }
    /// 0 < value < 1
    double uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }
    double gaussian() { return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform()); }

private:
    std::uint64_t state_;
};

inline constexpr std::string_view row_kinds[] = {"gaussian", "heavy-tailed", "sparse",    "constant", "lattice",
                                                 "small",    "denormal",     "patchwork", "huge"};
inline constexpr std::size_t row_kind_count = std::size(row_kinds);
/// Scales of these rows may not fit into fp16.
inline bool is_huge(std::size_t kind) { return row_kinds[kind] == "huge"; }

/// One row of a kind (an index of row_kinds).
inline void fill_row(std::size_t kind, numbers& random, float* row, std::size_t cols) {
    const double size = std::pow(10.0, 6 * random.uniform() - 4);  // of everything in the row
    const auto put = [&](std::size_t i, double value) { row[i] = static_cast<float>(value); };
    for (std::size_t i = 0; i < cols; ++i) {
        const double g = random.gaussian();
        switch (kind) {
            case 0: put(i, 0.02 * g); break;
            case 1: put(i, 0.02 * g / std::sqrt(random.uniform())); break;
            case 2: put(i, random.below(10) == 0 ? size * g : random.below(2) == 0 ? 0.0 : -0.0); break;
            case 3: put(i, i % 32 == 0 || random.below(400) == 0 ? size * g : static_cast<double>(row[i - 1])); break;
            case 4: put(i, size * (static_cast<double>(random.below(17)) - 8) / 8); break;  // ties everywhere
            case 5: put(i, 1e-7 * size * g); break;                                         // scales below fp16
            case 6: put(i, std::pow(10.0, -44 + static_cast<double>(i / 32 % 9)) * g); break;
            case 7: {  // groups of 16 that have nothing in common, zeros among them
                const std::uint64_t what = (i / 16 * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(size * 1e9)) >> 58;
                put(i, what < 12 ? 0.0 : what < 16 ? size : std::pow(10.0, static_cast<double>(what % 7) - 5) * (what % 3 == 0 ? std::fabs(g) : g));
                break;
            }
            default: put(i, 1e6 * size * size * g); break;
        }
    }
    if (kind == 3 && random.below(4) == 0) std::fill(row, row + cols, row[0]);
}

/// One weight a column, uneven, some of them zero.
inline void fill_importance(numbers& random, std::vector<float>& weights) {
    for (float& w : weights) w = static_cast<float>(-std::log(random.uniform()) * (random.below(30) == 0 ? 20.0 : 1.0));
    if (random.below(2) == 0) {
        for (float& w : weights) w = random.below(12) == 0 ? 0.0f : w;
    }
}

}  // namespace support
