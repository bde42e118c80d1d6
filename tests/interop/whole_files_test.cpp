// Whole files: what `nibble quantize` makes of the shipped model is what llama.cpp makes of it, byte for byte, for every file type.
#include "interop/model_files.hpp"

using namespace interop;

namespace {

const std::string model = NIBBLE_MODEL;

/// Runs both programs on the model and compares their files.
void compare(const std::string& type, std::uint32_t number, const std::vector<std::string>& our_options,
             const std::vector<std::string>& their_options) {
    const support::scratch_folder folder;
    std::vector<std::string> ours = {NIBBLE_TOOL, "quantize", model, folder / "ours.gguf", type, "--quiet"};
    ours.insert(ours.end(), our_options.begin(), our_options.end());
    const auto we = support::run(ours);
    INFO(type << ": " << we.err);
    CHECK(we.code == 0);
    if (we.code != 0) return;

    std::vector<std::string> theirs = {NIBBLE_LLAMA_QUANTIZE, libraries, model, folder / "theirs.gguf", std::to_string(number)};
    theirs.insert(theirs.end(), their_options.begin(), their_options.end());
    const auto they = support::run(theirs);
    INFO("llama.cpp: " << they.err.substr(they.err.size() > 2000 ? they.err.size() - 2000 : 0));
    CHECK(they.code == 0);
    if (they.code != 0) return;
    CHECK(difference(folder / "ours.gguf", folder / "theirs.gguf") == "");
}

}  // namespace

TEST_CASE("every file type equals llama.cpp's file") {
    if (!can_run()) return;
    const file source(model);
    for (const auto& type : gguf::file_types) {
        if (!llama_makes(type) || llama_needs_importance(source.read, type)) continue;
        compare(std::string(type.name), type.number, {}, {});
    }
}

TEST_CASE("every file type equals llama.cpp's file with importance") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    const std::string importance = folder / "imatrix.dat";
    write_importance(file(model).read, importance);
    for (const auto& type : gguf::file_types) {
        if (llama_makes(type)) compare(std::string(type.name), type.number, {"--imatrix", importance}, {"imatrix=" + importance});
    }
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

TEST_CASE("--include-weights and --exclude-weights do what a shorter importance file does") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    const std::string path = folder / "imatrix.dat";
    const auto is_attention = [](std::string_view name) {
        return name.find("attn_q") != std::string_view::npos || name.find("blk.1") != std::string_view::npos;
    };
    for (const bool include : {true, false}) {
        write_importance(file(model).read, path);
        std::vector<std::string> command = {NIBBLE_TOOL, "quantize", model, folder / "ours.gguf", "q4_0", "--quiet", "--imatrix", path};
        for (const char* part : {"attn_q", "blk.1"})
            command.insert(command.end(), {include ? "--include-weights" : "--exclude-weights", part});
        REQUIRE(support::run(command).code == 0);
        // llama.cpp is given a file of the same name with only the entries that are left.
        write_importance(file(model).read, path, [&](std::string_view name) { return is_attention(name) == include; });
        REQUIRE(support::run({NIBBLE_LLAMA_QUANTIZE, libraries, model, folder / "theirs.gguf", "2", "imatrix=" + path}).code == 0);
        CHECK(difference(folder / "ours.gguf", folder / "theirs.gguf") == "");
    }
}

TEST_CASE("quantized input of every type is quantized again as llama.cpp does it") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    for (const auto& type : gguf::file_types) {
        const auto made = support::run({NIBBLE_TOOL, "quantize", model, folder / "in.gguf", std::string(type.name), "--quiet", "--pure"});
        INFO(type.name << ": " << made.err);
        REQUIRE(made.code == 0);
        REQUIRE(support::run({NIBBLE_TOOL, "quantize", folder / "in.gguf", folder / "ours.gguf", "q4_k_m", "--quiet", "--allow-requantize"})
                    .code == 0);
        REQUIRE(support::run({NIBBLE_LLAMA_QUANTIZE, libraries, folder / "in.gguf", folder / "theirs.gguf", "15", "requantize"}).code == 0);
        CHECK(difference(folder / "ours.gguf", folder / "theirs.gguf") == "");
    }
}
