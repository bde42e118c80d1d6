// Dot products with the companion: every format against the product of the decoded floats.
#include "support/test.hpp"

#include <cmath>
#include <nibble/nibble.hpp>
#include <random>
#include <type_traits>

#include "support/floats.hpp"
#include "support/formats.hpp"

using support::noise;

namespace {

/// The product of the decoded rows, and how far rounding may lead from it: decode and affine round scales, offsets and their products with
/// codes to float, each by 2^-24 of what is rounded; four such roundings meet in a term. The reference level rounds the result once, the others
/// after every addition, of which a term sees no more than the columns / 32 + 20 that dot() documents.
template <class F>
void check(const nibble::packed_tensor<F>& w, const nibble::packed_tensor<typename F::companion>& x, nibble::isa level) {
    const std::size_t cols = w.cols();
    std::vector<float> a(cols), b(cols);
    REQUIRE(static_cast<bool>(nibble::dequantize(w.view(), std::span(a))));
    REQUIRE(static_cast<bool>(nibble::dequantize(x.view(), std::span(b))));
    double exact = 0, terms = 0;
    for (std::size_t i = 0; i < cols; ++i) {
        exact += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        double term = std::fabs(static_cast<double>(a[i]));
        if constexpr (nibble::affine_format<F>) {
            std::uint8_t codes[32];
            float scale[F::parts], offset[F::parts];
            F::affine(reinterpret_cast<const typename F::block*>(w.data())[i / F::block_size], i % F::block_size / 32, codes, scale, offset);
            const std::size_t part = i % 32 / (32 / F::parts);
            term = std::fabs(static_cast<double>(scale[part]) * codes[i % 32]) + std::fabs(static_cast<double>(offset[part]));
        }
        terms += term * std::fabs(static_cast<double>(b[i]));
    }
    const auto product = nibble::dot(w, x.view());
    REQUIRE(static_cast<bool>(product));
    INFO(F::name << " with " << F::companion::name << ", " << cols << " columns, at " << nibble::name_of(level));
    const double additions = level == nibble::isa::reference ? 0 : static_cast<double>(cols / 32 + 20);
    CHECK(std::fabs(static_cast<double>(*product) - exact) <= std::ldexp(terms, -24) * (4 + additions) + std::ldexp(std::fabs(exact), -24));
    // The bound says something: it is far below the product of a typical row.
    CHECK(std::ldexp(terms, -22) < 1e-3);
}

/// Codes that no quantizer writes: every byte, and the lowest one often.
template <class F>
void fill_with_any_codes(nibble::packed_tensor<F>& x, unsigned seed) {
    std::mt19937 random(seed);
    auto* blocks = reinterpret_cast<typename F::block*>(x.data());
    for (std::size_t b = 0; b < x.bytes().size() / sizeof *blocks; ++b) {
        for (auto& code : blocks[b].codes) code = static_cast<std::remove_reference_t<decltype(code)>>(random() % 4 == 0 ? 0x80 : random() % 256);
    }
}

}  // namespace

TEST_CASE("every format that has a companion multiplies with it") {
    std::size_t formats = 0;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        if constexpr (nibble::has_companion<F>) {
            ++formats;
            for (const std::size_t cols : {1u, 31u, 32u, 64u, 100u, 128u, 256u, 300u, 1024u, 1290u}) {
                auto w = nibble::quantizer<F>{}({noise(cols, 1).data(), nibble::shape{1, cols}});
                auto x = nibble::quantizer<typename F::companion>{}({noise(cols, 2, 1.0f).data(), nibble::shape{1, cols}});
                REQUIRE(static_cast<bool>(w));
                REQUIRE(static_cast<bool>(x));
                support::for_each_level([&](nibble::isa level) { check<F>(*w, *x, level); });
                if constexpr (nibble::activation_format<typename F::companion>) {
                    fill_with_any_codes(*x, 3);
                    if constexpr (nibble::activation_format<F>) fill_with_any_codes(*w, 4);
                    support::for_each_level([&](nibble::isa level) { check<F>(*w, *x, level); });
                }
            }
        } else {
            CHECK((F::name == "q8_1" || F::name == "q8_k"));  // companions themselves
        }
    });
    CHECK(formats == 28);
}

