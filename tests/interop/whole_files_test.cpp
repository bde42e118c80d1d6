// Whole files: what `nibble quantize` makes of the shipped model is what llama.cpp makes of it, byte for byte, for every file type.
#include <nibble/gguf/header.hpp>
#include <nibble/gguf/imatrix_writer.hpp>
#include <nibble/gguf/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/recipe.hpp>
#include <set>

#include "support/process.hpp"
#include "support/test.hpp"

namespace {

namespace gguf = nibble::gguf;

const std::string model = NIBBLE_MODEL;
const std::string libraries = NIBBLE_TESTS_DIR "/interop/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64";

bool can_run() {
    if (std::filesystem::exists(libraries)) return true;
    nibble::test::skip("llama.cpp is not installed in tests/interop (see install.sh)");
    return false;
}

/// A model file in memory.
struct file {
    explicit file(const std::string& path) : map(*gguf::mapped_file::open(path.c_str())), read(*gguf::reader::open(map.bytes())) {}
    gguf::mapped_file map;
    gguf::reader read;
};

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Differences that a reader of the message can use; empty if the files are equal.
std::string difference(const std::string& ours_path, const std::string& theirs_path) {
    const file ours(ours_path), theirs(theirs_path);
    const auto a = ours.read.metadata(), b = theirs.read.metadata();
    if (a.size() != b.size()) return "number of keys: " + std::to_string(a.size()) + " and " + std::to_string(b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i].key != b[i].key) return "key " + std::string(a[i].key) + " and " + std::string(b[i].key);
        if (a[i].value.type() != b[i].value.type() || text_of(a[i].value.raw()) != text_of(b[i].value.raw())) return "value of " + std::string(a[i].key);
    }
    const auto x = ours.read.tensors(), y = theirs.read.tensors();
    if (x.size() != y.size()) return "number of tensors";
    for (std::size_t i = 0; i < x.size(); ++i) {
        const std::string name(x[i].name);
        if (name != y[i].name) return "tensor " + name + " and " + std::string(y[i].name);
        if (x[i].type != y[i].type) return name + ": " + std::string(gguf::type_name(x[i].type)) + " and " + std::string(gguf::type_name(y[i].type));
        if (x[i].shape != y[i].shape || x[i].dims != y[i].dims) return "shape of " + name;
        for (std::size_t j = 0; j < x[i].data.size(); ++j) {
            if (x[i].data[j] != y[i].data[j]) return name + ": " + std::string(gguf::type_name(x[i].type)) + ", byte " + std::to_string(j);
        }
    }
    return text_of(ours.map.bytes()) == text_of(theirs.map.bytes()) ? "" : "bytes outside keys and tensors";
}

/// Runs both programs on the model and compares their files. @return false if a type is missing here, which is printed
bool compare(const std::string& type, std::uint32_t number, const std::vector<std::string>& our_options, const std::vector<std::string>& their_options) {
    const support::scratch_folder folder;
    std::vector<std::string> ours = {NIBBLE_TOOL, "quantize", model, folder / "ours.gguf", type, "--quiet"};
    ours.insert(ours.end(), our_options.begin(), our_options.end());
    const auto we = support::run(ours);
    if (we.code == 3 && we.err.find("which this build does not have") != std::string::npos) {
        WARN("left out, because a format is missing: " << we.err);
        return false;
    }
    INFO(type << ": " << we.err);
    CHECK(we.code == 0);
    if (we.code != 0) return true;

    std::vector<std::string> theirs = {NIBBLE_LLAMA_QUANTIZE, libraries, model, folder / "theirs.gguf", std::to_string(number)};
    theirs.insert(theirs.end(), their_options.begin(), their_options.end());
    const auto they = support::run(theirs);
    INFO("llama.cpp: " << they.err.substr(they.err.size() > 2000 ? they.err.size() - 2000 : 0));
    CHECK(they.code == 0);
    if (they.code != 0) return true;
    CHECK(difference(folder / "ours.gguf", folder / "theirs.gguf") == "");
    return true;
}

