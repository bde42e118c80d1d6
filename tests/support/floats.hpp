// Floats for tests: noise that is the same in every run, and what is asked by bits, because tests are compiled with -ffast-math too.
#pragma once

#include <cstdint>
#include <nibble/base/bits.hpp>
#include <random>
#include <span>
#include <vector>

namespace support {

/// Gaussian numbers.
inline std::vector<float> noise(std::size_t count, unsigned seed, float sigma = 0.02f) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0f, sigma);
    std::vector<float> values(count);
    for (float& v : values) v = normal(generator);
    return values;
}

inline float float_of(std::uint_fast32_t bits) { return nibble::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
inline bool is_nan(float value) { return (nibble::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu) > 0x7F800000u; }
inline bool is_nan(double value) { return (nibble::bit_cast<std::uint64_t>(value) << 1) > 0x7FFull << 53; }
inline bool is_finite(float value) { return (nibble::bit_cast<std::uint32_t>(value) & 0x7F800000u) != 0x7F800000u; }

/// How many of these are NaN or infinite.
inline std::size_t count_nonfinite(std::span<const float> values) {
    std::size_t count = 0;
    for (const float v : values) count += !is_finite(v);
    return count;
}

}  // namespace support
