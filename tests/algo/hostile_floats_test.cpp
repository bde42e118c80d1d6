// Any bytes and any floats, in every format and at every level: the same bytes and floats as the reference level, nothing read behind
// the end, no NaN and no infinity that was not asked for.
#include "support/test.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <nibble/nibble.hpp>
#include <random>
#include <string>

#include "support/floats.hpp"
#include "support/formats.hpp"

using nibble::errc;
using nibble::shape;
using support::count_nonfinite, support::float_of, support::is_finite, support::is_nan;

namespace {

/// Memory without a spare element, so that a sanitizer sees every access behind its end.
template <class T>
class exact {
public:
    explicit exact(std::size_t size) : data_(new T[size]()), size_(size) {}
    std::span<T> span() const { return {data_.get(), size_}; }

private:
    std::unique_ptr<T[]> data_;
    std::size_t size_;
};

/// Floats that differ; a NaN need not be the same NaN.
std::size_t differences(std::span<const float> a, std::span<const float> b) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.size(); ++i) count += std::memcmp(&a[i], &b[i], 4) != 0 && !(is_nan(a[i]) && is_nan(b[i]));
    return count;
}

/// Rows of many kinds, one after the other; all finite.
std::vector<float> odd_rows(std::size_t rows, std::size_t cols, std::mt19937& generator) {
    std::normal_distribution<float> normal(0.0f, 1.0f);
    std::vector<float> x(rows * cols);
    for (std::size_t r = 0; r < rows; ++r) {
        float* row = &x[r * cols];
        const auto fill = [&](auto value) {
            for (std::size_t c = 0; c < cols; ++c) row[c] = value(c);
        };
        const float sign = generator() % 2 == 0 ? 1.0f : -1.0f;
        switch (r % 16) {
            case 0: fill([&](std::size_t) { return 0.0f; }); break;
            case 1: fill([&](std::size_t) { return -0.0f; }); break;
            case 2: fill([&](std::size_t c) { return c % 2 == 0 ? 0.0f : -0.0f; }); break;
            case 3: fill([&](std::size_t) { return sign * 0.37f; }); break;
            case 4: fill([&](std::size_t c) { return c % 2 == 0 ? 1.0f : -1.0f; }); break;
            case 5: fill([&](std::size_t) { return normal(generator) * 1e-38f; }); break;
            case 6: fill([&](std::size_t) { return float_of(generator() & 0x807FFFFFu); }); break;  // subnormals
            case 7: fill([&](std::size_t) { return float_of(1u | (generator() & 0x80000000u)); }); break;
            case 8: fill([&](std::size_t) { return normal(generator) * 1e-7f; }); break;
            case 9: fill([&](std::size_t) { return normal(generator) * 1e4f; }); break;
            case 10: fill([&](std::size_t c) { return c == cols / 2 ? sign * 60000.0f : normal(generator) * 1e-3f; }); break;
            case 11: fill([&](std::size_t) { return std::fabs(normal(generator)); }); break;
            case 12: fill([&](std::size_t) { return -std::fabs(normal(generator)) - 3.0f; }); break;
            case 13: fill([&](std::size_t c) { return static_cast<float>(c % 37) * sign; }); break;
            case 14: fill([&](std::size_t) { return std::ldexp(normal(generator), static_cast<int>(generator() % 40) - 30); }); break;
            default: fill([&](std::size_t) { return generator() % 9 == 0 ? normal(generator) : 0.0f; }); break;
        }
    }
    return x;
}

}  // namespace

TEST_CASE("Any bytes decode, at every level to the same floats, within their memory") {
    std::mt19937 generator(21);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        for (const shape s : {shape{1, 1}, shape{3, 31}, shape{2, 256}, shape{5, 300}, shape{2, 1024}, shape{3, 1290}}) {
            const exact<std::byte> bytes(s.rows * nibble::row_bytes<F>(s.cols));
            const exact<float> expected(s.elements()), decoded(s.elements());
            for (int round = 0; round < 6; ++round) {
                for (auto& b : bytes.span())
                    b = round == 0 ? std::byte{0xFF} : round == 1 ? std::byte{0x7F} : static_cast<std::byte>(generator());
                {
                    const nibble::scoped_isa limit(nibble::isa::reference);
                    REQUIRE(nibble::dequantize<F>(bytes.span(), expected.span(), s));
                }
                support::for_each_level([&](nibble::isa level) {
                    REQUIRE(nibble::dequantize<F>(bytes.span(), decoded.span(), s));
                    INFO(F::name << " at " << nibble::name_of(level) << ", " << s.rows << " x " << s.cols);
                    CHECK(differences(decoded.span(), expected.span()) == 0);
                });
            }
        }
    });
}

