// The command-line tool as its tests run it, and small models to run it on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nibble/gguf/imatrix.hpp>
#include <nibble/gguf/imatrix_writer.hpp>
#include <nibble/gguf/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/recipe.hpp>
#include <nibble/gguf/writer.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/process.hpp"
#include "support/test.hpp"

namespace tool_test {

namespace gguf = nibble::gguf;
using nlohmann::json;
using support::scratch_folder;

using words = std::vector<std::string>;

inline words command(words arguments) {
    arguments.insert(arguments.begin(), NIBBLE_TOOL);
    return arguments;
}
inline support::finished tool(words arguments, const std::function<void()>& prepare = {}) {
    return support::run(command(std::move(arguments)), prepare);
}

/// "nibble: " and one line of text, nothing that could disturb a terminal.
inline bool is_one_clear_line(const std::string& err) {
    const bool printable =
        std::all_of(err.begin(), err.end() - !err.empty(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
    return err.starts_with("nibble: ") && err.size() > 20 && err.ends_with('\n') && printable;
}

struct test_tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type = 0;  ///< any type; data are floats for F32, zeros for others
    std::vector<float> values = {};
};
struct test_model {
    std::vector<test_tensor> tensors;
    std::vector<std::pair<std::string, std::uint32_t>> numbers = {};  ///< further keys
};

/// A Llama-type model with `layers` layers of tiny matrices, and a norm.
inline test_model small_model(std::uint32_t layers = 2, std::uint64_t rows = 8) {
    test_model m;
    m.tensors = {{"token_embd.weight", {256, rows}}, {"output.weight", {256, rows}}, {"output_norm.weight", {256}}};
    for (std::uint32_t i = 0; i < layers; ++i) {
        const std::string block = "blk." + std::to_string(i) + '.';
        for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"})
            m.tensors.push_back({block + name + ".weight", {256, rows}});
        m.tensors.push_back({block + "ffn_down.weight", {512, rows}});
        m.tensors.push_back({block + "attn_norm.weight", {256}});
    }
    m.numbers = {{"llama.block_count", layers}, {"llama.attention.head_count", 4}, {"llama.attention.head_count_kv", 2}};
    return m;
}

/// Values like those of weights, the same every time.
inline std::vector<float> made_up_weights(std::size_t count, std::uint32_t seed) {
    std::vector<float> values(count);
    for (float& v : values) {
        float sum = 0;
        for (int i = 0; i < 4; ++i) {
            seed = seed * 1664525u + 1013904223u;
            sum += static_cast<float>(seed >> 8) / 16777216.0f - 0.5f;
        }
        v = sum * 0.05f;
    }
    return values;
}

inline void write_model(const test_model& m, const std::string& path) {
    auto out = gguf::writer::create(path.c_str());
    REQUIRE(out);
    REQUIRE(out->set("general.architecture", std::string_view("llama")));
    for (const auto& [key, value] : m.numbers) REQUIRE(out->set(key, value));
    for (const auto& t : m.tensors) REQUIRE(out->add_tensor(t.name, t.type, t.shape));
    REQUIRE(out->begin());
    std::uint32_t seed = 1;
    for (const auto& t : m.tensors) {
        std::size_t count = 1;
        for (const std::uint64_t n : t.shape) count *= static_cast<std::size_t>(n);
        if (t.type == 0) {
            const auto values = t.values.empty() ? made_up_weights(count, ++seed) : t.values;
            REQUIRE(out->write(std::as_bytes(std::span(values))));
        } else {
            const auto traits = nibble::traits_of(t.type);
            REQUIRE(out->write(std::vector<std::byte>(count / traits.block_size * traits.block_bytes)));
        }
        REQUIRE(out->end_tensor());
    }
    REQUIRE(out->finish());
}

/// A model file, mapped.
struct model_file {
    explicit model_file(const std::string& path) : map(*gguf::mapped_file::open(path.c_str())), read(*gguf::reader::open(map.bytes())) {}
    /// ggml's name of a tensor's type; "" if there is no such tensor.
    std::string type(std::string_view name) const {
        const auto* t = read.find_tensor(name);
        return t == nullptr ? "" : std::string(gguf::type_name(t->type));
    }
    gguf::mapped_file map;
    gguf::reader read;
};

/// A folder with `in.gguf`, the small model.
struct model_folder : scratch_folder {
    explicit model_folder(const test_model& m = small_model()) { write_model(m, in()); }
    std::string in() const { return *this / "in.gguf"; }
    std::string out() const { return *this / "out.gguf"; }
};

}  // namespace tool_test
