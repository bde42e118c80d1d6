// A model file that is open for reading.
#pragma once

#include <nibble/gguf/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/tensor_info.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

using nibble::gguf::tensor_info;

/// Tensors are views into the mapped file, whatever kind of file it is.
struct model {
    std::string path;
    nibble::gguf::mapped_file file;
    std::optional<nibble::gguf::reader> gguf;  ///< header of a GGUF file
    std::vector<tensor_info> tensors;          ///< in the order of the file

    const tensor_info* find(std::string_view name) const;
    std::uint64_t elements() const;
    std::uint64_t tensor_bytes() const;
};

/// Opens and checks a file. Throws failure.
model open_model(const std::string& path);

/// "[256, 768]", row length first.
std::string shape_text(const tensor_info& t);
std::string shape_text(std::span<const std::uint64_t> shape);
/// ggml's name of a type, or "type 99".
std::string type_text(std::uint32_t type);
/// Bits per weight; 0 without weights.
double bits_per_weight(std::uint64_t bytes, std::uint64_t elements);

}  // namespace tool
