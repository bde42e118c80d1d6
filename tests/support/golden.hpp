// The golden vectors: inputs, bytes and decoded floats that ggml's reference made, as safetensors files in tests/golden.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace golden {

struct tensor {
    std::vector<std::size_t> shape;
    std::vector<std::byte> bytes;

    std::vector<float> floats() const {
        std::vector<float> values(bytes.size() / sizeof(float));
        std::memcpy(values.data(), bytes.data(), bytes.size());
        return values;
    }
};

/// All tensors of a safetensors file; empty if it does not exist.
inline std::map<std::string, tensor> load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    std::uint64_t header = 0;
    std::memcpy(&header, all.data(), 8);
    const auto json = nlohmann::json::parse(all.substr(8, header));
    std::map<std::string, tensor> tensors;
    for (const auto& [name, entry] : json.items()) {
        if (name == "__metadata__") continue;
        tensor t;
        t.shape = entry["shape"].get<std::vector<std::size_t>>();
        const auto first = entry["data_offsets"][0].get<std::size_t>(), last = entry["data_offsets"][1].get<std::size_t>();
        t.bytes.resize(last - first);
        std::memcpy(t.bytes.data(), all.data() + 8 + header + first, last - first);
        tensors[name] = std::move(t);
    }
    return tensors;
}

/// nibble's q4_k is q4_K in the file names.
inline std::string file_of(std::string name) {
    if (name.size() > 2 && name.substr(name.size() - 2) == "_k") name.back() = 'K';
    return std::string(NIBBLE_TESTS_DIR) + "/golden/" + name + ".safetensors";
}

}  // namespace golden