TEST_CASE("Odd floats give the bytes of the reference level and decode to finite floats") {
    std::mt19937 generator(22);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        for (const std::size_t cols : {256u, 544u}) {
            const shape s{48, cols};
            const auto x = odd_rows(s.rows, cols, generator);
            const exact<float> input(x.size()), decoded(x.size()), weights(cols);
            std::copy(x.begin(), x.end(), input.span().begin());
            for (auto& w : weights.span()) w = static_cast<float>(generator() % 1000) * 0.01f;
            const exact<std::byte> expected(s.rows * nibble::row_bytes<F>(cols)), packed(expected.span().size());
            for (const bool weighted : {false, true}) {
                nibble::quantize_options options{.on_nonfinite = nibble::nonfinite::clamp};
                if (weighted) options.importance = weights.span();
                {
                    const nibble::scoped_isa limit(nibble::isa::reference);
                    REQUIRE(nibble::quantize<F>(input.span(), expected.span(), s, options));
                    REQUIRE(nibble::dequantize<F>(expected.span(), decoded.span(), s));
                }
                for (std::size_t r = 0; r < s.rows; ++r) {
                    const auto row = decoded.span().subspan(r * cols, cols);
                    bool zero = true;
                    for (const float v : row) zero = zero && v == 0.0f;
                    INFO(F::name << (weighted ? " with importance, row " : ", row ") << r << " of kind " << r % 16);
                    CHECK(count_nonfinite(row) == 0);
                    // tq and iq formats cannot say zero in a block with a scale, but a block of zeros has none.
                    if (r % 16 <= 2) CHECK(zero);
                }
                support::for_each_level([&](nibble::isa level) {
                    REQUIRE(nibble::quantize<F>(input.span(), packed.span(), s, options));
                    std::string rows;
                    for (std::size_t r = 0; r < s.rows; ++r) {
                        const std::size_t size = nibble::row_bytes<F>(cols);
                        if (std::memcmp(&packed.span()[r * size], &expected.span()[r * size], size) != 0) rows += ' ' + std::to_string(r);
                    }
                    INFO(F::name << " at " << nibble::name_of(level) << ", " << cols << " columns"
                                 << (weighted ? ", with importance" : ""));
                    CHECK(rows == "");
                });
            }
        }
    });
}

