#include "model.hpp"

#include <nibble/gguf/recipe.hpp>

#include "failure.hpp"
#include "text.hpp"

namespace tool {

const tensor_info* model::find(std::string_view name) const { return gguf ? gguf->find_tensor(name) : nullptr; }

std::uint64_t model::elements() const {
    std::uint64_t sum = 0;
    for (const auto& t : tensors) sum += t.elements();
    return sum;
}

std::uint64_t model::tensor_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& t : tensors) sum += t.data.size();
    return sum;
}

model open_model(const std::string& path) {
    model m;
    m.path = path;
    m.file = check(nibble::gguf::mapped_file::open(path.c_str()), escape(path));
    auto header = nibble::gguf::reader::open(m.file.bytes());
    if (!header) {
        throw failure{exit_code_of(header.error()),
                      escape(path) + ": " + std::string(header.message()) + " (byte " + std::to_string(header.where()) + ')'};
    }
    m.gguf = std::move(*header);
    m.tensors.assign(m.gguf->tensors().begin(), m.gguf->tensors().end());
    return m;
}

std::string shape_text(const tensor_info& t) { return shape_text(std::span(t.shape).first(std::max(t.dims, 1u))); }

std::string shape_text(std::span<const std::uint64_t> shape) {
    std::string text = "[";
    for (std::size_t d = 0; d < shape.size(); ++d) text += (d == 0 ? "" : ", ") + std::to_string(shape[d]);
    return text + ']';
}

std::string type_text(std::uint32_t type) {
    const auto* known = nibble::gguf::find_tensor_type(type);
    return known != nullptr ? std::string(known->name) : "type " + std::to_string(type);
}

double bits_per_weight(std::uint64_t bytes, std::uint64_t elements) {
    return elements == 0 ? 0 : 8 * static_cast<double>(bytes) / static_cast<double>(elements);
}

}  // namespace tool
