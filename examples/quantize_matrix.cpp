// Quantize a matrix, look at the size and the error, and multiply with the packed rows.
#include <nibble/nibble.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    constexpr nibble::shape shape{512, 1024};  // rows, columns: blocks run along a row
    std::vector<float> weights(shape.elements()), x(shape.cols, 1.0f), y(shape.rows);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.02f * std::sin(static_cast<float>(i * i % 10007));

    const auto packed = nibble::quantizer<nibble::q4_k>{}({weights.data(), shape});
    if (!packed) return std::printf("%.*s\n", static_cast<int>(packed.message().size()), packed.message().data()), 1;

    std::vector<float> decoded(weights.size());
    if (!nibble::dequantize(packed->view(), decoded)) return 1;
    const nibble::distortion_report report = nibble::distortion(weights, decoded);
    std::printf("%zu bytes became %zu; %.1f dB, largest error %.4f\n", weights.size() * 4, packed->bytes().size(), report.sqnr_db, report.max_abs);

    if (!nibble::gemv(*packed, x, y)) return 1;
    std::printf("y[0] = %.4f\n", static_cast<double>(y[0]));
}
