// A mapped GGUF file and a product with one of its tensors, without a copy: mapped_gguf FILE.gguf TENSOR
#include <nibble/file/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/nibble.hpp>

#include <cstdio>
#include <vector>

namespace {
int fail(std::string_view what) { return std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data()), 1; }
}  // namespace

int main(int count, char** arguments) {
    if (count != 3) return fail("usage: mapped_gguf FILE.gguf TENSOR");
    const auto file = nibble::file::mapped_file::open(arguments[1]);
    if (!file) return fail(file.message());
    const auto model = nibble::gguf::reader::open(file->bytes());  // checks everything but the tensors' data
    if (!model) return fail(model.message());
    const nibble::gguf::tensor_info* tensor = model->find_tensor(arguments[2]);
    if (tensor == nullptr) return fail("no tensor of that name");

    // The format is known at run time only: visit calls the lambda with its type.
    const nibble::shape shape{static_cast<std::size_t>(tensor->rows()), static_cast<std::size_t>(tensor->cols())};
    std::vector<float> x(shape.cols, 1.0f), y(shape.rows);
    const nibble::status done = nibble::visit(tensor->type, [&](auto format) -> nibble::status {
        const auto weights = nibble::view<decltype(format)>(tensor->data, shape);
        if (!weights) return weights.status();
        std::printf("%zu x %zu in %s: %zu bytes\n", shape.rows, shape.cols, std::string(format.name).c_str(), weights->bytes().size());
        return nibble::gemv(*weights, x, y);
    });
    if (!done) return fail(done.message());
    std::printf("sum of row 0: %.4f\n", static_cast<double>(y[0]));
}
