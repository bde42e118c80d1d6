// Writes a safetensors file: describe all tensors, then stream their data. Nothing of the data is kept in memory.
//
//     auto out = nibble::safetensors::writer::create("model.safetensors");
//     out->set("format", "pt");
//     out->add_tensor("lm_head.weight", nibble::safetensors::dtype::bf16, {rows, cols});
//     out->begin();
//     out->write(bytes);      // as often as it takes
//     out->end_tensor();      // then the next tensor
//     out->finish();          // now, and only now, model.safetensors exists
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/atomic_file.hpp"
#include "nibble/file/tensor_stream.hpp"
#include "nibble/safetensors/header.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

using file::atomic_file;
using file::write_options;

/// A safetensors file on its way into a sink: what tensor_stream does, and how to describe the file before begin(). See class header
/// for the meaning and errors of these calls.
template <sink Sink>
class basic_writer : public file::tensor_stream<header, Sink> {
public:
    using file::tensor_stream<header, Sink>::tensor_stream;

    /// See header::set().
    status set(std::string_view key, std::string_view value) noexcept {
        return describe([&](header& h) noexcept { return h.set(key, value); });
    }
    /// See header::add_tensor().
    status add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape) noexcept {
        return describe([&](header& h) noexcept { return h.add_tensor(name, type, shape); });
    }
    /// See header::add_tensor().
    status add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> shape) noexcept {
        return add_tensor(name, type, std::span(shape.begin(), shape.size()));
    }
    /// See header::add_tensor().
    status add_tensor(const tensor_info& info) noexcept { return add_tensor(info.name, info.type, info.shape); }

private:
    template <class Change>
    status describe(const Change& change) noexcept {
        header* h = this->description();
        return h == nullptr ? this->late() : change(*h);
    }
};

/// Writes a safetensors file that appears whole or not at all.
class writer : public basic_writer<atomic_file> {
public:
    /// Checks the target and creates the temporary file next to it; an existing target is untouched until finish().
    /// @return see atomic_file::create
    static result<writer> create(const char* path, const write_options& options = {}) noexcept {
        auto file = atomic_file::create(path, options);
        if (!file) return file.status();
        return result<writer>(writer(std::move(*file)));
    }

private:
    using basic_writer<atomic_file>::basic_writer;
};

}  // namespace safetensors
NIBBLE_BASELINE_END
