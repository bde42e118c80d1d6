// Calls that do not fit together, at every function: an error value and nothing written. Shapes that overflow, empty and single
// elements, any address, aliases, executors that misbehave, objects that were moved from.
#include "support/test.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "support/floats.hpp"
#include "support/formats.hpp"

using nibble::errc;
using nibble::shape;
using support::noise;

namespace {

constexpr std::size_t huge = ~std::size_t{0};
/// An executor that is a plain function.
void one_by_one(std::size_t n, nibble::task piece) {
    for (std::size_t i = 0; i < n; ++i) piece(i);
}
/// One of each kind: no block, small blocks, super-blocks, a codebook.
using few_formats = nibble::format_list<nibble::f32, nibble::q4_0, nibble::q6_k, nibble::iq3_xxs>;

}  // namespace

TEST_CASE("Shapes that overflow are refused everywhere, before any memory is touched") {
    const shape hostile[] = {
        {huge, huge},  {huge, 1},        {1, huge}, {huge / 4, 8}, {std::size_t{1} << 32, std::size_t{1} << 32}, {std::size_t{1} << 62, 4},
        {3, huge / 2}, {huge / 2 + 1, 2}};
    std::vector<float> floats(64, 1.0f);
    std::vector<std::byte> bytes(64, std::byte{0x5A});
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        for (const shape s : hostile) {
            INFO(F::name << ' ' << s.rows << " x " << s.cols);
            CHECK(nibble::packed_bytes<F>(s).error() == errc::overflow);
            CHECK(nibble::packed_tensor<F>::make(s).error() == errc::overflow);
            CHECK(nibble::quantize<F>(floats, bytes, s).error() == errc::overflow);
            CHECK(nibble::quantizer<F>()(nibble::dense_view<const float>(floats.data(), s)).error() == errc::overflow);
            CHECK(nibble::quantize_in_place<F>(floats, s).error() == errc::overflow);
            CHECK(nibble::dequantize<F>(bytes, floats, s).error() == errc::overflow);
            CHECK(nibble::view<F>(bytes, s).error() == errc::overflow);
            CHECK(nibble::any_view::make(static_cast<nibble::format_id>(F::gguf_type), bytes, s).error() == errc::overflow);
            const nibble::packed_view<F> lies(bytes.data(), s);
            CHECK(nibble::dequantizer<F>()(lies).error() == errc::overflow);
            CHECK(nibble::repack(lies).error() == errc::overflow);
            CHECK(nibble::gemv(lies, floats, floats).error() != errc::ok);
            CHECK(nibble::gemm(lies, nibble::dense_view<const float>(floats.data(), {1, s.cols}),
                               nibble::dense_view<float>(floats.data(), {1, s.rows}))
                      .error() == errc::overflow);
            CHECK_FALSE(nibble::dense_view<float>(floats.data(), s).valid());
        }
    });
    CHECK(floats == std::vector<float>(64, 1.0f));
    CHECK(bytes == std::vector<std::byte>(64, std::byte{0x5A}));
    CHECK(nibble::calibration::make(huge / 2).error() == errc::overflow);
    CHECK(nibble::aligned_buffer::make(huge).error() == errc::overflow);
    CHECK(nibble::aligned_buffer::make(huge / 2).error() == errc::out_of_memory);
}

TEST_CASE("Empty shapes succeed with null or any pointers and take no time") {
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        float one = 7.0f;
        std::byte byte{0x5A};
        for (const shape s : {shape{0, 0}, shape{0, 256}, shape{5, 0}, shape{huge, 0}, shape{0, huge / 1024}}) {
            INFO(F::name << ' ' << s.rows << " x " << s.cols);
            CHECK(nibble::quantize<F>({}, {}, s));
            CHECK(nibble::quantize<F>({&one, 0}, {&byte, 0}, s));
            CHECK(nibble::dequantize<F>(std::span<const std::byte>(), {}, s));
            CHECK(nibble::quantize_in_place<F>({}, s));
            const auto view = nibble::view<F>({}, s);
            REQUIRE(view);
            CHECK(nibble::repack(*view));
            const auto tensor = nibble::quantizer<F>()(nibble::dense_view<const float>(nullptr, s));
            REQUIRE(tensor);
            CHECK(nibble::dequantizer<F>()(*tensor));
        }
        CHECK(one == 7.0f);
        CHECK(byte == std::byte{0x5A});
        // Rows without columns: every product is zero.
        float y[3] = {1, 2, 3};
        CHECK(nibble::gemv(*nibble::view<F>({}, {3, 0}), {}, y));
        CHECK((y[0] == 0.0f && y[1] == 0.0f && y[2] == 0.0f));
        CHECK(nibble::gemv(*nibble::view<F>({}, {0, 256}), std::vector<float>(256), {}));
    });
    auto sums = nibble::calibration::make(0);
    REQUIRE(sums);
    CHECK(sums->add(nibble::dense_view<const float>(nullptr, {huge, 0})));
    CHECK(nibble::distortion({}, {}).rmse == 0.0);
}

