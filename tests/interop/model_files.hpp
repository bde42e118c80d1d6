// Model files as tests look at them, and the programs that make them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nibble/gguf/header.hpp>
#include <nibble/gguf/imatrix_writer.hpp>
#include <nibble/gguf/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/recipe.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/test.hpp"

namespace interop {

namespace gguf = nibble::gguf;

inline const std::string libraries = NIBBLE_TESTS_DIR "/interop/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";

/// False, and said aloud, where llama.cpp is not installed.
inline bool can_run() {
    if (std::filesystem::exists(libraries)) return true;
    nibble::test::skip("llama.cpp is not installed in tests/interop (see install.sh)");
    return false;
}

/// A model file, mapped.
struct file {
    explicit file(const std::string& path) : map(*gguf::mapped_file::open(path.c_str())), read(*gguf::reader::open(map.bytes())) {}
    gguf::mapped_file map;
    gguf::reader read;
};

inline std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The first difference, in words; empty if the files are equal.
inline std::string difference(const std::string& ours_path, const std::string& theirs_path) {
    const file ours(ours_path), theirs(theirs_path);
    const auto a = ours.read.metadata(), b = theirs.read.metadata();
    if (a.size() != b.size()) return "number of keys: " + std::to_string(a.size()) + " and " + std::to_string(b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i].key != b[i].key) return "key " + std::string(a[i].key) + " and " + std::string(b[i].key);
        if (a[i].value.type() != b[i].value.type() || text_of(a[i].value.raw()) != text_of(b[i].value.raw()))
            return "value of " + std::string(a[i].key);
    }
    const auto x = ours.read.tensors(), y = theirs.read.tensors();
    if (x.size() != y.size()) return "number of tensors";
    for (std::size_t i = 0; i < x.size(); ++i) {
        const std::string name(x[i].name);
        if (name != y[i].name) return "tensor " + name + " and " + std::string(y[i].name);
        if (x[i].type != y[i].type)
            return name + ": " + std::string(gguf::type_name(x[i].type)) + " and " + std::string(gguf::type_name(y[i].type));
        if (x[i].shape != y[i].shape || x[i].dims != y[i].dims) return "shape of " + name;
        for (std::size_t j = 0; j < x[i].data.size(); ++j) {
            if (x[i].data[j] != y[i].data[j]) return name + ": " + std::string(gguf::type_name(x[i].type)) + ", byte " + std::to_string(j);
        }
    }
    return text_of(ours.map.bytes()) == text_of(theirs.map.bytes()) ? "" : "bytes outside keys and tensors";
}

inline bool every_name(std::string_view) { return true; }

/// Importance for every matrix of a model whose name passes, in the older form. The numbers have no meaning but are the same every time.
template <class Filter = bool (*)(std::string_view)>
void write_importance(const gguf::reader& model, const std::string& path, Filter&& passes = every_name) {
    std::vector<std::vector<float>> floats;
    std::vector<gguf::imatrix_record> records;
    std::vector<float> ones(1024, 1.0f);
    std::uint32_t state = 1;
    for (const auto& t : model.tensors()) {
        if (t.dims < 2 || t.name == "token_embd.weight") continue;
        auto& values = floats.emplace_back(t.cols() * t.shape[2]);
        for (float& v : values) {
            state = state * 1664525u + 1013904223u;
            const float uniform = static_cast<float>(state >> 8) / 16777216.0f;
            v = 0.01f + uniform * uniform * uniform * 4.0f;
        }
        if (passes(t.name)) records.push_back({t.name, values, {ones.data(), static_cast<std::size_t>(t.shape[2])}});
    }
    gguf::memory_sink sink;
    const std::string_view dataset = "made-up.txt";
    if (!gguf::write_older_imatrix(sink, records, {{&dataset, 1}, 7, 512})) return;
    support::write_file(path, text_of(sink.bytes()));
}

/// File types that this llama.cpp reads but refuses to make.
inline bool llama_makes(const gguf::file_type& type) { return type.name != "NVFP4"; }

/// The type that the recipe chooses for each tensor, in the order of the new file; empty if it has none for one of them.
struct chosen_tensor {
    std::string name;
    gguf::type_choice choice;
};
/// @param chosen_by_user for the tensors with `part` in their names
inline std::vector<chosen_tensor> choose(const gguf::reader& model, const gguf::file_type& type, const gguf::recipe_options& options,
                                         std::string_view part = {}, const gguf::tensor_type* chosen_by_user = nullptr) {
    gguf::recipe mixture(type, gguf::facts_of(model), options);
    for (const auto& t : model.tensors()) mixture.announce(t.name);
    std::vector<std::size_t> order(model.tensors().size());
    gguf::recipe_order(model.tensors(), order);
    std::vector<chosen_tensor> all;
    for (const std::size_t i : order) {
        const auto& t = model.tensors()[i];
        const auto choice = mixture.choose(t, t.name.find(part) != std::string_view::npos ? chosen_by_user : nullptr);
        if (!choice) return {};
        all.push_back({std::string(t.name), *choice});
    }
    return all;
}

/// True if llama.cpp makes this file type of the model only with an importance file.
inline bool llama_needs_importance(const gguf::reader& model, const gguf::file_type& type) {
    for (const auto& t : choose(model, type, {})) {
        if (t.choice.wants_importance) return true;
    }
    return false;
}

}  // namespace interop
