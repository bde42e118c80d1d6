// A file of weights of any kind that can be looked into: GGUF, safetensors, and safetensors in several files.
#pragma once

#include <cstdint>
#include <nibble/algo/executor.hpp>
#include <nibble/safetensors/checkpoint.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model.hpp"
#include "rows.hpp"

namespace tool {

/// A tensor, whatever kind of file it is in. Views into the file.
struct source_tensor {
    std::string_view name;             ///< in its file
    std::string key;                   ///< name under which it is compared
    std::string type;                  ///< "Q4_K", "BF16"
    std::vector<std::uint64_t> shape;  ///< elements, row length first; at least one dimension
    std::uint64_t offset = 0;          ///< in the data section
    std::span<const std::byte> data;
    std::optional<std::uint32_t> gguf_type;           ///< number of the type, if GGUF files have it too
    std::optional<nibble::safetensors::dtype> dtype;  ///< if it is in a safetensors file
    std::uint64_t rotated_heads = 0;                  ///< heads whose halves GGUF files interleave; 0: rows are where they belong

    std::uint64_t elements() const;
    bool has_floats() const;
};

struct source {
    std::string path;
    std::optional<model> gguf;
    std::optional<nibble::safetensors::checkpoint> safetensors;
    std::vector<source_tensor> tensors;  ///< in the order of the file

    std::uint64_t elements() const;
    std::uint64_t tensor_bytes() const;
    std::uint64_t file_bytes() const;
};

/// Opens and checks a GGUF file, a safetensors file, an index of safetensors files, or a folder with one of the latter two. Throws failure.
/// @param follow_links  parts of a model may be symbolic links
source open_source(const std::string& path, bool follow_links);

/// Gives the tensors of a Hugging Face checkpoint of a Llama-type model the keys that a GGUF file of it uses, and notes whose rows
/// the GGUF file has in another order.
void match_names(source& checkpoint, const source& gguf);

/// Elements as a matrix whose rows can be read one by one.
nibble::shape matrix_of(const source_tensor& t);

/// Floats of some rows of matrix_of(), in the order that GGUF files have. They are in `values` or in the file itself.
/// @param packed memory for rows that have to be collected
std::span<const float> floats_of(const source_tensor& t, nibble::shape matrix, std::size_t first, std::size_t count, scratch& values,
                                 scratch& packed, nibble::executor threads);

}  // namespace tool
