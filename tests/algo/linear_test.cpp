// gemv and gemm: every format, every level, odd sizes, both orders of the weights, within the documented bound.
#include "support/test.hpp"

#include <algorithm>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>
#include <random>

#include "support/floats.hpp"
#include "support/formats.hpp"
#include "support/product.hpp"

using support::multiply;
using support::noise;
using support::product;

TEST_CASE("products stay within their bound") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        for (const std::size_t cols : {32u, 256u, 300u, 1024u, 1290u}) {
            for (const std::size_t rows : {1u, 5u, 16u, 37u}) {
                const auto w = noise(rows * cols, 1), all_x = noise(31 * cols, 2, 1.0f);
                std::vector<std::byte> memory(rows * nibble::row_bytes<F>(cols) + 1);
                const auto packed = std::span(memory).subspan(1);  // unaligned on purpose
                REQUIRE(static_cast<bool>(nibble::quantize<F>(w, packed, {rows, cols})));
                const auto view = nibble::view<F>(packed, {rows, cols});
                REQUIRE(static_cast<bool>(view));
                std::vector<float> decoded(rows * cols);
                REQUIRE(static_cast<bool>(nibble::dequantize(*view, std::span(decoded))));
                std::vector<product> expected;
                for (std::size_t i = 0; i < 31; ++i) {
                    for (std::size_t r = 0; r < rows; ++r) expected.push_back(multiply<F>(&decoded[r * cols], &all_x[i * cols], cols));
                }
                for (const std::size_t count : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 16u, 26u, 31u}) {
                    const std::span<const float> x = std::span(all_x).first(count * cols);
                    support::for_each_level([&](nibble::isa level) {
                        std::vector<float> y(count * rows, -1.0f), panels(count * rows, -1.0f);
                        const nibble::dense_view<const float> in(x, nibble::shape{count, cols});
                        REQUIRE(static_cast<bool>(nibble::gemm(*view, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows}))));
                        const auto panel = nibble::repack(*view);
                        REQUIRE(static_cast<bool>(panel));
                        REQUIRE(static_cast<bool>(nibble::gemm(*panel, in, nibble::dense_view<float>(panels.data(), nibble::shape{count, rows}))));
                        double worst = 0;
                        for (std::size_t i = 0; i < count * rows; ++i) {
                            worst = support::larger(worst, support::error_of(expected[i], y[i], count));
                            worst = support::larger(worst, support::error_of(expected[i], panels[i], count));
                        }
                        INFO(F::name << " at " << nibble::name_of(level) << ", " << rows << " x " << cols << ", " << count << " columns");
                        CHECK(worst <= 1.0);
                    });
                }
            }
        }
    });
}

TEST_CASE("many columns, prepared by several threads, stay within the bound") {
    nibble::thread_pool pool(3);
    using formats =
        nibble::format_list<nibble::q4_1, nibble::q8_0, nibble::q6_k, nibble::q2_k, nibble::iq4_xs, nibble::iq3_s, nibble::tq2_0, nibble::nvfp4>;
    support::for_each_format(formats{}, [&](auto format) {
        using F = decltype(format);
        const std::size_t rows = 18, cols = 2304, most = 600;
        const auto w = noise(rows * cols, 6), x = noise(most * cols, 7, 1.0f);
        const auto packed = nibble::quantizer<F>{}({w.data(), nibble::shape{rows, cols}});
        REQUIRE(static_cast<bool>(packed));
        std::vector<float> decoded(rows * cols);
        REQUIRE(static_cast<bool>(nibble::dequantize(packed->view(), std::span(decoded))));
        std::vector<product> expected;
        for (std::size_t i = 0; i < most * rows; ++i) expected.push_back(multiply<F>(&decoded[i % rows * cols], &x[i / rows * cols], cols));
        const auto panel = nibble::repack(*packed, pool);
        REQUIRE(panel);
        for (const std::size_t count : {std::size_t{48}, std::size_t{127}, std::size_t{128}, std::size_t{129}, most}) {
            support::for_each_level([&](nibble::isa level) {
                std::vector<float> y(count * rows, -1.0f), panels(count * rows, -1.0f);
                const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
                REQUIRE(static_cast<bool>(nibble::gemm(*packed, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows}), pool)));
                REQUIRE(static_cast<bool>(nibble::gemm(*panel, in, nibble::dense_view<float>(panels.data(), nibble::shape{count, rows}), pool)));
                double worst = 0;
                for (std::size_t i = 0; i < count * rows; ++i) {
                    worst = support::larger(support::larger(worst, support::error_of(expected[i], y[i], count)),
                                            support::error_of(expected[i], panels[i], count));
                }
                INFO(F::name << " at " << nibble::name_of(level) << ", " << count << " columns");
                CHECK(worst <= 1.0);
            });
        }
    });
}

