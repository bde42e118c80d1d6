// Perplexity per byte of model files on a text, through llama.cpp:
//     llama_perplexity LIBRARIES TEXT WINDOWS MODEL...
// What perplexity.mjs does, fast enough for many files. WINDOWS: how many windows of 256 tokens; 0: all. Prints a line for each model: the
// perplexity, a space, the path.
#include <algorithm>
#include <cmath>

#include "windows.hpp"

namespace {

constexpr std::int32_t token_count = 259;

/// -log of the probability of a token.
double surprise(const float* logits, std::int32_t token) {
    const float most = *std::max_element(logits, logits + token_count);
    double sum = 0;
    for (std::int32_t i = 0; i < token_count; ++i) sum += std::exp(static_cast<double>(logits[i] - most));
    return std::log(sum) - static_cast<double>(logits[token] - most);
}

double perplexity(const llama::library& library, const char* path, const std::vector<llama::window>& windows) {
    llama::session session(library, path, [](llama::parameters&) { return true; });
    if (!session) return std::nan("");
    double sum = 0;
    std::size_t count = 0;
    for (const auto& w : windows) {
        if (!session.evaluate(w)) return std::nan("");
        // The first byte has nothing but <s> before it and is left out.
        for (std::int32_t i = 1; i + 1 < llama::window_size; ++i, ++count)
            sum += surprise(session.logits(i), w[static_cast<std::size_t>(i) + 1]);
    }
    return std::exp(sum / static_cast<double>(count));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const llama::library library(argv[1], "", true);
    const auto windows = llama::windows_of(argv[2], std::strtoul(argv[3], nullptr, 10));
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
