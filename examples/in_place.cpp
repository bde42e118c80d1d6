// Quantize in place: the packed rows replace the floats at the front of the same memory, so that a model needs no second buffer.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <vector>

int main() {
    constexpr nibble::shape shape{256, 768};
    std::vector<float> buffer(shape.elements(), 0.125f);

    const auto packed = nibble::quantize_in_place<nibble::q6_k>(buffer, shape);
    if (!packed) return 1;  // the floats are still as they were
    std::printf("the packed rows are the first %zu of %zu bytes\n", packed->bytes().size(), buffer.size() * sizeof(float));

    // The view points into the buffer. To give the rest back, keep the bytes and shrink:
    buffer.resize((packed->bytes().size() + sizeof(float) - 1) / sizeof(float));
    const auto still = nibble::view<nibble::q6_k>(std::as_bytes(std::span(buffer)).first(packed->bytes().size()), shape);
    std::vector<float> row(shape.cols);
    if (!still || !nibble::dequantize(still->rows_from(7, 1), row)) return 1;
    std::printf("row 7 starts with %.3f\n", static_cast<double>(row[0]));
}
