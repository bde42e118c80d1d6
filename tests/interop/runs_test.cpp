// A file of every type loads and runs in llama.cpp, and is no worse there than it should be.
#include "interop/model_files.hpp"

using namespace interop;

namespace {

constexpr const char* windows = "8";

double perplexity(const std::string& path) {
    const auto done = support::run({NIBBLE_LLAMA_PERPLEXITY, libraries, NIBBLE_TEXT, windows, path});
    INFO(done.err);
    CHECK(done.code == 0);
    return done.code == 0 ? std::stod(done.out) : 1e9;
}

/// How much worse than F16 a type may be: several times what docs/quality.md has, and far below what a broken file gives. The types for
/// models that were trained with one or two bits ruin any other; their files must only run.
double limit(const gguf::file_type& type, double bits_per_weight) {
    for (const char* name : {"TQ1_0", "TQ2_0", "Q1_0", "Q2_0"}) {
        if (type.name == name) return 1e9;
    }
    if (bits_per_weight > 8) return 1.01;
    if (bits_per_weight > 4) return 1.05;
    if (bits_per_weight > 3) return 1.15;
    return 1.6;
}

}  // namespace

TEST_CASE("a file of every type runs in llama.cpp") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    const double f16 = perplexity(NIBBLE_MODEL);
    CHECK(f16 > 2.8);
    CHECK(f16 < 3.1);
    for (const auto& type : gguf::file_types) {
        const auto made = support::run(
            {NIBBLE_TOOL, "quantize", NIBBLE_MODEL, folder / "out.gguf", std::string(type.name), "-q", "--imatrix", NIBBLE_IMATRIX});
        INFO(type.name << ' ' << made.err);
        REQUIRE(made.code == 0);
        const file out(folder / "out.gguf");
        std::uint64_t bytes = 0, elements = 0;
        for (const auto& t : out.read.tensors()) {
            bytes += t.data.size();
            elements += t.elements();
        }
        const double bits = 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
        const double got = perplexity(folder / "out.gguf");
        UNSCOPED_INFO(type.name << ": " << bits << " bits per weight, perplexity " << got << ", limit " << f16 * limit(type, bits));
        CHECK(got <= f16 * limit(type, bits));
    }
}
