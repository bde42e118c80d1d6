// Quantize and dequantize calls: sizes, aliases, odd floats, in place, threads.
#include "support/test.hpp"

#include <cmath>
#include <limits>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>
#include <random>

#include "support/floats.hpp"
#include "support/formats.hpp"

using support::noise;

namespace {
template <class F>
std::vector<std::byte> pack(const std::vector<float>& x, nibble::shape s, nibble::quantize_options options = {}) {
    std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols), std::byte{0x5A});
    REQUIRE(static_cast<bool>(nibble::quantize<F>(x, packed, s, options)));
    return packed;
}
}  // namespace

TEST_CASE("all levels, threads and in place write the same bytes, tails included") {
    nibble::thread_pool pool(3);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        for (const std::size_t cols : {1, 31, 32, 256, 257, 700}) {
            const nibble::shape s{9, cols};
            const auto x = noise(s.elements(), 7);
            const auto importance = [&] {
                auto w = noise(cols, 8);
                for (float& v : w) v = std::fabs(v) + 0.01f;
                return w;
            }();
            for (const bool weighted : {false, true}) {
                nibble::quantize_options options;
                if (weighted) options.importance = importance;
                std::vector<std::byte> expected;
                {
                    const nibble::scoped_isa limit(nibble::isa::reference);
                    expected = pack<F>(x, s, options);
                }
                support::for_each_level([&](nibble::isa level) {
                    INFO(F::name << " at " << nibble::name_of(level) << ", " << cols << " columns");
                    CHECK(pack<F>(x, s, options) == expected);
                    auto threaded = options;
                    threaded.threads = pool;
                    CHECK(pack<F>(x, s, threaded) == expected);
                    std::vector<float> buffer = x;
                    const auto view = nibble::quantize_in_place<F>(buffer, s, options);
                    if (nibble::row_bytes<F>(cols) <= cols * sizeof(float)) {
                        REQUIRE(static_cast<bool>(view));
                        CHECK(std::memcmp(view->data(), expected.data(), expected.size()) == 0);
                    } else {
                        CHECK(view.error() == nibble::errc::invalid_argument);
                        CHECK(buffer == x);
                    }
                });
                std::vector<float> reference(x.size());
                {
                    const nibble::scoped_isa limit(nibble::isa::reference);
                    REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(expected), reference, s)));
                }
                support::for_each_level([&](nibble::isa) {
                    std::vector<float> decoded(x.size(), -9.0f);
                    REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(expected), decoded, s)));
                    CHECK(std::memcmp(decoded.data(), reference.data(), decoded.size() * 4) == 0);
                });
            }
        }
    });
}

TEST_CASE("any bytes decode, at every level to the same floats") {
    std::mt19937 generator(11);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const nibble::shape s{5, 512};
        std::vector<std::byte> bytes(s.rows * nibble::row_bytes<F>(s.cols));
        for (auto& b : bytes) b = static_cast<std::byte>(generator());
        std::vector<float> expected(s.elements());
        {
            const nibble::scoped_isa limit(nibble::isa::reference);
            REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(bytes), expected, s)));
        }
        support::for_each_level([&](nibble::isa level) {
            std::vector<float> decoded(s.elements());
            REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(bytes), decoded, s)));
            INFO(F::name << " at " << nibble::name_of(level));
            std::size_t different = 0;  // NaNs need not be the same NaN
            for (std::size_t i = 0; i < decoded.size(); ++i) {
                different += std::memcmp(&decoded[i], &expected[i], 4) != 0 && !(std::isnan(decoded[i]) && std::isnan(expected[i]));
            }
            CHECK(different == 0);
        });
    });
}

