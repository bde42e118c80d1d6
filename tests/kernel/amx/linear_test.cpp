// Products of the amx level, on a model of its tiles: every affine format, odd sizes, packed rows and panels. Needs AVX-512, not AMX.
#include "support/test.hpp"

#include "kernel/amx/tile_model.hpp"

#include <atomic>
#include <cmath>
#include <limits>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>

#include "support/floats.hpp"
#include "support/formats.hpp"
#include "support/product.hpp"

#if defined(NIBBLE_X86)

using support::noise;

namespace {

bool can_run() { return nibble::is_supported(nibble::isa::avx512) && __builtin_cpu_supports("avx512bf16") != 0; }

float rounded(float value) { return nibble::bfloat16_to_float(nibble::float_to_bfloat16(value)); }

/// One element of a product, and the same of factors that are rounded to bfloat16 first, which leaves nothing but the rounding of sums, and of
/// weights so near a tie that their last bit decides.
struct product : support::product {
    double of_rounded = 0, small_bound = 0;
};
template <class F>
product multiply(const float* w, const float* x, std::size_t cols) {
    product p{support::multiply<F>(w, x, cols)};
    for (std::size_t k = 0; k < cols; ++k) {
        const double size = std::fabs(static_cast<double>(w[k]) * static_cast<double>(x[k]));
        p.of_rounded += static_cast<double>(rounded(w[k])) * static_cast<double>(rounded(x[k]));
        p.small_bound += 1e-5 * size;
        if (rounded(w[k] * (1 + 1e-6f)) != rounded(w[k] * (1 - 1e-6f))) p.small_bound += size / 127;
    }
    return p;
}

/// Weights that a kernel may not write to, one byte off any alignment.
template <class F>
struct weights {
    std::vector<std::byte> memory;
    std::vector<float> decoded;
    std::size_t rows, cols;

    weights(std::size_t r, std::size_t c) : memory(r * nibble::row_bytes<F>(c) + 1), decoded(r * c), rows(r), cols(c) {
        REQUIRE(static_cast<bool>(nibble::quantize<F>(noise(r * c, 1), std::span(memory).subspan(1), {r, c})));
        REQUIRE(static_cast<bool>(nibble::dequantize(view(), std::span(decoded))));
    }
    nibble::packed_view<F> view() const { return {memory.data() + 1, nibble::shape{rows, cols}}; }
};

/// Calls the kernel as gemm does, in pieces: all memory that it should write is full of NaN before, and its neighbours stay.
template <class Run>
std::vector<float> run_in_pieces(std::size_t rows, std::size_t cols, const std::vector<float>& x, std::size_t count, const nibble::executor& threads,
                                 Run&& run) {
    const std::size_t bytes = nibble::amx::workspace(count, cols), stride = rows + 3;
    auto memory = nibble::aligned_buffer::make(bytes);
    REQUIRE(memory);
    std::memset(memory->data(), 0xFF, bytes);
    REQUIRE(nibble::detail::for_ranges(threads, count, nibble::op::linear::prepare_step, [&](std::size_t first, std::size_t last) {
        nibble::amx::prepare(x.data(), first, last, count, cols, memory->data());
    }));
    std::vector<float> wide(count * stride + 16, support::float_of(0xFFFFFFFFu)), y;
    std::atomic<std::size_t> faults = 0;
    REQUIRE(nibble::detail::for_ranges(threads, rows, nibble::op::linear::row_step, [&](std::size_t first, std::size_t last) {
        const std::size_t before = model::machine.products;
        run(first, last - first, memory->data(), wide.data() + first, stride);
        faults += model::machine.faults + model::machine.configured + (model::machine.products == before);
    }));
    CHECK(faults == 0);
    std::size_t written = 0;
    for (std::size_t i = 0; i < wide.size(); ++i) {
        if (i / stride < count && i % stride < rows) y.push_back(wide[i]);
        else written += !support::is_nan(wide[i]);
    }
    CHECK(written == 0);
    return y;
}

template <class F>
std::vector<float> multiply_rows(const weights<F>& w, const std::vector<float>& x, std::size_t count, const nibble::executor& threads = {}) {
    return run_in_pieces(w.rows, w.cols, x, count, threads,
                         [&](std::size_t first, std::size_t rows, const std::byte* workspace, float* y, std::size_t stride) {
                             nibble::kernel<nibble::op::linear, F, nibble::isa::amx>::template run_with<model::tiles>(
                                 w.view().row(first).data(), rows, w.cols, workspace, count, y, stride);
                         });
}
template <class F>
std::vector<float> multiply_panels(const weights<F>& w, const std::vector<float>& x, std::size_t count, const nibble::executor& threads = {}) {
    const auto panels = nibble::repack(w.view());
    REQUIRE(panels);
    return run_in_pieces(w.rows, w.cols, x, count, threads,
                         [&](std::size_t first, std::size_t rows, const std::byte* workspace, float* y, std::size_t stride) {
                             const std::byte* from = panels->data() + first / nibble::panel::rows * panels->panel_bytes();
                             nibble::kernel<nibble::op::panel_linear, F, nibble::isa::amx>::template run_with<model::tiles>(
                                 from, rows, w.cols, workspace, count, y, stride);
                         });
}

template <class F>
void check_products(std::size_t rows, std::size_t cols, std::size_t count) {
    const weights<F> w(rows, cols);
    const auto x = noise(count * cols, 2, 1.0f);
    const auto y = multiply_rows(w, x, count), panels = multiply_panels(w, x, count);
    double worst = 0, worst_of_rounded = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        const product p = multiply<F>(&w.decoded[i % rows * cols], &x[i / rows * cols], cols);
        for (const float found : {y[i], panels[i]}) {
            const double error = support::bfloat16_error_of(p, found);
            const double small = std::fabs(static_cast<double>(found) - p.of_rounded) / p.small_bound;
            if (!(error <= worst)) worst = error;
            if (!(small <= worst_of_rounded)) worst_of_rounded = small;
        }
    }
    INFO(F::name << ", " << rows << " x " << cols << ", " << count << " columns");
    CHECK(worst <= 1.0);
    CHECK(worst_of_rounded <= 1.0);
}

}  // namespace