TEST_CASE("products stay within their bound where integer sums are as large as they may be") {
    using formats = nibble::format_list<nibble::q8_0, nibble::q6_k, nibble::iq4_nl, nibble::iq4_xs, nibble::iq2_xxs, nibble::iq2_xs, nibble::iq2_s,
                                        nibble::iq3_xxs, nibble::iq3_s, nibble::tq2_0, nibble::q2_k, nibble::q3_k, nibble::q4_k, nibble::q5_k,
                                        nibble::iq1_s, nibble::iq1_m>;
    support::for_each_format(formats{}, [](auto format) {
        using F = decltype(format);
        const std::size_t rows = 17, cols = 768, count = 31;
        std::vector<float> w = noise(rows * cols, 6), x = noise(count * cols, 7, 1.0f), decoded(w.size());
        for (float& v : w) v = v < 0 ? -1.0f : 1.0f;
        const std::vector<float> importance(cols, 1.0f);
        nibble::quantize_options options;
        options.importance = importance;
        const auto packed = nibble::quantizer<F>{options}({w.data(), nibble::shape{rows, cols}});
        REQUIRE(static_cast<bool>(packed));
        REQUIRE(static_cast<bool>(nibble::dequantize(packed->view(), std::span(decoded))));
        const auto panel = nibble::repack(*packed);
        REQUIRE(panel);
        // Among the others: rows with the signs of a packed row in all of their columns, or in one run.
        for (std::size_t i = 4; i < count; i += i % 3 + 1) {
            for (std::size_t k = i % 2 * 256; k < (i % 2 == 0 ? cols : 512); ++k) x[i * cols + k] = decoded[i % rows * cols + k] < 0 ? -2.0f : 2.0f;
        }
        support::for_each_level([&](nibble::isa level) {
            for (const std::size_t some : {std::size_t{5}, std::size_t{8}, std::size_t{16}, count}) {
                std::vector<float> y(some * rows), panels(some * rows);
                const nibble::dense_view<const float> in(x.data(), nibble::shape{some, cols});
                REQUIRE(static_cast<bool>(nibble::gemm(*packed, in, nibble::dense_view<float>(y.data(), nibble::shape{some, rows}))));
                REQUIRE(static_cast<bool>(nibble::gemm(*panel, in, nibble::dense_view<float>(panels.data(), nibble::shape{some, rows}))));
                double worst = 0;
                for (std::size_t i = 0; i < some * rows; ++i) {
                    const product p = multiply<F>(&decoded[i % rows * cols], &x[i / rows * cols], cols);
                    worst = support::larger(support::larger(worst, support::error_of(p, y[i], some)), support::error_of(p, panels[i], some));
                }
                INFO(F::name << " at " << nibble::name_of(level) << ", " << some << " columns");
                CHECK(worst <= 1.0);
            }
        });
    });
}

TEST_CASE("panels whose scales are integers times one number multiply blocks of any bytes") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::panels_of<F>.factors == nibble::factor_form::multiples) {
            // Scales of both signs, all sub-scales and codes, those that no quantizer writes among them.
            const std::size_t rows = 21, cols = 512, count = 31;
            std::mt19937 generator(11);
            std::vector<std::byte> memory(rows * nibble::row_bytes<F>(cols));
            auto* blocks = reinterpret_cast<typename F::block*>(memory.data());
            for (std::size_t b = 0; b < memory.size() / sizeof *blocks; ++b) {
                do {
                    for (std::size_t i = 0; i < sizeof *blocks; ++i) memory[b * sizeof *blocks + i] = static_cast<std::byte>(generator());
                } while (!F::finite(blocks[b]));
            }
            std::vector<float> decoded(rows * cols);
            REQUIRE(nibble::dequantize<F>(memory, decoded, {rows, cols}));
            const auto panel = nibble::repack(*nibble::view<F>(memory, {rows, cols}));
            REQUIRE(panel);
            const auto x = noise(count * cols, 12, 1.0f);
            for (const std::size_t some : {1u, 4u, 6u, 13u, 31u}) {
                support::for_each_level([&](nibble::isa level) {
                    std::vector<float> y(some * rows);
                    const nibble::dense_view<const float> in(x.data(), nibble::shape{some, cols});
                    REQUIRE(nibble::gemm(*panel, in, nibble::dense_view<float>(y.data(), nibble::shape{some, rows})));
                    double worst = 0;
                    for (std::size_t i = 0; i < some * rows; ++i) {
                        worst =
                            support::larger(worst, support::error_of(multiply<F>(&decoded[i % rows * cols], &x[i / rows * cols], cols), y[i], some));
                    }
                    INFO(F::name << " at " << nibble::name_of(level) << ", " << some << " columns");
                    CHECK(worst <= 1.0);
                });
            }
        }
    });
}

TEST_CASE("threads change nothing in a product") {
    const std::size_t rows = 133, cols = 512, count = 50;
    const auto w = noise(rows * cols, 3), x = noise(count * cols, 4, 1.0f);
    const auto packed = nibble::quantizer<nibble::q4_k>{}({w.data(), nibble::shape{rows, cols}});
    REQUIRE(static_cast<bool>(packed));
    nibble::thread_pool pool(3);
    std::vector<float> one(count * rows), many(count * rows);
    const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
    REQUIRE(static_cast<bool>(nibble::gemm(*packed, in, nibble::dense_view<float>(one.data(), nibble::shape{count, rows}))));
    REQUIRE(static_cast<bool>(nibble::gemm(*packed, in, nibble::dense_view<float>(many.data(), nibble::shape{count, rows}), pool)));
    CHECK(one == many);
}

