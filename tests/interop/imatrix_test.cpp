// Importance files: what nibble writes in either form llama.cpp's own loader reads, and both readers see the same.
#include <cmath>
#include <cstdio>
#include <map>
#include <nibble/gguf/imatrix.hpp>

#include "interop/model_files.hpp"

using namespace interop;

namespace {

/// What the program `llama_imatrix show` prints, as nibble reads it.
std::string as_shown(const std::string& path) {
    const auto map = gguf::mapped_file::open(path.c_str());
    REQUIRE(map);
    const auto read = gguf::imatrix::read(map->bytes());
    REQUIRE(read);
    std::map<std::string, std::string> lines;
    for (const auto& e : read->entries()) {
        std::vector<float> weights(e.size);
        e.weights(weights);
        std::string& line = lines[std::string(e.name)];
        for (const float w : weights) {
            char text[32];
            std::snprintf(text, sizeof text, " %a", static_cast<double>(w));
            line += text;
        }
    }
    std::string all;
    for (const auto& [name, line] : lines) all += name + line + '\n';
    return all;
}

support::finished show(const std::string& path) { return support::run({NIBBLE_LLAMA_IMATRIX, libraries, "show", path}); }

/// The first line, and all others.
std::pair<std::string, std::string> split(const std::string& shown) {
    const std::size_t end = shown.find('\n');
    return {shown.substr(0, end), shown.substr(end + 1)};
}

const std::vector<float> sums = [] {
    std::vector<float> values(256 * 4);
    std::uint32_t state = 3;
    for (float& v : values) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<float>(state >> 8) / 65536.0f;
    }
    return values;
}();
const std::vector<float> one = {768.0f}, of_experts = {100.0f, 0.0f, 28.0f, 1.0f};

const std::vector<gguf::imatrix_record> records = {{"blk.0.attn_q.weight", {sums.data(), 256}, one},
                                                   {"blk.0.ffn_up_exps.weight", sums, of_experts}};
const std::string_view datasets[] = {"some text.txt"};

}  // namespace

TEST_CASE("llama.cpp reads the GGUF form") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    {
        auto out = gguf::writer::create((folder / "imatrix.gguf").c_str());
        REQUIRE(out);
        REQUIRE(gguf::write_imatrix(*out, records, {datasets, 3, 256}));
        REQUIRE(out->finish());
    }
    const auto shown = show(folder / "imatrix.gguf");
    REQUIRE(shown.code == 0);
    const auto [head, entries] = split(shown.out);
    CHECK(head == "legacy 0 chunks 3 of 256 datasets some text.txt");
    CHECK(entries == as_shown(folder / "imatrix.gguf"));
}

TEST_CASE("llama.cpp reads the older form") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    gguf::memory_sink sink;
    REQUIRE(gguf::write_older_imatrix(sink, records, {datasets, 3, 256}));
    support::write_file(folder / "imatrix.dat", text_of(sink.bytes()));
    const auto shown = show(folder / "imatrix.dat");
    REQUIRE(shown.code == 0);
    const auto [head, entries] = split(shown.out);
    CHECK(head.starts_with("legacy 1 chunks 3 "));
    CHECK(head.ends_with("some text.txt"));
    CHECK(entries == as_shown(folder / "imatrix.dat"));
}

TEST_CASE("the importance file that is shipped is one") {
    if (!can_run()) return;
    const std::string path = NIBBLE_IMATRIX;
    const auto shown = show(path);
    REQUIRE(shown.code == 0);
    const auto [head, entries] = split(shown.out);
    CHECK(head == "legacy 0 chunks 784 of 256 datasets calibration.txt");
    CHECK(entries == as_shown(path));
    const auto map = gguf::mapped_file::open(path.c_str());
    const auto read = gguf::imatrix::read(map->bytes());
    // One entry for each matrix of each layer.
    std::size_t matrices = 0;
    const file m(NIBBLE_MODEL);
    for (const auto& t : m.read.tensors()) {
        if (t.dims != 2 || !t.name.starts_with("blk.")) continue;
        ++matrices;
        const auto* e = read->find(t.name);
        REQUIRE(e != nullptr);
        CHECK(e->size == t.cols());
    }
    CHECK(read->entries().size() == matrices);
}

TEST_CASE("importance is measured as it was for the shipped file") {
    if (!can_run()) return;
    const support::scratch_folder folder;
    const auto made =
        support::run({NIBBLE_LLAMA_IMATRIX, libraries, "make", NIBBLE_MODEL, NIBBLE_CALIBRATION, "32", folder / "imatrix.gguf"});
    INFO(made.err);
    REQUIRE(made.code == 0);
    // A part of the text instead of all of it: near, for every entry.
    const auto near = gguf::mapped_file::open((folder / "imatrix.gguf").c_str()), whole = gguf::mapped_file::open(NIBBLE_IMATRIX);
    const auto a = gguf::imatrix::read(near->bytes()), b = gguf::imatrix::read(whole->bytes());
    REQUIRE(a->entries().size() == b->entries().size());
    for (const auto& e : b->entries()) {
        std::vector<float> x(e.size), y(e.size);
        REQUIRE(a->find(e.name) != nullptr);
        a->find(e.name)->weights(x);
        e.weights(y);
        double xy = 0, xx = 0, yy = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            xy += static_cast<double>(x[i]) * static_cast<double>(y[i]);
            xx += static_cast<double>(x[i]) * static_cast<double>(x[i]);
            yy += static_cast<double>(y[i]) * static_cast<double>(y[i]);
        }
        INFO(e.name);
        CHECK(xy > 0.9 * std::sqrt(xx * yy));
    }
}
