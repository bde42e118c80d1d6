// The search in one lane as the measure of the levels' searches in many.
#pragma once

#include "support/test.hpp"

#include <cstring>
#include <nibble/nibble.hpp>
#include <string>
#include <vector>

#include "support/formats.hpp"

namespace support {

/// Quantizes with and without importance, at every level, and compares bytes.
template <class F>
void compare_with_one_lane(const std::vector<float>& x, nibble::shape s, const std::vector<float>& importance, const std::string& what) {
    for (const bool weighted : {false, true}) {
        nibble::quantize_options options;
        if (weighted) options.importance = importance;
        std::vector<typename F::block> expected(x.size() / F::block_size), packed(expected.size());
        nibble::encode_blocks<F, 1>(x.data(), expected.size(), s.cols / F::block_size, weighted ? importance.data() : nullptr, expected.data());
        for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level) << ", " << what << (weighted ? ", weighted" : ""));
            REQUIRE(static_cast<bool>(nibble::quantize<F>(x, std::as_writable_bytes(std::span(packed)), s, options)));
            CHECK(std::memcmp(packed.data(), expected.data(), packed.size() * sizeof packed[0]) == 0);
        });
    }
}

}  // namespace support