TEST_CASE("NaN, infinities and floats of any bits: an error, or clamped to finite bytes, at every level the same") {
    std::mt19937 generator(23);
    constexpr float infinity = std::numeric_limits<float>::infinity(), largest = std::numeric_limits<float>::max();
    const float bad[] = {float_of(0x7FC00000u),
                         float_of(0xFFC00000u),
                         float_of(0x7F800001u),
                         float_of(0xFFFFFFFFu),
                         infinity,
                         -infinity,
                         largest,
                         -largest,
                         1e30f,
                         -1e30f};
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const shape s{10, 290};
        const exact<float> input(s.elements()), decoded(s.elements());
        const exact<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols)), expected(packed.span().size());
        const auto everywhere = [&](nibble::nonfinite policy, auto check) {
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level));
                std::ranges::fill(packed.span(), std::byte{0});
                check(nibble::quantize<F>(input.span(), packed.span(), s, {.on_nonfinite = policy}));
            });
        };
        const auto clamped_alike = [&] {
            {
                const nibble::scoped_isa limit(nibble::isa::reference);
                REQUIRE(nibble::quantize<F>(input.span(), expected.span(), s, {.on_nonfinite = nibble::nonfinite::clamp}));
            }
            everywhere(nibble::nonfinite::clamp, [&](const nibble::status& done) {
                REQUIRE(done);
                CHECK(std::ranges::equal(packed.span(), expected.span()));
                REQUIRE(nibble::dequantize<F>(packed.span(), decoded.span(), s));
                CHECK(count_nonfinite(decoded.span()) == 0);
            });
        };
        for (const float b : bad) {
            for (const std::size_t column : {std::size_t{0}, std::size_t{100}, s.cols - 1}) {  // the last is in a padded block
                for (std::size_t i = 0; i < s.elements(); ++i) input.span()[i] = static_cast<float>(generator() % 2001) * 1e-5f - 0.01f;
                input.span()[7 * s.cols + column] = b;
                const bool may_hold = is_finite(b);  // a finite value is an error only if the scale cannot hold it
                everywhere(nibble::nonfinite::error, [&](const nibble::status& done) {
                    if (!may_hold) CHECK(done.error() == errc::nonfinite);
                    else CHECK((done || done.error() == errc::out_of_range));
                    if constexpr (nibble::checks_scales<F>) {
                        if (may_hold && F::safe_magnitude < 1e9f) CHECK(!done);  // no fp16 scale reaches these
                    }
                    if (!done) return;
                    REQUIRE(nibble::dequantize<F>(packed.span(), decoded.span(), s));
                    CHECK(count_nonfinite(decoded.span()) == 0);
                });
                clamped_alike();
            }
        }
        for (int round = 0; round < 20; ++round) {  // any bits at all
            for (auto& v : input.span()) v = float_of(generator());
            everywhere(nibble::nonfinite::error, [](const nibble::status& done) { CHECK(done.error() == errc::nonfinite); });
            clamped_alike();
        }
    });
}

TEST_CASE("Odd importance is refused, or gives finite bytes that are the same at every level") {
    std::mt19937 generator(24);
    std::normal_distribution<float> normal(0.0f, 0.02f);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const shape s{6, 512};
        const exact<float> input(s.elements()), decoded(s.elements()), weights(s.cols);
        for (auto& v : input.span()) v = normal(generator);
        const exact<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols)), expected(packed.span().size());
        const auto quantize = [&] { return nibble::quantize<F>(input.span(), packed.span(), s, {.importance = weights.span()}); };
        for (const float bad : {float_of(0x7FC00000u), float_of(0xFFC00000u), std::numeric_limits<float>::infinity(), -1.0f, -1e-45f}) {
            std::ranges::fill(weights.span(), 1.0f);
            weights.span()[511] = bad;
            const auto refused = quantize();
            CHECK(refused.error() == errc::bad_importance);
            CHECK(refused.where() == 511);
        }
        const std::pair<const char*, float> uniform[] = {{"zeros", 0.0f},  {"negative zeros", -0.0f},
                                                         {"tiny", 1e-45f}, {"small", 1e-30f},
                                                         {"large", 1e30f}, {"largest", std::numeric_limits<float>::max()}};
        for (int kind = 0; kind < 9; ++kind) {
            for (std::size_t i = 0; i < s.cols; ++i) {
                weights.span()[i] = kind < 6    ? uniform[kind].second
                                    : kind == 6 ? (i % 32 < 16 ? 0.0f : 1.0f)
                                    : kind == 7 ? (i == 300 ? 1.0f : 0.0f)
                                                : std::ldexp(1.0f, static_cast<int>(generator() % 200) - 100);
            }
            {
                const nibble::scoped_isa limit(nibble::isa::reference);
                const auto done = quantize();
                INFO(F::name << " with importance of kind " << kind);
                REQUIRE((done || done.error() == errc::out_of_range));
                if (!done) continue;
                std::ranges::copy(packed.span(), expected.span().begin());
                REQUIRE(nibble::dequantize<F>(expected.span(), decoded.span(), s));
                CHECK(count_nonfinite(decoded.span()) == 0);
            }
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level) << " with importance of kind " << kind);
                REQUIRE(quantize());
                CHECK(std::ranges::equal(packed.span(), expected.span()));
            });
        }
    });
}