TEST_CASE("Null pointers and lengths that are off by one are refused before anything is written") {
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        const shape s{2, 256};
        const std::size_t size = 2 * nibble::row_bytes<F>(256);
        const auto x = noise(513, 1);
        const std::span<const float> good(x.data(), 512);
        std::vector<std::byte> bytes(size + 1, std::byte{0x5A});
        const auto before = bytes;
        std::vector<float> out(513, 7.0f);
        const auto out_before = out;
        INFO(F::name);
        for (const std::size_t wrong : {size - 1, size + 1, std::size_t{0}}) {
            CHECK(nibble::quantize<F>(good, std::span(bytes).first(wrong), s).error() == errc::size_mismatch);
            CHECK(nibble::dequantize<F>(std::span<const std::byte>(bytes).first(wrong), std::span(out).first(512), s).error() ==
                  errc::size_mismatch);
            CHECK(nibble::view<F>(std::span(bytes).first(wrong), s).error() == errc::size_mismatch);
        }
        for (const std::size_t wrong : {511u, 513u, 0u}) {
            CHECK(nibble::quantize<F>({x.data(), wrong}, std::span(bytes).first(size), s).error() == errc::size_mismatch);
            CHECK(nibble::dequantize<F>(std::span<const std::byte>(bytes).first(size), std::span(out).first(wrong), s).error() ==
                  errc::size_mismatch);
            CHECK(nibble::quantize_in_place<F>(std::span(out).first(wrong), s).error() == errc::size_mismatch);
        }
        using packed_span = nibble::packed_span<F>;
        const nibble::dense_view<const float> view(good, s);
        CHECK(nibble::quantizer<F>()(view, packed_span(static_cast<std::byte*>(nullptr), s)).error() == errc::invalid_argument);
        CHECK(nibble::quantizer<F>()(nibble::dense_view<const float>(nullptr, s), packed_span(bytes.data(), s)).error() ==
              errc::invalid_argument);
        CHECK(nibble::quantizer<F>()(view, packed_span(bytes.data(), shape{1, 512})).error() == errc::shape_mismatch);
        CHECK(nibble::quantize<F>(good, std::span(bytes).first(size), s, {.importance = {static_cast<const float*>(nullptr), 256}}).error() ==
              errc::invalid_argument);
        CHECK(nibble::dequantizer<F>()(nibble::packed_view<F>(nullptr, s), nibble::dense_view<float>(out.data(), s)).error() ==
              errc::invalid_argument);
        CHECK(nibble::dequantizer<F>()(nibble::packed_view<F>(bytes.data(), s), nibble::dense_view<float>(nullptr, s)).error() ==
              errc::invalid_argument);
        CHECK(nibble::dequantizer<F>()(nibble::packed_view<F>(nullptr, s)).error() == errc::invalid_argument);
        // Results are not allocated for a shape that the input does not have.
        const shape vast{std::size_t{1} << 24, std::size_t{1} << 24};
        CHECK(nibble::quantizer<F>()(nibble::dense_view<const float>(good, vast)).error() == errc::size_mismatch);
        CHECK(nibble::dequantizer<F>()(nibble::packed_view<F>(std::span<const std::byte>(bytes), vast)).error() == errc::size_mismatch);
        CHECK(nibble::repack(nibble::packed_view<F>(nullptr, s)).error() == errc::invalid_argument);
        CHECK(nibble::gemv(nibble::packed_view<F>(nullptr, s), std::span(out).first(256), std::span(out).subspan(256, 2)).error() ==
              errc::invalid_argument);
        CHECK(bytes == before);
        CHECK(out == out_before);
    });
}

