// The recipes choose the tensor types that llama.cpp's quantizer chooses, for models of other kinds and shapes than the shipped one. The
// models are made up: real names and metadata, tiny tensors.
#include <algorithm>
#include <nibble/gguf/writer.hpp>
#include <sstream>

#include "interop/model_files.hpp"

using namespace interop;

namespace {

struct kind_of_model {
    std::string title, architecture = "llama";
    std::uint32_t layers = 32, heads = 32, heads_kv = 32, experts = 0;
    std::uint64_t width = 256, hidden = 256;
    bool tied = false;                   ///< no output.weight
    std::vector<std::string> more = {};  ///< further matrices, of `width` columns
    std::vector<std::string> layer = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
};

std::vector<kind_of_model> kinds() {
    std::vector<kind_of_model> all;
    all.push_back({.title = "8B", .heads_kv = 8});
    all.push_back({.title = "no shared heads"});
    all.push_back({.title = "70B", .layers = 80, .heads = 64, .heads_kv = 8});
    all.push_back({.title = "qwen2 of 80 layers", .architecture = "qwen2", .layers = 80, .heads = 64, .heads_kv = 8});
    all.push_back({.title = "tied embedding", .layers = 26, .heads_kv = 16, .tied = true});
    for (const std::uint32_t experts : {4u, 8u, 60u}) {
        all.push_back(
            {.title = std::to_string(experts) + " experts",
             .layers = 24,
             .heads_kv = 8,
             .experts = experts,
             .layer = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"}});
    }
    all.push_back({.title = "falcon", .architecture = "falcon", .heads_kv = 1, .layer = {"attn_qkv", "attn_output", "ffn_up", "ffn_down"}});
    all.push_back({.title = "rows of 160 and 416", .layers = 12, .heads = 5, .heads_kv = 5, .width = 160, .hidden = 416});
    all.push_back({.title = "rows of 272", .layers = 8, .heads = 17, .heads_kv = 17, .width = 272, .hidden = 272});
    kind_of_model odd{.title = "names that are kept", .layers = 4};
    for (const auto& p : gguf::kept_patterns) {
        std::string name = (p.whole ? "" : "blk.1.") + std::string(p.text);
        if (!name.ends_with(".weight")) name += name.ends_with('.') ? "weight" : ".weight";
        odd.more.push_back(name);
    }
    // And a few that are not.
    for (const char* name :
         {"blk.1.attn_kv_b.weight", "blk.1.attn_kv_a_mqa.weight", "blk.1.ssm_in.weight", "blk.1.ffn_down_shexp.weight", "cls.weight",
          "per_layer_token_embd.weight", "blk.1.time_mix_key.weight", "blk.1.attn_q.bias", "rope_freqs.weight"}) {
        odd.more.push_back(name);
    }
    all.push_back(odd);
    return all;
}

void write_model(const kind_of_model& kind, const std::string& path) {
    auto out = gguf::writer::create(path.c_str());
    REQUIRE(out);
    const auto set = [&](const std::string& key, auto value) { REQUIRE(out->set(kind.architecture + "." + key, value)); };
    REQUIRE(out->set("general.architecture", std::string_view(kind.architecture)));
    set("block_count", kind.layers);
    set("context_length", 256u);
    set("vocab_size", 4u);
    set("embedding_length", static_cast<std::uint32_t>(kind.width));
    set("feed_forward_length", static_cast<std::uint32_t>(kind.hidden));
    set("attention.head_count", kind.heads);
    set("attention.head_count_kv", kind.heads_kv);
    set("attention.layer_norm_rms_epsilon", 1e-5f);
    set("attention.layer_norm_epsilon", 1e-5f);
    if (kind.experts != 0) {
        set("expert_count", kind.experts);
        set("expert_used_count", 2u);
    }
    std::vector<std::uint64_t> sizes;
    const auto add = [&](const std::string& name, std::uint64_t cols) {
        const bool stacked = name.find("_exps") != std::string::npos;
        const std::vector<std::uint64_t> shape =
            stacked ? std::vector<std::uint64_t>{cols, 2, kind.experts} : std::vector<std::uint64_t>{cols, 4};
        REQUIRE(out->add_tensor(name, 0, shape));
        sizes.push_back(cols * (stacked ? 2 * kind.experts : 4));
    };
    add("token_embd.weight", kind.width);
    if (!kind.tied) add("output.weight", kind.width);
    for (const auto& name : kind.more) add(name, kind.width);
    for (std::uint32_t i = 0; i < kind.layers; ++i) {
        for (const auto& name : kind.layer) {
            add("blk." + std::to_string(i) + "." + name + ".weight", name.starts_with("ffn_down") ? kind.hidden : kind.width);
        }
    }
    REQUIRE(out->begin());
    std::uint32_t state = 7;
    for (const std::uint64_t size : sizes) {
        std::vector<float> values(size);
        for (float& v : values) {
            state = state * 1664525u + 1013904223u;
            v = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
        }
        REQUIRE(out->write(std::as_bytes(std::span(values))));
        REQUIRE(out->end_tensor());
    }
    REQUIRE(out->finish());
}

/// What llama.cpp prints of a dry run, as "name type" lines with ggml's names. A kept tensor has no type behind the arrow.
std::string types_of(const std::string& log) {
    std::string text;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t name = line.find("] "), shape = line.find(" - ["), kept = line.find("type = "), chosen = line.rfind('(');
        if (!line.starts_with("[") || name == std::string::npos || shape == std::string::npos || kept == std::string::npos) continue;
        const std::size_t from = line.find_first_not_of(' ', kept + 7);
        std::string type = chosen == std::string::npos ? line.substr(from, line.find(',', from) - from)
                                                       : line.substr(chosen + 1, line.rfind(')') - chosen - 1);
        const auto* known = gguf::find_tensor_type(type);
        text +=
            line.substr(name + 2, line.find(' ', name + 2) - name - 2) + ' ' + (known == nullptr ? type : std::string(known->name)) + '\n';
    }
    return text;
}
std::string types_of(const std::vector<chosen_tensor>& choices) {
    std::string text;
    for (const auto& t : choices) text += t.name + ' ' + std::string(gguf::type_name(t.choice.type)) + '\n';
    return text;
}
/// The first line in which two lists differ.
std::string first_difference(const std::string& a, const std::string& b) {
    if (a == b) return "";
    std::size_t start = 0, at = 0;
    for (; at < a.size() && at < b.size() && a[at] == b[at]; ++at) {
        if (a[at] == '\n') start = at + 1;
    }
    return a.substr(start, a.find('\n', at) - start) + " here, there " + b.substr(start, b.find('\n', at) - start);
}

}  // namespace

TEST_CASE("every file type mixes tensor types as llama.cpp does, in models of many kinds") {
    if (!can_run()) return;
    for (const auto& kind : kinds()) {
        const support::scratch_folder folder;
        write_model(kind, folder / "model.gguf");
        const file model(folder / "model.gguf");
        write_importance(model.read, folder / "imatrix.dat");
        for (const auto& type : gguf::file_types) {
            for (const bool importance : {false, true}) {
                std::vector<std::string> command = {NIBBLE_LLAMA_QUANTIZE,       libraries, folder / "model.gguf", folder / "out.gguf",
                                                    std::to_string(type.number), "dry-run"};
                if (importance) command.push_back("imatrix=" + (folder / "imatrix.dat"));
                const auto they = support::run(command);
                INFO(kind.title << ", " << type.name << (importance ? " with" : " without")
                                << " importance: " << they.err.substr(they.err.size() > 600 ? they.err.size() - 600 : 0));
                const auto ours = choose(model.read, type, {.importance = importance});
                if (!llama_makes(type)) {
                    CHECK(they.err.find("invalid output file type") != std::string::npos);
                    continue;
                }
                CHECK((they.code == 0) == !ours.empty());
                if (they.code == 0) CHECK(first_difference(types_of(ours), types_of(they.err)) == "");
                if (importance) continue;
                const bool wants = std::any_of(ours.begin(), ours.end(), [](const auto& t) { return t.choice.wants_importance; });
                CHECK(wants == (they.err.find("will require an imatrix") != std::string::npos));
            }
        }
    }
}

TEST_CASE("a tensor type that the user asks for falls back as llama.cpp's does") {
    if (!can_run()) return;
    const gguf::file_type& file_type = *gguf::find_file_type("Q4_K_M");
    for (const std::uint64_t width : {256, 160, 272}) {
        const support::scratch_folder folder;
        write_model({.title = "", .layers = 2, .heads = 1, .heads_kv = 1, .width = width, .hidden = width}, folder / "model.gguf");
        const file model(folder / "model.gguf");
        for (const auto& type : gguf::tensor_types) {
            if (!type.weights) continue;
            const auto they = support::run({NIBBLE_LLAMA_QUANTIZE, libraries, folder / "model.gguf", folder / "out.gguf",
                                            std::to_string(file_type.number), "dry-run", "type=attn_q=" + std::to_string(type.number)});
            INFO("rows of " << width << ", " << type.name << ": " << they.err.substr(they.err.size() > 600 ? they.err.size() - 600 : 0));
            const auto ours = choose(model.read, file_type, {}, "attn_q", &type);
            CHECK((they.code == 0) == !ours.empty());
            if (they.code == 0) CHECK(first_difference(types_of(ours), types_of(they.err)) == "");
        }
    }
}
