// What a format can do once docs/extending.md was followed. Built by extending.sh: with IN_THE_LIST in a copy of the library that lists it,
// with FIRST_STEPS_ONLY as a program's own format.
#include <cstdio>
#include <cstring>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/recipe.hpp>
#include <nibble/gguf/writer.hpp>
#include <nibble/nibble.hpp>
#include <vector>

#if !defined(IN_THE_LIST)
#include "toy4.hpp"
#endif

namespace {

int failures = 0;

void expect(bool good, const char* what) {
    if (good) return;
    std::printf("FAILED: %s\n", what);
    ++failures;
}

constexpr nibble::shape shape{37, 224};  // odd, and with a tail behind 128
constexpr std::size_t count = 13;

std::vector<float> made_up(std::size_t size) {
    std::vector<float> values(size);
    std::uint32_t state = 1;
    for (float& v : values) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
    return values;
}

void everything_works(nibble::isa level) {
    const nibble::scoped_isa limit(level);
    const std::vector<float> weights = made_up(shape.elements()), x = made_up(count * shape.cols);
    const auto packed = nibble::quantizer<nibble::toy4>{}({weights.data(), shape});
    expect(static_cast<bool>(packed), "quantize");
    if (!packed) return;
    std::vector<float> decoded(weights.size()), again(weights.size());
    expect(static_cast<bool>(nibble::dequantize(packed->view(), decoded)), "dequantize");
    for (std::size_t r = 0; r < shape.rows; ++r) {
        for (std::size_t c = 0; c < shape.cols; c += 32) {
            nibble::toy4::block block;
            std::memcpy(&block, packed->view().row(r).data() + c / 32 * sizeof(block), sizeof(block));
            nibble::toy4::decode(block, std::span<float, 32>(again.data() + r * shape.cols + c, 32));
        }
    }
    expect(decoded == again, "dequantize equals the definition");
    expect(nibble::distortion(weights, decoded).sqnr_db > 20, "quality");

    // Kernels round the activations, which are below 1/2, to 127 steps: each is off by half a step at most.
    const auto near = [&](float got, std::size_t row, std::size_t n) {
        double sum = 0, bound = 0;
        for (std::size_t c = 0; c < shape.cols; ++c) {
            const double w = static_cast<double>(decoded[row * shape.cols + c]);
            sum += w * static_cast<double>(x[n * shape.cols + c]);
            bound += std::abs(w) * (0.25 / 127 + 1e-6);
        }
        return std::abs(static_cast<double>(got) - sum) <= bound;
    };
    std::vector<float> y(count * shape.rows);
    bool good = true;
    expect(static_cast<bool>(nibble::gemv(packed->view(), std::span(x).first(shape.cols), std::span(y).first(shape.rows))), "gemv");
    for (std::size_t r = 0; r < shape.rows; ++r) good = good && near(y[r], r, 0);
    expect(good, "gemv equals the product of the decoded floats");
    expect(static_cast<bool>(nibble::gemm(packed->view(), nibble::dense_view<const float>(x.data(), nibble::shape{count, shape.cols}),
                                          nibble::dense_view<float>(y.data(), nibble::shape{count, shape.rows}))),
           "gemm");
    for (std::size_t n = 0; n < count; ++n) {
        for (std::size_t r = 0; r < shape.rows; ++r) good = good && near(y[n * shape.rows + r], r, n);
    }
    expect(good, "gemm equals the product of the decoded floats");
}

#if defined(IN_THE_LIST)
void everybody_knows_it() {
    expect(nibble::traits_of(nibble::toy4::gguf_type).block_bytes == 18, "traits_of");
    bool visited = false;
    const auto done = nibble::visit(nibble::toy4::gguf_type, [&](auto format) -> nibble::status {
        visited = decltype(format)::name == "toy4";
        return {};
    });
    expect(done && visited, "visit");
    const auto* type = nibble::gguf::find_tensor_type("TOY4");
    expect(type != nullptr && type->number == nibble::toy4::gguf_type, "the name of a tensor type, as --tensor-type takes it");

    // A file with such a tensor, written and read.
    const std::vector<float> weights = made_up(shape.elements());
    const auto packed = nibble::quantizer<nibble::toy4>{}({weights.data(), shape});
    nibble::gguf::basic_writer<nibble::gguf::memory_sink> out{nibble::gguf::memory_sink{}};
    bool good = static_cast<bool>(out.add_tensor("w.weight", nibble::toy4::gguf_type, {shape.cols, shape.rows})) && out.begin() &&
                out.write(packed->bytes()) && out.end_tensor() && out.finish();
    const auto file = nibble::gguf::reader::open(out.destination().bytes());
    good = good && file && file->tensors().size() == 1 && file->tensors()[0].data.size() == packed->bytes().size() &&
           std::memcmp(file->tensors()[0].data.data(), packed->bytes().data(), packed->bytes().size()) == 0;
    expect(good, "a GGUF file");
}
#endif

}  // namespace

int main() {
    for (std::size_t i = 0; i < nibble::isa_count; ++i) {
        if (nibble::is_supported(static_cast<nibble::isa>(i))) everything_works(static_cast<nibble::isa>(i));
    }
#if defined(IN_THE_LIST)
    everybody_knows_it();
#endif
    return failures == 0 ? 0 : 1;
}
