// Writes docs/quality.md: what each file type costs a small real model, in llama.cpp. The target update-quality runs it (minutes):
//     quality PAGE [WINDOWS]
// A type whose file equals llama.cpp's own, as it should, is evaluated once for both.
#include <cstdio>
#include <map>
#include <nibble/version.hpp>

#include "interop/model_files.hpp"

using namespace interop;

void nibble::test::skip(std::string_view reason) { std::printf("%.*s\n", static_cast<int>(reason.size()), reason.data()); }

namespace {

std::string windows = "0";
const support::scratch_folder* folder = nullptr;

double perplexity(const std::string& path) {
    const auto done = support::run({NIBBLE_LLAMA_PERPLEXITY, libraries, NIBBLE_TEXT, windows, path});
    if (done.code == 0) return std::stod(done.out);
    std::fprintf(stderr, "%s", done.err.c_str());
    return -1;
}

std::string number(double value, int digits) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return value < 0 ? "" : text;
}

/// @return false if this build lacks a format
bool quantize(const gguf::file_type& type, bool importance, const char* search, const std::string& out) {
    std::vector<std::string> command = {NIBBLE_TOOL, "quantize", NIBBLE_MODEL, out, std::string(type.name), "-q", "--search", search};
    if (importance) command.insert(command.end(), {"--imatrix", NIBBLE_IMATRIX});
    const auto done = support::run(command);
    if (done.code != 0) std::fprintf(stderr, "%s", done.err.c_str());
    return done.code == 0;
}

/// llama.cpp's own file, if it makes one.
bool quantize_with_llama(const gguf::file_type& type, bool importance, const std::string& out) {
    std::vector<std::string> command = {NIBBLE_LLAMA_QUANTIZE, libraries, NIBBLE_MODEL, out, std::to_string(type.number)};
    if (importance) command.push_back(std::string("imatrix=") + NIBBLE_IMATRIX);
    return support::run(command).code == 0;
}

std::string row(const gguf::file_type& type, bool importance) {
    const std::string ours = *folder / "ours.gguf", theirs = *folder / "theirs.gguf", best = *folder / "best.gguf";
    if (!quantize(type, importance, "reference", ours)) return "";
    std::uint64_t bytes = 0, elements = 0;
    const file made(ours);
    for (const auto& t : made.read.tensors()) {
        bytes += t.data.size();
        elements += t.elements();
    }
    const double reference = perplexity(ours);
    double llama = -1;
    if (quantize_with_llama(type, importance, theirs))
        llama = support::read_file(theirs) == support::read_file(ours) ? reference : perplexity(theirs);
    double improved = -1;
    if (quantize(type, importance, "best", best))
        improved = support::read_file(best) == support::read_file(ours) ? reference : perplexity(best);
    std::fprintf(stderr, "%s%s: %f %f %f\n", std::string(type.name).c_str(), importance ? " with importance" : "", reference, llama,
                 improved);
    return "| " + std::string(type.name) + " | " + std::to_string(std::filesystem::file_size(ours)) + " | " +
           number(8.0 * static_cast<double>(bytes) / static_cast<double>(elements), 3) + " | " + number(reference, 4) + " | " +
           (llama < 0 ? "does not make it" : number(llama, 4)) + " | " + number(improved, 4) + " |\n";
}

std::string table(bool importance) {
    std::string text =
        "| file type | bytes | bits per weight | `--search reference` | llama.cpp's file | `--search best` |\n| --- | --- | --- | --- | "
        "--- | --- |\n";
    const file model(NIBBLE_MODEL);
    for (const auto& type : gguf::file_types) {
        const bool is_float = type.name == "F32" || type.name == "F16" || type.name == "BF16";
        if (!importance || !is_float) text += row(type, importance);
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    if (argc > 2) windows = argv[2];
    if (!can_run()) return 77;
    const support::scratch_folder files;
    folder = &files;
    std::string page = R"(# Quality of the file types

Written by the target `update-quality` (`tests/interop/quality.cpp`); do not edit.

The shipped model (3.28 million weights, F16) quantized to every file type, and llama.cpp's perplexity per byte on `examples/model/text.txt`, in
windows of 256 tokens)";
    page += windows == "0" ? ": the whole text" : ", the first " + windows + " of them";
    page += R"(. Less is better. Bits per weight are those of all tensors together, norms and mixtures included.
A model as small as this one has little to spare: large models lose less at the same bits. Differences below 0.005 say nothing.

`--search reference` writes the bytes of llama.cpp's quantizer, so the two columns in the middle agree.
MXFP4_MOE makes a difference only for models with experts; all matrices of this one become Q8_0.

## Without importance

Where llama.cpp refuses to quantize without importance, nibble lets the data be the weights.

)" + table(false) +
            R"(
## With importance

`--imatrix examples/model/kjv-3m-imatrix.gguf`, measured on 200 KB of the training text (`tests/interop/llama_imatrix.cpp`).

)" + table(true);
    support::write_file(argv[1], page);
    return 0;
}
