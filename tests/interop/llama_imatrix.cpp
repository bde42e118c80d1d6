// Importance files and llama.cpp:
//     llama_imatrix LIBRARIES make MODEL TEXT WINDOWS OUT   measures importance while llama.cpp evaluates the text, and writes OUT with
//     nibble llama_imatrix LIBRARIES show FILE                     prints what llama.cpp's own loader reads, a line for each entry and for
//     the rest
// WINDOWS: how many windows of 256 tokens; 0: all. `make` is only for models whose tokens are <unk>, <s>, </s> and the 256 bytes.
#include <cmath>
#include <cstdint>
#include <map>
#include <nibble/gguf/imatrix_writer.hpp>
#include <vector>

#include "llama.hpp"
#include "windows.hpp"

namespace {

// --- show: common/imatrix-loader.h of 2026 ----------------------------------------------------------------------------------

struct loaded_entry {
    std::vector<float> sums;
    std::vector<std::int64_t> counts;
};
struct loaded {
    std::map<std::string, loaded_entry> entries;
    std::vector<std::string> datasets;
    std::int32_t chunk_count = 0, chunk_size = 0;
    bool is_legacy = false, has_metadata = false;
    std::byte more[256] = {};  // if it grows
};

int show(llama::library& library, const std::filesystem::path& folder, const std::string& path) {
    library.load(folder / "libllama-common.so");
    loaded file;
    if (!library.get<bool (*)(const std::string&, loaded&)>(
            "_Z19common_imatrix_loadRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEER14common_imatrix")(path, file)) {
        return 1;
    }
    std::printf("legacy %d chunks %d of %d datasets", file.is_legacy, file.chunk_count, file.chunk_size);
    for (const auto& name : file.datasets) std::printf(" %s", name.c_str());
    std::printf("\n");
    for (const auto& [name, entry] : file.entries) {
        std::printf("%s", name.c_str());
        const std::size_t cols = entry.sums.size() / entry.counts.size();
        for (std::size_t i = 0; i < entry.sums.size(); ++i) {
            const auto count = static_cast<float>(entry.counts[i / cols]);
            std::printf(" %a", static_cast<double>(count > 0 ? entry.sums[i] / count : 1.0f));
        }
        std::printf("\n");
    }
    return 0;
}

// --- make -------------------------------------------------------------------------------------------------------------------

/// The head of ggml_tensor of 2026.
struct tensor {
    std::int32_t type;
    void* buffer;
    std::int64_t size[4];
    std::size_t stride[4];
    std::int32_t op, op_parameters[16], flags;
    tensor* sources[10];
    tensor* view_of;
    std::size_t view_offset;
    std::byte* data;
    char name[64];
};
static_assert(offsetof(tensor, name) == 256);

struct collector {
    const char* (*op_name)(const tensor*) = nullptr;
    struct sums {
        std::vector<float> squares;
        float rows = 0;
    };
    std::map<std::string, sums> entries;

    bool wants(const tensor* t) const {
        return std::string_view(op_name(t)) == "MUL_MAT" && std::string_view(t->sources[0]->name).starts_with("blk.") &&
               t->sources[1]->type == 0 && t->sources[1]->size[1] >= 16;
    }
    void add(const tensor* t) {
        const tensor& x = *t->sources[1];
        auto& entry = entries[t->sources[0]->name];
        entry.squares.resize(static_cast<std::size_t>(x.size[0]));
        for (std::int64_t r = 0; r < x.size[1]; ++r) {
            const auto* row = reinterpret_cast<const float*>(x.data + static_cast<std::size_t>(r) * x.stride[1]);
            for (std::size_t c = 0; c < entry.squares.size(); ++c) entry.squares[c] += row[c] * row[c];
        }
        entry.rows += static_cast<float>(x.size[1]);
    }
};

/// Called before (ask) and after each operation; false before: not interested.
bool on_operation(tensor* t, bool ask, void* to) {
    auto& all = *static_cast<collector*>(to);
    if (ask) return all.wants(t);
    if (all.wants(t)) all.add(t);
    return true;
}

int make(const llama::library& library, const char* model, const std::string& text, std::size_t most, const char* out_path) {
    collector all;
    all.op_name = library.get<const char* (*)(const tensor*)>("ggml_op_desc");
    llama::session session(library, model, [&](llama::parameters& p) { return p.set_callback(on_operation, &all); });
    const auto windows = llama::windows_of(text, most);
    if (!session || windows.empty()) return 1;
    for (const auto& w : windows) {
        if (!session.evaluate(w)) return 1;
    }

    std::vector<nibble::gguf::imatrix_record> records;
    for (const auto& [name, sums] : all.entries) records.push_back({name, sums.squares, {&sums.rows, 1}});
    const std::string dataset = std::filesystem::path(text).filename().string();
    const std::string_view datasets[] = {dataset};
    auto out = nibble::gguf::writer::create(out_path);
    if (!out) return 1;
    const auto written = write_imatrix(*out, records, {datasets, static_cast<std::uint32_t>(windows.size()), llama::window_size});
    return written && out->finish() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string command = argc < 4 ? "" : argv[2];
    if (!(command == "show" && argc == 4) && !(command == "make" && argc == 7)) return 2;
    llama::library library(argv[1], "", true);
    if (command == "show") return show(library, argv[1], argv[3]);
    return make(library, argv[3], argv[4], std::strtoul(argv[5], nullptr, 10), argv[6]);
}
