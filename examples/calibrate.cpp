// Calibration: measure which columns matter on real activations, and let the scale search spend its bits there.
#include <nibble/nibble.hpp>

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

int main() {
    constexpr nibble::shape shape{128, 512};
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> weights(shape.elements()), x(64 * shape.cols);
    for (float& w : weights) w = 0.02f * normal(random);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = normal(random) * (i % 16 == 0 ? 8.0f : 1.0f);  // some channels are loud
    const nibble::dense_view<const float> activations(x.data(), nibble::shape{64, shape.cols});

    auto measured = nibble::calibration::make(shape.cols);
    if (!measured || !measured->add(activations)) return 1;  // batch after batch

    // The error that counts is that of the product.
    const auto output_error = [&](std::span<const float> importance) {
        std::vector<std::byte> packed(shape.rows * nibble::row_bytes<nibble::q2_k>(shape.cols));
        std::vector<float> decoded(weights.size());
        if (!nibble::quantize<nibble::q2_k>(weights, packed, shape, {.importance = importance})) return -1.0;
        if (!nibble::dequantize<nibble::q2_k>(packed, decoded, shape)) return -1.0;
        double sum = 0;
        for (std::size_t n = 0; n < activations.rows(); ++n) {
            for (std::size_t r = 0; r < shape.rows; ++r) {
                double error = 0;
                for (std::size_t c = 0; c < shape.cols; ++c) {
                    const std::size_t i = r * shape.cols + c;
                    error += static_cast<double>(activations.row(n)[c]) * static_cast<double>(weights[i] - decoded[i]);
                }
                sum += error * error;
            }
        }
        return std::sqrt(sum / static_cast<double>(activations.rows() * shape.rows));
    };
    const double without = output_error({}), with = output_error(measured->importance());
    std::printf("rms error of the product: %.5f without, %.5f with importance\n", without, with);
    return with < without ? 0 : 1;
}