/// True if llama.cpp makes this file type of the shipped model only with an importance file.
bool llama_needs_importance(const gguf::file_type& type) {
    const file m(model);
    gguf::recipe mixture(type, gguf::facts_of(m.read));
    std::vector<std::size_t> order(m.read.tensors().size());
    gguf::recipe_order(m.read.tensors(), order);
    for (const auto& t : m.read.tensors()) mixture.announce(t.name);
    for (const std::size_t i : order) {
        if (mixture.choose(m.read.tensors()[i])->wants_importance) return true;
    }
    return false;
}

/// Importance for every matrix of the model, in the older form. The numbers have no meaning but are the same every time.
void write_importance(const std::string& path) {
    const file m(model);
    std::vector<std::vector<float>> floats;
    std::vector<gguf::imatrix_record> records;
    static constexpr float one = 1.0f;
    std::uint32_t state = 1;
    for (const auto& t : m.read.tensors()) {
        if (t.dims < 2 || t.name == "token_embd.weight") continue;
        auto& values = floats.emplace_back(t.cols());
        for (float& v : values) {
            state = state * 1664525u + 1013904223u;
            const float uniform = static_cast<float>(state >> 8) / 16777216.0f;
            v = 0.01f + uniform * uniform * uniform * 4.0f;
        }
        records.push_back({t.name, values, {&one, 1}});
    }
    gguf::memory_sink sink;
    const std::string_view dataset = "made-up.txt";
    REQUIRE(gguf::write_older_imatrix(sink, records, {{&dataset, 1}, 7, 512}));
    support::write_file(path, text_of(sink.bytes()));
}

}  // namespace

TEST_CASE("every file type equals llama.cpp's file") {
    if (!can_run()) return;
    std::size_t compared = 0;
    for (const auto& type : gguf::file_types) {
        if (llama_needs_importance(type)) continue;
        compared += compare(std::string(type.name), type.number, {}, {});
    }
    CHECK(compared >= 9);
}

TEST_CASE("every file type equals llama.cpp's file with importance") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    const std::string importance = folder / "imatrix.dat";
    write_importance(importance);
    for (const auto& type : gguf::file_types) compare(std::string(type.name), type.number, {"--imatrix", importance}, {"imatrix=" + importance});
}

TEST_CASE("options choose what llama.cpp's options choose") {
    if (!can_run()) return;
    compare("Q4_K_M", 15, {"--pure"}, {"pure"});
    compare("Q8_0", 7, {"--leave-output-tensor"}, {"leave-output"});
    compare("Q4_K_M", 15, {"--output-tensor-type", "q8_0", "--token-embedding-type", "f16"}, {"output=8", "embedding=1"});
    compare("Q4_K_M", 15, {"--tensor-type", "attn_v=q8_0", "--tensor-type", "blk\\.[01]\\.ffn=q4_0", "--tensor-type", "ffn_down=f16"},
            {"type=attn_v=8", "type=blk\\.[01]\\.ffn=2", "type=ffn_down=1"});
    compare("Q4_0", 2, {"--pure", "--tensor-type", "output=q6_k"}, {"pure", "type=output=14"});
    compare("F16", 1, {"--tensor-type", "attn_v=q8_0"}, {"type=attn_v=8"});
}

TEST_CASE("quantized input is quantized again as llama.cpp does it") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    REQUIRE(support::run({NIBBLE_TOOL, "quantize", model, folder / "in.gguf", "q8_0", "--quiet"}).code == 0);
    REQUIRE(support::run({NIBBLE_TOOL, "quantize", folder / "in.gguf", folder / "ours.gguf", "q4_k_m", "--quiet", "--allow-requantize"}).code == 0);
    REQUIRE(support::run({NIBBLE_LLAMA_QUANTIZE, libraries, folder / "in.gguf", folder / "theirs.gguf", "15", "requantize"}).code == 0);
    CHECK(difference(folder / "ours.gguf", folder / "theirs.gguf") == "");
}