TEST_CASE("One element, and columns that do not divide") {
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        for (const std::size_t cols : {1u, 2u, 31u, 33u, 255u, 257u}) {
            INFO(F::name << ' ' << cols);
            const auto x = noise(cols, static_cast<unsigned>(cols));
            auto padded = x;
            padded.resize(nibble::divide_up(cols, F::block_size) * F::block_size, 0.0f);
            const auto packed = nibble::quantizer<F>()({x.data(), shape{1, cols}});
            const auto whole = nibble::quantizer<F>()({padded.data(), shape{1, padded.size()}});
            REQUIRE((packed && whole));
            CHECK(std::ranges::equal(packed->bytes(), whole->bytes()));  // the padding is zeros
            std::vector<float> decoded(cols + 1, 7.0f), all(padded.size());
            REQUIRE(nibble::dequantize(packed->view(), std::span(decoded).first(cols)));
            REQUIRE(nibble::dequantize(whole->view(), std::span(all)));
            CHECK(std::memcmp(decoded.data(), all.data(), cols * sizeof(float)) == 0);
            CHECK(decoded[cols] == 7.0f);
        }
    });
}

TEST_CASE("Packed rows at any address, floats at any multiple of four") {
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        const shape s{3, 300};
        const std::size_t size = 3 * nibble::row_bytes<F>(300);
        const auto x = noise(s.elements(), 2), activations = noise(300, 3, 1.0f);
        const auto expected = nibble::quantizer<F>()({x.data(), s});
        REQUIRE(expected);
        std::vector<float> y(3), floats(s.elements() + 16), decoded(s.elements() + 16), reference(s.elements());
        REQUIRE(nibble::dequantize(expected->view(), std::span(reference)));
        std::vector<std::byte> bytes(size + 64);
        support::for_each_level([&](nibble::isa level) {
            REQUIRE(nibble::gemv(*expected, activations, y));
            for (std::size_t offset = 0; offset < 64; ++offset) {
                INFO(F::name << " at " << nibble::name_of(level) << ", offset " << offset);
                std::fill(bytes.begin(), bytes.end(), std::byte{0x5A});
                const std::size_t shift = offset % 16;
                std::copy(x.begin(), x.end(), floats.begin() + static_cast<std::ptrdiff_t>(shift));
                const auto target = std::span(bytes).subspan(offset, size);
                REQUIRE(nibble::quantize<F>(std::span(floats).subspan(shift, x.size()), target, s));
                REQUIRE(std::ranges::equal(target, expected->bytes()));
                for (std::size_t i = 0; i < bytes.size(); ++i) REQUIRE((i - offset < size || bytes[i] == std::byte{0x5A}));
                REQUIRE(nibble::dequantize<F>(target, std::span(decoded).subspan(shift, x.size()), s));
                REQUIRE(std::memcmp(decoded.data() + shift, reference.data(), 4 * x.size()) == 0);
                std::vector<float> moved(3);
                REQUIRE(nibble::gemv(*nibble::view<F>(target, s), activations, moved));
                REQUIRE(moved == y);
            }
        });
    });
    alignas(4) std::byte memory[80] = {};
    auto* between = reinterpret_cast<float*>(memory + 1);
    std::byte packed[18];
    const nibble::dense_view<float> view(between, shape{1, 16});
    CHECK_FALSE(view.valid());
    CHECK(nibble::quantizer<nibble::q4_0>()(view, nibble::packed_span<nibble::q4_0>(packed, shape{1, 16})).error() ==
          errc::invalid_argument);
    CHECK(nibble::dequantizer<nibble::q4_0>()(nibble::packed_view<nibble::q4_0>(packed, shape{1, 16}), view).error() ==
          errc::invalid_argument);
}