TEST_CASE("results that no cache holds are the floats of their rows, wherever in memory they begin") {
    const nibble::shape s{8200, 1024};  // levels may write from 32 MB on past the caches
    std::vector<float> memory(s.elements() + 32), row(s.cols);
    const std::size_t line = 16, aligned = 1 + line - (reinterpret_cast<std::uintptr_t>(memory.data() + 1) / sizeof(float)) % line;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const std::size_t distinct = 8, stride = nibble::row_bytes<F>(s.cols);
        const auto few = pack<F>(noise(distinct * s.cols, 13), {distinct, s.cols});
        std::vector<std::byte> packed(s.rows * stride);
        for (std::size_t r = 0; r < s.rows; ++r) std::memcpy(packed.data() + r * stride, few.data() + r % distinct * stride, stride);
        support::for_each_level([&](nibble::isa level) {
            for (const std::size_t offset : {aligned, aligned + 3}) {
                INFO(F::name << " at " << nibble::name_of(level) << ", " << offset << " floats from the start");
                std::fill(memory.begin(), memory.end(), -9.0f);
                REQUIRE(static_cast<bool>(nibble::dequantize<F>(packed, std::span(memory).subspan(offset, s.elements()), s)));
                std::size_t different = 0;
                for (std::size_t r = 0; r < s.rows; ++r) {
                    if (r < distinct) {
                        REQUIRE(
                            static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(few).subspan(r * stride, stride), row, {1, s.cols})));
                        different += std::memcmp(memory.data() + offset + r * s.cols, row.data(), s.cols * sizeof(float)) != 0;
                    } else {
                        const float* const here = memory.data() + offset + r * s.cols;
                        different += std::memcmp(here, here - distinct * s.cols, s.cols * sizeof(float)) != 0;
                    }
                }
                CHECK(different == 0);
                CHECK(memory[offset - 1] == -9.0f);
                CHECK(memory[offset + s.elements()] == -9.0f);
            }
        });
    });
}

TEST_CASE("NaN and infinity are errors, or are clamped, and no float is lost in place") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        const nibble::shape s{3, 256};
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
            auto x = noise(s.elements(), 12);
            x[300] = bad;
            std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols));
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level));
                CHECK(nibble::quantize<F>(x, packed, s).error() == nibble::errc::nonfinite);
                auto buffer = x;
                CHECK(nibble::quantize_in_place<F>(buffer, s).error() == nibble::errc::nonfinite);
                CHECK(std::memcmp(buffer.data(), x.data(), x.size() * 4) == 0);
                REQUIRE(static_cast<bool>(nibble::quantize<F>(x, packed, s, {.on_nonfinite = nibble::nonfinite::clamp})));
                std::vector<float> decoded(s.elements());
                REQUIRE(static_cast<bool>(nibble::dequantize<F>(std::span<const std::byte>(packed), decoded, s)));
                bool finite = true;
                for (const float v : decoded) finite = finite && std::isfinite(v);
                CHECK(finite);
            });
        }
    });
}

TEST_CASE("a bad float is found wherever it is") {
    const nibble::shape s{2, 1280};
    auto x = noise(s.elements(), 14);
    constexpr std::uint32_t bad[] = {0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800000, 0xFF800000};
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols));
        support::for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level));
            std::size_t missed = 0;
            for (std::size_t i = 0; i < s.elements(); i += 57) {
                const float before = std::exchange(x[i], support::float_of(bad[i % std::size(bad)]));
                const nibble::status found = nibble::quantize<F>(x, packed, s);
                missed += found.error() != nibble::errc::nonfinite || found.where() != i;
                x[i] = before;
            }
            CHECK(missed == 0);
        });
    });
}

TEST_CASE("wrong sizes are refused before anything is written") {
    std::vector<float> x(64, 1.0f);
    std::vector<std::byte> packed(2 * nibble::row_bytes<nibble::q4_0>(32), std::byte{7});
    const auto before = packed;
    using nibble::errc;
    CHECK(nibble::quantize<nibble::q4_0>(x, std::span(packed).first(35), {2, 32}).error() == errc::size_mismatch);
    CHECK(nibble::quantize<nibble::q4_0>(std::span(x).first(63), packed, {2, 32}).error() == errc::size_mismatch);
    CHECK(nibble::quantize<nibble::q4_0>(std::span<const float>(), packed, {2, 32}).error() != errc::ok);
    CHECK(nibble::quantize<nibble::q4_0>(x, packed, {~std::size_t{0} / 2, 32}).error() == errc::overflow);
    CHECK(nibble::quantize<nibble::q4_0>(x, packed, {2, 32}, {.importance = std::span(x).first(31)}).error() == errc::bad_importance);
    CHECK(packed == before);
    CHECK(static_cast<bool>(nibble::quantize<nibble::q4_0>({}, {}, {0, 32})));
    const auto* alias = reinterpret_cast<std::byte*>(x.data());
    CHECK(nibble::quantize<nibble::q4_0>(x, std::span(const_cast<std::byte*>(alias), 36), {2, 32}).error() == errc::overlap);
}
