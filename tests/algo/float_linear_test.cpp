// gemv and gemm with plain floats as weights: every level, and sizes at the borders of stretches, panels and tiles.
#include "support/test.hpp"

#include <cmath>
#include <initializer_list>
#include <nibble/nibble.hpp>
#include <type_traits>

#include "support/floats.hpp"
#include "support/formats.hpp"
#include "support/product.hpp"

using support::noise;

namespace {

using plain_floats = nibble::format_list<nibble::f32, nibble::f16, nibble::bf16>;

/// Where the processor has AVX512_BF16: as if it had not, while it lives.
class without_bfloat16_products {
public:
    without_bfloat16_products() : before_(nibble::detail::bfloat16_cache.exchange(1)) {}
    ~without_bfloat16_products() { nibble::detail::bfloat16_cache.store(before_); }

private:
    int before_;
};

/// The largest error of count float rows, as a share of what is allowed for float arithmetic alone.
template <class F>
double worst_error(nibble::packed_view<F> w, const std::vector<float>& decoded, const std::vector<float>& x, std::size_t count, double rounding) {
    const std::size_t rows = w.rows(), cols = w.cols();
    std::vector<float> y(count * rows, -1.0f);
    const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
    REQUIRE(static_cast<bool>(nibble::gemm(w, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows}))));
    double worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        double exact = 0, terms = 0;
        for (std::size_t k = 0; k < cols; ++k) {
            const double term = static_cast<double>(decoded[i % rows * cols + k]) * static_cast<double>(x[i / rows * cols + k]);
            exact += term;
            terms += std::fabs(term);
        }
        worst = support::larger(worst, std::fabs(static_cast<double>(y[i]) - exact) / (terms * rounding + 1e-37));
    }
    return worst;
}

/// x is rounded to bfloat16.
template <class F>
bool rounds(nibble::isa level, std::size_t count) {
    return std::is_same_v<F, nibble::bf16> && count >= 5 && nibble::internal::allowed_under(nibble::isa::avx512, level) &&
           nibble::has_bfloat16_products();
}

template <class F>
void check(std::size_t rows, std::size_t cols, std::initializer_list<std::size_t> counts) {
    const auto w = noise(rows * cols, 1);
    std::vector<std::byte> memory(rows * nibble::row_bytes<F>(cols) + 1);
    const auto packed = std::span(memory).subspan(1);  // unaligned on purpose
    REQUIRE(static_cast<bool>(nibble::quantize<F>(w, packed, {rows, cols})));
    const auto view = nibble::view<F>(packed, {rows, cols});
    REQUIRE(static_cast<bool>(view));
    std::vector<float> decoded(rows * cols);
    REQUIRE(static_cast<bool>(nibble::dequantize(*view, std::span(decoded))));
    for (const std::size_t count : counts) {
        const auto x = noise(count * cols, 2, 1.0f);
        support::for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level) << ", " << rows << " x " << cols << ", " << count << " columns");
            CHECK(worst_error(*view, decoded, x, count, rounds<F>(level, count) ? 1.0 / 256 : 3e-6) <= 1.0);
            if (!rounds<F>(level, count)) return;
            const without_bfloat16_products other;
            CHECK(worst_error(*view, decoded, x, count, 3e-6) <= 1.0);
        });
    }
}

}  // namespace

TEST_CASE("products with plain floats are as exact as floats are") {
    support::for_each_format(plain_floats{}, [](auto format) {
        using F = decltype(format);
        for (const std::size_t cols : {1u, 7u, 8u, 31u, 33u, 300u, 513u, 1290u}) {
            for (const std::size_t rows : {1u, 3u, 5u, 16u, 33u}) check<F>(rows, cols, {1, 2, 3, 4, 5, 6, 7, 12, 13, 19, 48, 49, 50, 53, 60, 61});
        }
    });
}

TEST_CASE("products with plain floats and many columns or long rows") {
    support::for_each_format(plain_floats{}, [](auto format) {
        using F = decltype(format);
        check<F>(35, 77, {527, 528, 529, 541, 1057});
        check<F>(3, 2100, {48, 47, 49});
        check<F>(6, 24576 + 45, {1, 2, 4, 5});
    });
}

TEST_CASE("the largest floats stay finite in products with plain floats") {
    support::for_each_format(plain_floats{}, [](auto format) {
        using F = decltype(format);
        const std::size_t rows = 3, cols = 40;
        std::vector<float> w(rows * cols, 0.0f);
        for (std::size_t r = 0; r < rows; ++r) w[r * cols + 7 * r] = 0.5f;
        const auto packed = nibble::quantizer<F>{}({w.data(), nibble::shape{rows, cols}});
        REQUIRE(static_cast<bool>(packed));
        for (const std::size_t count : {1u, 6u, 50u}) {
            const std::vector<float> x(count * cols, 3.4028234e38f);
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level) << ", " << count << " columns");
                CHECK(worst_error(packed->view(), w, x, count, 1.0 / 127) <= 1.0);
            });
        }
    });
}