TEST_CASE("products with tiles are those of factors rounded to bfloat16") {
    if (!can_run()) return nibble::test::skip("no AVX-512 with bfloat16");
    struct size {
        std::size_t rows, cols, count;
    };
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::affine_format<F>) {
            for (const size s : {size{1, 32, 16}, {5, 300, 17}, {40, 288, 33}, {16, 512, 48}, {17, 1290, 63}, {37, 544, 100}, {70, 800, 129}}) {
                check_products<F>(s.rows, s.cols, s.count);
            }
        }
    });
    // Blocks of fewer float rows, columns that no step of 32 divides, and several blocks.
    for (const std::size_t cols : {1u, 31u, 4100u, 5500u}) check_products<nibble::q4_0>(33, cols, 70);
    check_products<nibble::q6_k>(33, 5500, 100);
    check_products<nibble::q4_k>(20, 2048, 512);
    check_products<nibble::q5_1>(49, 1124, 513);
}

TEST_CASE("with tiles, a NaN or an infinity in x reaches all products of its row, and no others") {
    if (!can_run()) return nibble::test::skip("no AVX-512 with bfloat16");
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::affine_format<F>) {
            const weights<F> w(18, 300);
            const std::size_t count = 35;
            const auto clean = noise(count * w.cols, 7, 1.0f), expected = multiply_rows(w, clean, count);
            CHECK(support::count_nonfinite(expected) == 0);
            for (const std::uint32_t bits : {0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0x7F800000u, 0xFF800000u}) {
                for (const std::size_t column : {0u, 100u, 299u}) {
                    auto x = clean;
                    x[20 * w.cols + column] = support::float_of(bits);
                    for (const auto& y : {multiply_rows(w, x, count), multiply_panels(w, x, count)}) {
                        std::size_t lost = 0, changed = 0;
                        for (std::size_t i = 0; i < y.size(); ++i) {
                            if (i / w.rows == 20) lost += (bits & 0x7FFFFFu) != 0 ? !support::is_nan(y[i]) : support::is_finite(y[i]);
                            else changed += !(std::fabs(y[i] - expected[i]) <= 1e-4f);  // panels may round the other way
                        }
                        INFO(F::name << ", " << bits << " in column " << column);
                        CHECK(lost == 0);
                        CHECK(changed == 0);
                    }
                }
            }
        }
    });
}