TEST_CASE("Source and destination share no byte, but may touch") {
    alignas(64) static std::byte memory[4096];
    auto* floats = reinterpret_cast<float*>(memory + 1024);
    const shape s{2, 64};  // 512 bytes of floats, 136 of q8_0
    using F = nibble::q8_0;
    const std::size_t size = 2 * nibble::row_bytes<F>(64);
    for (std::size_t i = 0; i < 128; ++i) floats[i] = static_cast<float>(i);
    const auto quantize_to = [&](std::size_t at) { return nibble::quantize<F>({floats, 128}, {memory + at, size}, s).error(); };
    CHECK(quantize_to(1024 - size) == errc::ok);
    CHECK(quantize_to(1024 - size + 1) == errc::overlap);
    CHECK(quantize_to(1024) == errc::overlap);
    CHECK(quantize_to(1024 + 511) == errc::overlap);
    CHECK(quantize_to(1024 + 512) == errc::ok);
    for (std::size_t i = 0; i < 128; ++i) REQUIRE(floats[i] == static_cast<float>(i));
    const auto dequantize_from = [&](std::size_t at) { return nibble::dequantize<F>({memory + at, size}, {floats, 128}, s).error(); };
    CHECK(dequantize_from(1024 - size + 1) == errc::overlap);
    CHECK(dequantize_from(1024) == errc::overlap);
    CHECK(dequantize_from(1024 + 511) == errc::overlap);
    CHECK(dequantize_from(1024 + 512) == errc::ok);
    CHECK(dequantize_from(1024 - size) == errc::ok);
    // x and y of a product.
    const auto w = nibble::view<F>({memory, size}, s);
    CHECK(nibble::gemv(*w, {floats, 64}, {floats + 63, 2}).error() == errc::overlap);
    CHECK(nibble::gemv(*w, {floats, 64}, {floats + 64, 2}).error() == errc::ok);
    // w and y.
    auto* weights = reinterpret_cast<float*>(memory);
    CHECK(nibble::gemv(*w, {floats, 64}, {weights, 2}).error() == errc::overlap);
    CHECK(nibble::gemv(*w, {floats, 64}, {weights + size / 4 - 1, 2}).error() == errc::overlap);
    CHECK(nibble::gemv(*w, {floats, 64}, {weights + size / 4, 2}).error() == errc::ok);
}

TEST_CASE("In place: the bytes of a call with separate memory, for every shape, or an error that changes nothing") {
    std::mt19937 generator(5);
    support::for_each_format(few_formats{}, [&](auto format) {
        using F = decltype(format);
        for (int round = 0; round < 12; ++round) {
            const shape s{1 + generator() % 70, 1 + generator() % 600};
            auto buffer = noise(s.elements(), static_cast<unsigned>(round));
            const auto before = buffer;
            const auto expected = nibble::quantizer<F>()({before.data(), s});
            REQUIRE(expected);
            const auto packed = nibble::quantize_in_place<F>(buffer, s);
            INFO(F::name << ' ' << s.rows << " x " << s.cols);
            if (nibble::row_bytes<F>(s.cols) > 4 * s.cols) {
                CHECK(packed.error() == errc::invalid_argument);
                CHECK(buffer == before);
                continue;
            }
            REQUIRE(packed);
            CHECK(packed->data() == reinterpret_cast<const std::byte*>(buffer.data()));
            CHECK(std::ranges::equal(packed->bytes(), expected->bytes()));
        }
        // A value that fails, anywhere: the floats stay.
        const shape s{40, 512};
        for (const std::size_t at : {std::size_t{0}, std::size_t{9999}, s.elements() - 1}) {
            auto buffer = noise(s.elements(), 9);
            buffer[at] = std::numeric_limits<float>::quiet_NaN();
            const auto before = buffer;
            const auto failed = nibble::quantize_in_place<F>(buffer, s);
            CHECK(failed.error() == errc::nonfinite);
            CHECK(std::memcmp(buffer.data(), before.data(), buffer.size() * 4) == 0);
        }
        auto buffer = noise(512, 10);
        const auto before = buffer;
        CHECK(nibble::quantize_in_place<F>(buffer, {2, 256}, {.importance = std::span(buffer).first(255)}).error() == errc::bad_importance);
        CHECK(buffer == before);
    });
}