TEST_CASE("weights that are zero but for their exponents give nothing") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::has_companion<F>) {
            for (const std::size_t cols : {32u, 100u, 300u}) {
                const auto w = nibble::quantizer<F>{}({noise(cols, 7, 1e-39f).data(), nibble::shape{1, cols}});  // mxfp4: 2^125 times level 0
                const auto x = nibble::quantizer<typename F::companion>{}({noise(cols, 8, 1e3f).data(), nibble::shape{1, cols}});
                REQUIRE((w && x));
                support::for_each_level([&](nibble::isa level) { check<F>(*w, *x, level); });
            }
        }
    });
}

TEST_CASE("bytes behind the last column do not count") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::has_companion<F> && nibble::affine_format<F>) {
            using X = typename F::companion;
            for (const std::size_t cols : {40u, 200u, 300u}) {
                const std::size_t whole = nibble::divide_up(cols, F::block_size) * F::block_size;
                const auto full = nibble::quantizer<F>{}({noise(whole, 3).data(), nibble::shape{1, whole}});
                REQUIRE(full);
                const nibble::packed_view<F> w(full->data(), nibble::shape{1, cols});  // with codes behind its last column
                auto x = nibble::quantizer<X>{}({noise(cols, 4, 1.0f).data(), nibble::shape{1, cols}});
                REQUIRE(x);
                support::for_each_level([&](nibble::isa level) {
                    auto* blocks = reinterpret_cast<typename X::block*>(x->data());
                    const std::size_t end = x->bytes().size() / sizeof *blocks * X::block_size;
                    for (std::size_t c = cols; c < end; ++c) blocks[c / X::block_size].codes[c % X::block_size] = 0;
                    const auto before = nibble::dot(w, x->view());
                    for (std::size_t c = cols; c < end; ++c) blocks[c / X::block_size].codes[c % X::block_size] = 100;
                    const auto after = nibble::dot(w, x->view());
                    INFO(F::name << ", " << cols << " columns, at " << nibble::name_of(level));
                    REQUIRE((before && after));
                    CHECK(*before == *after);
                });
            }
        }
    });
}

TEST_CASE("bytes behind the last column do not count on either side") {
    auto w = nibble::quantizer<nibble::q4_0>{}({noise(40, 3).data(), nibble::shape{1, 40}});
    auto x = nibble::quantizer<nibble::q8_0>{}({noise(40, 4, 1.0f).data(), nibble::shape{1, 40}});
    REQUIRE((w && x));
    std::vector<float> before;
    support::for_each_level([&](nibble::isa) {
        const auto product = nibble::dot(*w, x->view());
        REQUIRE(static_cast<bool>(product));
        before.push_back(*product);
    });
    // Element 8 of the second block is column 40: its codes are padding.
    x->bytes()[34 + 2 + 8] = std::byte{100};
    w->bytes()[18 + 2 + 8] = std::byte{0x33};
    std::size_t i = 0;
    support::for_each_level([&](nibble::isa) {
        const auto after = nibble::dot(*w, x->view());
        REQUIRE(static_cast<bool>(after));
        CHECK(before[i++] == *after);
    });
}

TEST_CASE("rows that do not fit are refused") {
    const auto two = nibble::quantizer<nibble::q8_0>{}({noise(128, 5, 1.0f).data(), nibble::shape{2, 64}});
    const auto w = nibble::quantizer<nibble::q4_0>{}({noise(64, 6, 1.0f).data(), nibble::shape{1, 64}});
    REQUIRE((two && w));
    using nibble::errc;
    CHECK(nibble::dot(*w, two->view()).error() == errc::shape_mismatch);
    CHECK(static_cast<bool>(nibble::dot(*w, two->view().rows_from(1, 1))));
    CHECK(nibble::dot(w->view(), nibble::packed_view<nibble::q8_0>(two->data(), nibble::shape{1, 32})).error() == errc::shape_mismatch);
    CHECK(nibble::dot(w->view(), nibble::packed_view<nibble::q8_0>(static_cast<const std::byte*>(nullptr), nibble::shape{1, 64})).error() ==
          errc::invalid_argument);
    CHECK(*nibble::dot(nibble::packed_view<nibble::q4_0>(w->data(), nibble::shape{1, 0}),
                       nibble::packed_view<nibble::q8_0>(two->data(), nibble::shape{1, 0})) == 0.0f);
}