TEST_CASE("with tiles, the largest floats of x stay finite and the smallest are zero") {
    if (!can_run()) return nibble::test::skip("no AVX-512 with bfloat16");
    const weights<nibble::q8_0> w(17, 64);
    const std::size_t count = 32;
    std::vector<float> x(count * w.cols, 0.0f);
    for (std::size_t i = 0; i < count; ++i) {
        const float sizes[] = {std::numeric_limits<float>::max(), support::float_of(0x7F7F8000u), support::float_of(0x7F7F7FFFu), 1e-40f};
        x[i * w.cols + i % 64] = (i % 2 == 0 ? 1.0f : -1.0f) * sizes[i % 4];
    }
    const auto y = multiply_rows(w, x, count);
    for (std::size_t i = 0; i < y.size(); ++i) {
        const auto p = support::multiply<nibble::q8_0>(&w.decoded[i % w.rows * w.cols], &x[i / w.rows * w.cols], w.cols);
        CHECK(std::fabs(static_cast<double>(y[i]) - p.exact) <= p.bfloat16_bound + 0x1p-126);
    }
}

TEST_CASE("with tiles, threads change nothing, and packed rows have the products of panels") {
    if (!can_run()) return nibble::test::skip("no AVX-512 with bfloat16");
    const weights<nibble::q4_k> w(133, 512);
    const std::size_t count = 50;
    const auto x = noise(count * w.cols, 4, 1.0f), expected = multiply_rows(w, x, count);
    nibble::thread_pool pool(3);
    CHECK(multiply_rows(w, x, count, pool) == expected);
    CHECK(multiply_panels(w, x, count, pool) == expected);
}

TEST_CASE("the model of tiles multiplies pairs of bfloat16, flushes what is denormal, and counts faults") {
    if (!can_run()) return nibble::test::skip("no AVX-512 with bfloat16");
    using model::tiles;
    std::uint16_t a[16][32], b[16][32];
    alignas(64) float sums[16][16];
    const auto values = noise(1024, 5, 1.0f);
    for (std::size_t i = 0; i < 512; ++i) {
        a[i / 32][i % 32] = nibble::float_to_bfloat16(values[i]);
        b[i / 32][i % 32] = nibble::float_to_bfloat16(values[512 + i]);
    }
    {
        const tiles configured;
        tiles::zero<0>();
        tiles::load<1>(a);
        tiles::load<2>(b);
        tiles::multiply<0, 1, 2>();
        tiles::multiply<0, 1, 2>();
        tiles::store<0>(sums);
    }
    for (std::size_t m = 0; m < 16; ++m) {
        for (std::size_t n = 0; n < 16; ++n) {
            double exact = 0;
            for (std::size_t k = 0; k < 32; ++k) {
                exact +=
                    static_cast<double>(nibble::bfloat16_to_float(a[m][k])) * static_cast<double>(nibble::bfloat16_to_float(b[k / 2][2 * n + k % 2]));
            }
            REQUIRE(std::fabs(static_cast<double>(sums[m][n]) - 2 * exact) < 1e-4);
        }
    }
    CHECK(model::machine.faults == 0);
    tiles::zero<0>();  // not configured any more
    CHECK(model::machine.faults == 1);
    {
        const tiles configured;
        tiles::multiply<0, 0, 1>();
    }
    CHECK(model::machine.faults == 2);
    model::machine.faults = 0;
    CHECK(model::flushed(1e-40f) == 0.0f);
}

#else

TEST_CASE("the amx level exists on x86 only") { nibble::test::skip("not x86"); }

#endif