TEST_CASE("Executors in any order, with any number of threads, and executors that fail") {
    using F = nibble::q4_0;
    const shape s{200, 96};
    const auto x = noise(s.elements(), 6), activations = noise(96, 7, 1.0f);
    const auto expected = nibble::quantizer<F>()({x.data(), s});
    REQUIRE(expected);
    std::vector<float> expected_y(200), expected_floats(s.elements());
    REQUIRE(nibble::gemv(*expected, activations, expected_y));
    REQUIRE(nibble::dequantize(expected->view(), std::span(expected_floats)));

    const auto all = [&](nibble::executor threads, errc wanted) {
        const auto packed = nibble::quantizer<F>({.threads = threads})({x.data(), s});
        CHECK(packed.error() == wanted);
        std::vector<float> y(200), floats(s.elements());
        CHECK(nibble::gemv(*expected, activations, y, threads).error() == wanted);
        CHECK(nibble::dequantizer<F>(threads)(expected->view(), nibble::dense_view<float>(floats.data(), s)).error() == wanted);
        CHECK(nibble::repack(*expected, threads).error() == wanted);
        auto buffer = x;
        CHECK(nibble::quantize_in_place<F>(buffer, s, {.threads = threads}).error() == wanted);
        if (wanted != errc::ok || !packed) return;
        CHECK(std::ranges::equal(packed->bytes(), expected->bytes()));
        CHECK(y == expected_y);
        CHECK(floats == expected_floats);
    };

    auto backwards = [](std::size_t n, nibble::task piece) {
        for (std::size_t i = n; i-- > 0;) piece(i);
    };
    auto shuffled = [](std::size_t n, nibble::task piece) {
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::shuffle(order.begin(), order.end(), std::mt19937(8));
        for (const std::size_t i : order) piece(i);
    };
    const auto a_thread_each = [](std::size_t n, nibble::task piece) {  // const: executors take those too
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < n; ++i) threads.emplace_back([=] { piece(i); });
        for (auto& t : threads) t.join();
    };
    all(one_by_one, errc::ok);
    all(backwards, errc::ok);
    all(shuffled, errc::ok);
    all(a_thread_each, errc::ok);

    struct counting {
        long long threads;
        long long concurrency() const { return threads; }
        void operator()(std::size_t n, nibble::task piece) const {
            for (std::size_t i = 0; i < n; ++i) piece(i);
        }
    };
    for (const long long threads :
         {0LL, 1LL, 2LL, 10'000LL, -1LL, std::numeric_limits<long long>::max(), std::numeric_limits<long long>::min(), 1LL << 61}) {
        INFO(threads);
        const counting executor{threads};
        all(executor, errc::ok);
    }

    auto lazy = [](std::size_t n, nibble::task piece) {
        for (std::size_t i = 1; i < n; ++i) piece(i);
    };
    auto too_eager = [](std::size_t n, nibble::task piece) {
        for (std::size_t i = 0; i < n + 3; ++i) piece(i);
    };
    auto idle = [](std::size_t, nibble::task) {};
    all(lazy, errc::executor_failed);
    all(too_eager, errc::executor_failed);
    all(idle, errc::executor_failed);
#if defined(__cpp_exceptions)
    auto throws_first = [](std::size_t, nibble::task) { throw std::runtime_error("no threads"); };
    auto throws_last = [](std::size_t n, nibble::task piece) {
        for (std::size_t i = 0; i < n; ++i) piece(i);
        throw 7;
    };
    all(throws_first, errc::executor_failed);
    all(throws_last, errc::executor_failed);
#endif
}

TEST_CASE("An error of one piece is the error of the call, with its place") {
    nibble::thread_pool pool(3);
    const shape s{64, 64};
    auto x = noise(s.elements(), 11);
    x[40 * 64 + 3] = std::numeric_limits<float>::infinity();
    std::vector<std::byte> packed(64 * nibble::row_bytes<nibble::q4_0>(64));
    for (int round = 0; round < 20; ++round) {
        const auto failed = nibble::quantize<nibble::q4_0>(x, packed, s, {.threads = pool});
        CHECK(failed.error() == errc::nonfinite);
        CHECK(failed.where() == 40 * 64 + 3);
    }
}

TEST_CASE("An error names its element, in whatever piece or stretch of rows it is") {
    using F = nibble::q4_0;
    nibble::thread_pool pool(2);
    const shape s{1000, 128};  // several stretches in place
    std::vector<std::byte> packed(s.rows * nibble::row_bytes<F>(s.cols));
    for (const std::size_t at : {std::size_t{5}, std::size_t{300}, s.elements() / 2 + 7, s.elements() - 1}) {
        for (const float bad : {std::numeric_limits<float>::infinity(), 1e9f}) {  // the latter is too large for a scale
            const errc error = bad > 1e9f ? errc::nonfinite : errc::out_of_range;
            const std::size_t place = bad > 1e9f ? at : at / s.cols * s.cols;
            auto x = noise(s.elements(), 14);
            x[at] = bad;
            for (const nibble::search how : {nibble::search::reference, nibble::search::best}) {
                for (const nibble::executor& threads : {nibble::executor(), nibble::executor(pool)}) {
                    const nibble::quantize_options options{.how = how, .threads = threads};
                    const auto failed = nibble::quantize<F>(x, packed, s, options);
                    CHECK((failed.error() == error && failed.where() == place));
                    const auto in_place = nibble::quantize_in_place<F>(x, s, options);
                    CHECK((in_place.error() == error && in_place.where() == place));
                }
            }
        }
    }
}

