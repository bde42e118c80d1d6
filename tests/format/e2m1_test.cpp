// The formats of 4-bit floats by hand: ties, saturation, and what the reference does at the ends of its ranges.
#include "support/test.hpp"

#include <array>
#include <cmath>

#include "support/formats.hpp"

namespace {

template <class F>
typename F::block encoded(std::initializer_list<float> first_values) {
    std::array<float, F::block_size> values{};
    std::copy(first_values.begin(), first_values.end(), values.begin());
    typename F::block packed;
    F::encode(values, packed);
    return packed;
}
template <class F>
std::array<float, F::block_size> decoded(const typename F::block& packed) {
    std::array<float, F::block_size> values;
    F::decode(packed, values);
    return values;
}

/// A float that is `steps` below 2^k.
float below(int k, int steps) {
    float v = std::ldexp(1.0f, k);
    for (int i = 0; i < steps; ++i) v = std::nextafter(v, 0.0f);
    return v;
}

}  // namespace

TEST_CASE("mxfp4 rounds ties to the smaller magnitude and saturates") {
    const auto packed = encoded<nibble::mxfp4>({0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, -0.25f, -2.5f, -5.0f, 5.0f});
    CHECK(packed.exponent == 127);
    const int codes[] = {0, 1, 2, 3, 4, 5, 0, 12, 14, 6};
    for (std::size_t i = 0; i < 10; ++i) CHECK((packed.codes.low[i] & 15) == codes[i]);
    CHECK(decoded<nibble::mxfp4>(packed)[3] == 1.5f);

    const auto most = encoded<nibble::mxfp4>({7.9f, -7.9f});
    CHECK(most.exponent == 127);
    CHECK(decoded<nibble::mxfp4>(most)[0] == 6.0f);
    CHECK(decoded<nibble::mxfp4>(most)[1] == -6.0f);
}

TEST_CASE("mxfp4 takes the exponent from a rounded logarithm") {
    // {power of two, number of floats below it whose logarithm rounds up to it}
    for (const auto& [k, count] : {std::pair{1, 0},
                                   {-1, 0},
                                   {2, 0},
                                   {3, 1},
                                   {-2, 1},
                                   {5, 2},
                                   {-5, 2},
                                   {9, 5},
                                   {-12, 5},
                                   {20, 11},
                                   {-20, 11},
                                   {40, 22},
                                   {-40, 22},
                                   {100, 44},
                                   {-125, 44}}) {
        INFO(k);
        CHECK(encoded<nibble::mxfp4>({below(k, 0)}).exponent == (k - 2 + 127 + 256) % 256);
        if (count > 0) CHECK(encoded<nibble::mxfp4>({below(k, count)}).exponent == (k - 2 + 127 + 256) % 256);
        CHECK(encoded<nibble::mxfp4>({below(k, count + 1)}).exponent == (k - 3 + 127 + 256) % 256);
    }
}

TEST_CASE("blocks of tiny values are zero in mxfp4, and in its products") {
    const auto block = [](float value) { return encoded<nibble::mxfp4>({value, -value}); };
    CHECK(block(0.0f).exponent == 0);
    CHECK(block(2e-38f).exponent == 255);
    CHECK(block(1e-38f).exponent == 254);
    CHECK(block(1e-39f).exponent == 251);
    CHECK(decoded<nibble::mxfp4>(block(1e-38f))[0] == 0.0f);

    const std::size_t cols = 512;
    std::vector<float> w(cols, 0.0f), x(31 * cols), decoded_w(cols);
    for (std::size_t i = 0; i < cols; ++i) w[i] = i % 64 < 32 ? 1e-38f : i % 3 == 0 ? 0.5f : -0.25f;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3.0f;
    const auto packed = nibble::quantizer<nibble::mxfp4>{}({w.data(), nibble::shape{1, cols}});
    REQUIRE(static_cast<bool>(packed));
    for (std::size_t i = 0; i < cols; ++i) decoded_w[i] = w[i] > 1e-3f || w[i] < -1e-3f ? w[i] : 0.0f;
    support::for_each_level([&](nibble::isa level) {
        INFO(nibble::name_of(level));
        std::vector<float> again(cols, 1.0f);
        CHECK(static_cast<bool>(nibble::dequantize(nibble::packed_view<nibble::mxfp4>(*packed), std::span(again))));
        CHECK(again == decoded_w);
        for (const std::size_t count : {1u, 4u, 31u}) {
            std::vector<float> y(count);
            CHECK(static_cast<bool>(nibble::gemm(*packed, {x.data(), nibble::shape{count, cols}},
                                                 nibble::dense_view<float>(y.data(), nibble::shape{count, 1}))));
            for (std::size_t i = 0; i < count; ++i) {
                float exact = 0;
                for (std::size_t k = 0; k < cols; ++k) exact += decoded_w[k] * x[i * cols + k];
                CHECK(y[i] == Approx(exact).margin(0.5));
            }
        }
    });
}

TEST_CASE("nvfp4 scales") {
    const auto scale = [](float value) { return encoded<nibble::nvfp4>({6.0f * value}).scale[0]; };
    CHECK(scale(0.0f) == 0);
    CHECK(scale(0.0009f) == 0x00);
    CHECK(scale(0.001f) == 0x01);
    CHECK(scale(1.0f) == 0x38);
    CHECK(scale(1.0625f) == 0x39);  // half up
    CHECK(scale(240.0f) == 0x77);
    for (const float above : {248.0f, 256.0f, 300.0f, 448.0f, 1e6f}) CHECK(scale(above) == 0x7E);

    // Too far out to tell levels apart, all codes are 0.
    const auto far = encoded<nibble::nvfp4>({1e12f, 1.0f});
    CHECK(far.scale[0] == 0x7E);
    CHECK(far.codes[0][0] == 0);
    const auto near = encoded<nibble::nvfp4>({1e9f, -1e9f});
    CHECK((near.codes[0][0] & 15) == 7);
    CHECK((near.codes[0][1] & 15) == 15);
}
