// llama.cpp's own quantizer as a program, from the shared libraries of the npm package @node-llama-cpp/linux-x64:
//     llama_quantize LIBRARIES IN OUT FILE_TYPE [pure] [requantize] [leave-output] [dry-run] [output=N] [embedding=N] [type=PATTERN=N]
//     [imatrix=FILE]
// FILE_TYPE and N are numbers.
#include <cstdint>
#include <nibble/gguf/imatrix.hpp>
#include <nibble/gguf/mapped_file.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llama.hpp"

namespace {

// The layout of llama.h of 2026.
struct importance {
    const char* name;
    const float* data;
    std::size_t size;
};
struct tensor_override {
    const char* pattern;
    std::int32_t type;
};
struct key_override {
    std::int32_t tag;
    char key[128];
    union {
        std::int64_t number;
        char text[128];
    };
};
struct parameters {
    std::int32_t threads, file_type, output_type, embedding_type;
    bool allow_requantize, quantize_output, only_copy, pure, keep_split, dry_run;
    const importance* weights;
    const key_override* keys;
    const tensor_override* tensors;
    const std::int32_t* prune;
};

/// The keys that llama-quantize sets when it is given an importance file.
std::vector<key_override> describe(const std::string& path, const nibble::gguf::imatrix& from) {
    std::vector<key_override> keys;
    const auto add = [&](const char* key) -> key_override& {
        keys.push_back({});
        std::snprintf(keys.back().key, sizeof keys.back().key, "%s", key);
        return keys.back();
    };
    const auto set_text = [&](const char* key, std::string_view text) {
        auto& entry = add(key);
        entry.tag = 3;
        std::snprintf(entry.text, sizeof entry.text, "%.*s", static_cast<int>(text.size()), text.data());
    };
    set_text("quantize.imatrix.file", path);
    if (!from.dataset().empty()) set_text("quantize.imatrix.dataset", from.dataset());
    add("quantize.imatrix.entries_count").number = static_cast<std::int64_t>(from.entries().size());
    if (from.chunks() > 0) add("quantize.imatrix.chunks_count").number = from.chunks();
    keys.push_back({});
    return keys;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const llama::library library(argv[1], "x64", false);
    auto p = library.get<parameters (*)()>("llama_model_quantize_default_params")();
    p.threads = 2;
    p.file_type = std::atoi(argv[4]);

    std::vector<tensor_override> tensors;
    std::vector<std::string> texts;
    texts.reserve(static_cast<std::size_t>(argc));  // pointers into it stay valid
    nibble::gguf::mapped_file file;
    nibble::gguf::imatrix entries;
    std::vector<importance> weights;
    std::vector<std::vector<float>> floats;
    std::vector<key_override> keys;
    for (int i = 5; i < argc; ++i) {
        const std::string option = argv[i];
        const std::size_t at = option.find('=');
        const std::string word = option.substr(0, at), value = at == std::string::npos ? "" : option.substr(at + 1);
        if (word == "pure") p.pure = true;
        else if (word == "dry-run") p.dry_run = true;
        else if (word == "requantize") p.allow_requantize = true;
        else if (word == "leave-output") p.quantize_output = false;
        else if (word == "output") p.output_type = std::atoi(value.c_str());
        else if (word == "embedding") p.embedding_type = std::atoi(value.c_str());
        else if (word == "type") {
            const std::size_t equals = value.rfind('=');
            texts.push_back(value.substr(0, equals));
            tensors.push_back({texts.back().c_str(), std::atoi(value.c_str() + equals + 1)});
        } else if (word == "imatrix") {
            auto opened = nibble::gguf::mapped_file::open(value.c_str());
            if (!opened) return 3;
            file = std::move(*opened);
            auto read = nibble::gguf::imatrix::read(file.bytes());
            if (!read) return 3;
            entries = std::move(*read);
            for (const auto& e : entries.entries()) {
                floats.emplace_back(e.size);
                e.weights(floats.back());
            }
            keys = describe(value, entries);
        } else {
            return 2;
        }
    }
    std::vector<std::string> names;
    names.reserve(entries.entries().size());
    for (std::size_t i = 0; i < floats.size(); ++i) {
        names.emplace_back(entries.entries()[i].name);
        weights.push_back({names.back().c_str(), floats[i].data(), floats[i].size()});
    }
    if (!weights.empty()) {
        weights.push_back({});
        p.weights = weights.data();
        p.keys = keys.data();
    }
    if (!tensors.empty()) {
        tensors.push_back({nullptr, 0});
        p.tensors = tensors.data();
    }
    return library.get<std::uint32_t (*)(const char*, const char*, const parameters*)>("llama_model_quantize")(argv[2], argv[3], &p) == 0
               ? 0
               : 1;
}