TEST_CASE("Calls that read packed rows take a tensor and a span of them too") {
    using F = nibble::q4_0;
    const shape s{1, 64};
    const auto x = noise(64, 15);
    auto tensor = nibble::quantizer<F>()({x.data(), s});
    const auto companion = nibble::quantizer<F::companion>()({x.data(), s});
    REQUIRE((tensor && companion));
    const nibble::packed_span<F> span = tensor->span();
    std::vector<float> expected(64), decoded(64), y(3);
    REQUIRE(nibble::dequantize(tensor->view(), std::span(expected)));
    REQUIRE(nibble::dequantize(*tensor, decoded));
    CHECK(decoded == expected);
    decoded.assign(64, 0.0f);
    REQUIRE(nibble::dequantize(span, decoded));
    CHECK(decoded == expected);
    REQUIRE(nibble::gemv(tensor->view(), x, std::span(y).first(1)));
    REQUIRE(nibble::gemv(span, x, std::span(y).subspan(1, 1)));
    REQUIRE(nibble::gemm(span, {x.data(), s}, {y.data() + 2, shape{1, 1}}));
    CHECK((y[1] == y[0] && y[2] == y[0]));
    CHECK(nibble::repack(span));
    CHECK(*nibble::dot(span, *companion) == *nibble::dot(*tensor, *companion));
}

TEST_CASE("Objects that were moved from are empty, not dangerous") {
    using F = nibble::q4_0;
    const shape s{4, 64};
    const auto x = noise(s.elements(), 12);
    auto tensor = nibble::quantizer<F>()({x.data(), s});
    REQUIRE(tensor);
    nibble::packed_tensor<F> taken = std::move(*tensor);
    std::vector<float> floats(s.elements()), y(4);
    CHECK(nibble::dequantize(tensor->view(), std::span(floats)).error() == errc::invalid_argument);
    CHECK(nibble::gemv(*tensor, std::span(x).first(64), y).error() == errc::invalid_argument);
    CHECK(nibble::repack(*tensor).error() == errc::invalid_argument);
    CHECK(nibble::quantizer<F>()({x.data(), s}, tensor->span()).error() == errc::invalid_argument);
    auto panel = nibble::repack(taken);
    REQUIRE(panel);
    const auto kept = std::move(*panel);
    CHECK(nibble::gemv(*panel, std::span(x).first(64), y).error() == errc::invalid_argument);
    CHECK(nibble::gemv(kept, std::span(x).first(64), y).error() == errc::ok);
    *tensor = std::move(taken);
    CHECK(nibble::dequantize(tensor->view(), std::span(floats)).error() == errc::ok);
    auto& self = *tensor;
    *tensor = std::move(self);
    CHECK(nibble::dequantize(tensor->view(), std::span(floats)).error() == errc::ok);
    // Taking over another's rows frees one's own: they are not left under the shape of the other.
    const shape larger{64, 64};
    const auto many = noise(larger.elements(), 13);
    auto large = nibble::quantizer<F>()({many.data(), larger});
    REQUIRE(large);
    auto large_panel = nibble::repack(*large);
    REQUIRE((panel && large_panel));
    *tensor = std::move(*large);
    *panel = std::move(*large_panel);
    std::vector<float> decoded(larger.elements()), products(64);
    CHECK(nibble::dequantize(large->view(), std::span(decoded)).error() == errc::invalid_argument);
    CHECK(nibble::gemv(*large_panel, std::span(x).first(64), products).error() == errc::invalid_argument);
    CHECK(nibble::dequantize(tensor->view(), std::span(decoded)).error() == errc::ok);
    CHECK(nibble::gemv(*panel, std::span(x).first(64), products).error() == errc::ok);
    auto sums = nibble::calibration::make(8);
    const auto other = std::move(*sums);
    CHECK(sums->add(nibble::dense_view<const float>(x.data(), {1, 8})).error() == errc::shape_mismatch);
    CHECK(sums->importance().empty());
    CHECK(other.importance().size() == 8);
}