TEST_CASE("products refuse what does not fit") {
    const auto w = noise(4 * 64, 5);
    const auto packed = nibble::quantizer<nibble::q8_0>{}({w.data(), nibble::shape{4, 64}});
    REQUIRE(static_cast<bool>(packed));
    std::vector<float> x(64), y(4), small(3);
    CHECK(nibble::gemv(*packed, std::span<const float>(x).first(63), y).error() == nibble::errc::size_mismatch);
    CHECK(nibble::gemv(*packed, x, small).error() == nibble::errc::size_mismatch);
    CHECK(nibble::gemv(*packed, std::span<const float>(x), std::span<float>(x).first(4)).error() == nibble::errc::overlap);
    CHECK(static_cast<bool>(nibble::gemv(*packed, x, y)));
    CHECK(nibble::view<nibble::q8_0>(packed->bytes().first(10), {4, 64}).error() == nibble::errc::size_mismatch);
}

TEST_CASE("a NaN or an infinity in x reaches all products of its row, and no others") {
    const std::size_t rows = 5, cols = 300;
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        const auto packed = nibble::quantizer<F>{}({noise(rows * cols, 6).data(), nibble::shape{rows, cols}});
        REQUIRE(static_cast<bool>(packed));
        const auto panel = nibble::repack(*packed);
        REQUIRE(static_cast<bool>(panel));
        for (const std::size_t count : {1u, 3u, 7u, 13u}) {
            const auto clean = noise(count * cols, 7, 1.0f);
            support::for_each_level([&](nibble::isa level) {
                const auto multiply_with = [&](const auto& w, const std::vector<float>& x) {
                    std::vector<float> y(count * rows, -1.0f);
                    const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
                    CHECK(static_cast<bool>(nibble::gemm(w, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows}))));
                    return y;
                };
                const auto check = [&](const auto& w) {
                    const auto expected = multiply_with(w, clean);
                    for (const std::uint32_t bits : {0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0x7F800000u, 0xFF800000u}) {
                        for (const std::size_t column : {0u, 100u, 299u}) {
                            auto x = clean;
                            x[count / 2 * cols + column] = nibble::bit_cast<float>(bits);
                            const auto y = multiply_with(w, x);
                            std::size_t lost = 0, changed = 0;
                            for (std::size_t i = 0; i < y.size(); ++i) {
                                if (i / rows != count / 2) changed += !(y[i] == expected[i]);
                                else lost += (bits & 0x7FFFFFu) != 0 ? !std::isnan(y[i]) : std::isfinite(y[i]);
                            }
                            INFO(F::name << " at " << nibble::name_of(level) << ", " << count << " rows, " << bits << " in column " << column);
                            CHECK(lost == 0);
                            CHECK(changed == 0);
                        }
                    }
                };
                check(*packed);
                check(*panel);
            });
        }
    });
}

TEST_CASE("products of weights up to 2^100 are as exact as others") {
    using F = nibble::mxfp4;  // its scales reach 2^128, those of other blocks 2^16
    const std::size_t rows = 5, cols = 288, blocks = rows * cols / 32;
    std::mt19937 generator(8);
    std::vector<std::byte> memory(blocks * sizeof(F::block));
    for (std::byte& b : memory) b = static_cast<std::byte>(generator());
    for (std::size_t b = 0; b < blocks; ++b)
        memory[b * sizeof(F::block)] = static_cast<std::byte>(212 + generator() % 13);  // the largest weight is 12 * 2^96
    std::fill_n(&memory[3 * sizeof(F::block) + 1], sizeof(F::block) - 1, std::byte{0});  // a block of zeros, whose scale is large
    std::vector<float> decoded(rows * cols);
    REQUIRE(static_cast<bool>(nibble::dequantize<F>(memory, decoded, {rows, cols})));
    const auto view = nibble::view<F>(memory, {rows, cols});
    const auto panel = nibble::repack(*view);
    REQUIRE((view && panel));
    for (const std::size_t count : {1u, 3u, 7u, 13u, 31u}) {
        const auto x = noise(count * cols, 9, 1.0f);
        const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
        support::for_each_level([&](nibble::isa level) {
            std::vector<float> y(count * rows), panels(count * rows);
            REQUIRE(static_cast<bool>(nibble::gemm(*view, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows}))));
            REQUIRE(static_cast<bool>(nibble::gemm(*panel, in, nibble::dense_view<float>(panels.data(), nibble::shape{count, rows}))));
            for (std::size_t i = 0; i < count * rows; ++i) {
                const product p = multiply<F>(&decoded[i % rows * cols], &x[i / rows * cols], cols);
                INFO(nibble::name_of(level) << ", " << count << " rows, element " << i << ": " << y[i] << ", " << panels[i] << ", exact " << p.exact);
                CHECK(support::error_of(p, y[i], count) <= 1.0);
                CHECK(support::error_of(p, panels[i], count) <= 1.0);
            }
        });
    }
}
