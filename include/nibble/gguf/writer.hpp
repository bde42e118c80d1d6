// Writes a GGUF file: describe all tensors, then stream their data. Nothing of the data is kept in memory.
//
//     auto out = nibble::gguf::writer::create("model.gguf", {.inputs = inputs});
//     out->set("general.architecture", "llama");
//     out->add_tensor("token_embd.weight", type, {cols, rows});
//     out->begin();
//     out->write(bytes);      // as often as it takes
//     out->end_tensor();      // then the next tensor
//     out->finish();          // now, and only now, model.gguf exists
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/atomic_file.hpp"
#include "nibble/file/tensor_stream.hpp"
#include "nibble/gguf/header.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

using file::atomic_file;
using file::write_options;

/// A GGUF file on its way into a sink: what tensor_stream does, and how to describe the file before begin(). See class header for the
/// meaning and errors of these calls.
template <sink Sink>
class basic_writer : public file::tensor_stream<header, Sink> {
public:
    using file::tensor_stream<header, Sink>::tensor_stream;

    /// See header::set().
    template <class T>
    status set(std::string_view key, const T& value) noexcept {
        return describe([&](header& h) noexcept { return h.set(key, value); });
    }
    /// See header::set_array().
    template <class Range>
    status set_array(std::string_view key, const Range& values) noexcept {
        return describe([&](header& h) noexcept { return h.set_array(key, values); });
    }
    /// See header::add_tensor().
    status add_tensor(std::string_view name, std::uint32_t type, std::span<const std::uint64_t> shape) noexcept {
        return describe([&](header& h) noexcept { return h.add_tensor(name, type, shape); });
    }
    /// See header::add_tensor().
    status add_tensor(std::string_view name, std::uint32_t type, std::initializer_list<std::uint64_t> shape) noexcept {
        return add_tensor(name, type, std::span(shape.begin(), shape.size()));
    }
    /// See header::add_tensor().
    status add_tensor(const tensor_info& info) noexcept {
        return describe([&](header& h) noexcept { return h.add_tensor(info); });
    }

private:
    template <class Change>
    status describe(const Change& change) noexcept {
        header* h = this->description();
        return h == nullptr ? this->late() : change(*h);
    }
};

/// Writes a GGUF file that appears whole or not at all.
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

}  // namespace gguf
NIBBLE_BASELINE_END
