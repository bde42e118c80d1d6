// Perplexity per byte of model files on a text, through llama.cpp:
//     llama_perplexity LIBRARIES TEXT WINDOWS MODEL...
// What perplexity.mjs does, fast enough for many files. WINDOWS: how many windows of 256 tokens; 0: all. Prints a line
// for each model: the perplexity, a space, the path. Only for models whose tokens are <unk>, <s>, </s> and the 256 bytes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "llama.hpp"

namespace {

constexpr std::int32_t window_size = 256, token_count = 259;

/// A parameter struct of llama.h that is handed on as it came: more bytes than it has, which a struct on the stack does not mind.
struct parameters {
    alignas(16) std::uint32_t words[256];
};
struct batch {
    std::int32_t count;
    std::int32_t* tokens;
    float* embeddings;
    std::int32_t* positions;
    std::int32_t* sequence_counts;
    std::int32_t** sequences;
    std::int8_t* wanted;
};

using window = std::vector<std::int32_t>;

std::vector<window> windows_of(const std::string& path, std::size_t most) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<unsigned char> text{std::istreambuf_iterator<char>(file), {}};
    std::vector<window> windows;
    for (std::size_t at = 0; at + window_size - 1 <= text.size() && (most == 0 || windows.size() < most); at += window_size - 1) {
        window w = {1};
        for (std::size_t i = at; i < at + window_size - 1; ++i) w.push_back(text[i] + 3);
        windows.push_back(std::move(w));
    }
    return windows;
}

/// -log of the probability of a token.
double surprise(const float* logits, std::int32_t token) {
    const float most = *std::max_element(logits, logits + token_count);
    double sum = 0;
    for (std::int32_t i = 0; i < token_count; ++i) sum += std::exp(static_cast<double>(logits[i] - most));
    return std::log(sum) - static_cast<double>(logits[token] - most);
}

double perplexity(const llama::library& library, const char* path, const std::vector<window>& windows) {
    const auto model = library.get<void* (*)(const char*, parameters)>("llama_model_load_from_file")(
        path, library.get<parameters (*)()>("llama_model_default_params")());
    if (model == nullptr) return std::nan("");
    auto p = library.get<parameters (*)()>("llama_context_default_params")();
    // n_ctx, n_batch, n_ubatch, (sequences, a second kind of them,) threads: the version is pinned, and this notices if it moved on.
    const bool known = p.words[0] == 512 && p.words[1] == 2048 && p.words[2] == 512 && p.words[3] == 1;
    if (!known) {
        std::fprintf(stderr, "llama_context_params has another layout in this llama.cpp\n");
        std::exit(llama::not_usable);
    }
    p.words[0] = window_size;
    const auto context = library.get<void* (*)(void*, parameters)>("llama_init_from_model")(model, p);
    if (context == nullptr) return std::nan("");
    // More threads than free cores wait for each other in busy loops.
    library.get<void (*)(void*, std::int32_t, std::int32_t)>("llama_set_n_threads")(context, 1, 1);

    auto input = library.get<batch (*)(std::int32_t, std::int32_t, std::int32_t)>("llama_batch_init")(window_size, 0, 1);
    double sum = 0;
    std::size_t count = 0;
    for (const window& w : windows) {
        library.get<void (*)(void*, bool)>("llama_memory_clear")(library.get<void* (*)(void*)>("llama_get_memory")(context), true);
        input.count = window_size;
        for (std::int32_t i = 0; i < window_size; ++i) {
            input.tokens[i] = w[static_cast<std::size_t>(i)];
            input.positions[i] = i;
            input.sequence_counts[i] = 1;
            input.sequences[i][0] = 0;
            input.wanted[i] = 1;
        }
        if (library.get<std::int32_t (*)(void*, batch)>("llama_decode")(context, input) != 0) return std::nan("");
        const auto logits_of = library.get<const float* (*)(void*, std::int32_t)>("llama_get_logits_ith");
        // The first byte has nothing but <s> before it and is left out.
        for (std::int32_t i = 1; i + 1 < window_size; ++i, ++count) sum += surprise(logits_of(context, i), w[static_cast<std::size_t>(i) + 1]);
    }
    library.get<void (*)(batch)>("llama_batch_free")(input);
    library.get<void (*)(void*)>("llama_free")(context);
    library.get<void (*)(void*)>("llama_model_free")(model);
    return std::exp(sum / static_cast<double>(count));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const llama::library library(argv[1], "", true);
    const auto windows = windows_of(argv[2], std::strtoul(argv[3], nullptr, 10));
    if (windows.empty()) {
        std::fprintf(stderr, "%s: no text\n", argv[2]);
        return 1;
    }
    bool good = true;
    for (int i = 4; i < argc; ++i) {
        const double value = perplexity(library, argv[i], windows);
        std::printf("%.9f %s\n", value, argv[i]);
        good = good && std::isfinite(value);
    }
    return good ? 0 : 1;
}
