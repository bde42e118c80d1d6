// Which format is good enough? Size and error of every format on the same weights, and how errors of calls read.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <limits>
#include <random>
#include <vector>

namespace {

template <class F>
void report(const std::vector<float>& weights, nibble::shape shape) {
    std::vector<std::byte> packed(shape.rows * nibble::row_bytes<F>(shape.cols));
    std::vector<float> decoded(weights.size());
    if (!nibble::quantize<F>(weights, packed, shape) || !nibble::dequantize<F>(packed, decoded, shape)) return;
    const auto r = nibble::distortion(weights, decoded);
    std::printf("%-8s %6.3f %8.2f dB  rmse %.6f  max %.5f  cosine %.6f\n", std::string(F::name).c_str(), nibble::bits_per_weight<F>, r.sqnr_db,
                r.rmse, r.max_abs, r.cosine);
}

}  // namespace

int main() {
    constexpr nibble::shape shape{16, 1024};
    std::vector<float> weights(shape.elements());
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0f, 0.02f);
    for (float& w : weights) w = normal(random);

    std::printf("format     bits     SQNR\n");
    report<nibble::f16>(weights, shape);
    report<nibble::q8_0>(weights, shape);
    report<nibble::q6_k>(weights, shape);
    report<nibble::q4_k>(weights, shape);
    report<nibble::q4_0>(weights, shape);
    report<nibble::q2_k>(weights, shape);

    // An error is a value: a code for the program, a sentence for people, and where it happened.
    weights[2000] = std::numeric_limits<float>::quiet_NaN();
    std::vector<std::byte> packed(shape.rows * nibble::row_bytes<nibble::q4_k>(shape.cols));
    const nibble::status done = nibble::quantize<nibble::q4_k>(weights, packed, shape);
    if (done || done.error() != nibble::errc::nonfinite) return 1;
    std::printf("a NaN: %.*s\n", static_cast<int>(done.message().size()), done.message().data());
}
