// Size and error of every format on the same Gaussian weights, as a Markdown table: the figures of docs/choose.md.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr nibble::shape shape{16, 4096};

template <class F>
double sqnr(const std::vector<float>& weights, nibble::search how) {
    std::vector<std::byte> packed(shape.rows * nibble::row_bytes<F>(shape.cols));
    std::vector<float> decoded(weights.size());
    if (!nibble::quantize<F>(weights, packed, shape, {.how = how}) || !nibble::dequantize<F>(packed, decoded, shape)) return 0.0;
    return nibble::distortion(weights, decoded).sqnr_db;
}

template <class F>
void row(const std::vector<float>& weights) {
    std::printf("| `%s` | %.4g | %.2f | %.2f |\n", std::string(F::name).c_str(), nibble::bits_per_weight<F>,
                sqnr<F>(weights, nibble::search::reference), sqnr<F>(weights, nibble::search::best));
}

template <class... F>
void rows(nibble::format_list<F...>, const std::vector<float>& weights) {
    (row<F>(weights), ...);
}

}  // namespace

int main() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0f, 0.02f);
    std::vector<float> weights(shape.elements());
    for (float& w : weights) w = normal(random);
    std::puts("| format | bits per weight | SQNR, reference (dB) | SQNR, best (dB) |\n| --- | --- | --- | --- |");
    rows(nibble::all_formats{}, weights);
}
