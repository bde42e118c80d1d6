// nibble inspect and nibble compare on safetensors files: a checkpoint and the GGUF file of the same model agree tensor by tensor.
#include <nibble/file/mapped_file.hpp>
#include <nibble/gguf/reader.hpp>
#include <nibble/gguf/writer.hpp>
#include <nibble/safetensors/index.hpp>
#include <nibble/safetensors/reader.hpp>
#include <nibble/safetensors/writer.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/test.hpp"

namespace {

using nibble::safetensors::dtype;
using support::finished;
using support::scratch_folder;

const std::string checkpoint = nibble::test::data_path("../examples/model/kjv-3m-bf16.safetensors");
const std::string gguf = nibble::test::data_path("../examples/model/kjv-3m-f16.gguf");

finished tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), NIBBLE_TOOL);
    return support::run(arguments);
}
nlohmann::json json(const finished& f) {
    INFO(f.err);
    REQUIRE(f.code == 0);
    return nlohmann::json::parse(f.out);
}

/// A safetensors file of one tensor.
void write_one(const std::string& path, dtype type, std::vector<std::uint64_t> shape, std::span<const std::byte> data) {
    auto out = nibble::safetensors::writer::create(path.c_str());
    REQUIRE(out);
    REQUIRE(out->add_tensor("w", type, shape));
    REQUIRE(out->begin());
    REQUIRE(out->write(data));
    REQUIRE(out->end_tensor());
    REQUIRE(out->finish());
}

/// The checkpoint in two files and an index.
void split(const scratch_folder& folder) {
    const auto file = nibble::file::mapped_file::open(checkpoint.c_str());
    REQUIRE(file);
    const auto whole = nibble::safetensors::reader::open(file->bytes());
    REQUIRE(whole);
    const std::string names[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    std::vector<nibble::safetensors::index_entry> entries;
    for (std::size_t shard = 0; shard < 2; ++shard) {
        auto out = nibble::safetensors::writer::create((folder / names[shard]).c_str());
        REQUIRE(out);
        REQUIRE(out->set("format", "pt"));
        const auto mine = [&](std::size_t i) { return (i % 3 == 0) == (shard == 0); };
        const auto tensors = whole->tensors();
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            if (!mine(i)) continue;
            REQUIRE(out->add_tensor(tensors[i]));
            entries.push_back({tensors[i].name, names[shard]});
        }
        REQUIRE(out->begin());
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            if (!mine(i)) continue;
            REQUIRE(out->write(tensors[i].data));
            REQUIRE(out->end_tensor());
        }
        REQUIRE(out->finish());
    }
    nibble::file::memory_sink text;
    REQUIRE(nibble::safetensors::write_index(text, entries, 0));
    support::write_file(folder / "model.safetensors.index.json", {reinterpret_cast<const char*>(text.bytes().data()), text.bytes().size()});
}

}  // namespace

TEST_CASE("inspect shows a safetensors file") {
    const auto out = json(tool({"inspect", checkpoint, "--json"}));
    CHECK(out["format"] == "safetensors");
    CHECK(out["elements"] == 3280640);
    CHECK(out["tensor_bytes"] == 2 * 3280640);
    CHECK(out["bits_per_weight"] == 16.0);
    CHECK(out["files"].empty());
    REQUIRE(out["metadata"].size() == 1);
    CHECK(out["metadata"][0]["value"] == "pt");
    REQUIRE(out["tensors"].size() == 39);
    CHECK(out["tensors"][0]["name"] == "model.embed_tokens.weight");
    CHECK(out["tensors"][0]["type"] == "BF16");
    CHECK(out["tensors"][0]["shape"] == nlohmann::json({256, 259}));  // row length first, as everywhere in the tool
    const auto text = tool({"inspect", checkpoint});
    CHECK(text.code == 0);
    CHECK(text.out.find("safetensors, 39 tensors") == 0);
    CHECK(text.err.empty());
}

TEST_CASE("a checkpoint and the GGUF file of the same model are practically equal") {
    for (const bool turned : {false, true}) {
        const auto out = json(tool({"compare", turned ? gguf : checkpoint, turned ? checkpoint : gguf, "--json", "--quiet"}));
        CHECK(out["only_a"].empty());
        CHECK(out["only_b"].empty());
        REQUIRE(out["tensors"].size() == 39);
        for (const auto& t : out["tensors"]) {
            INFO(t.dump());
            // bf16 keeps 8 bits of a number, an error of about 2^-9 / sqrt(3) of it: 55 dB. A wrong order of rows leaves 0 dB.
            CHECK(t["sqnr_db"].get<double>() > 54.0);
            CHECK(t["cosine"].get<double>() > 0.99999);
        }
        CHECK(out["total"]["sqnr_db"].get<double>() > 55.0);
    }
    CHECK(tool({"compare", checkpoint, gguf, "--quiet", "--min-sqnr", "55"}).code == 0);
    CHECK(tool({"compare", checkpoint, gguf, "--quiet", "--min-sqnr", "60"}).code == 5);
}

TEST_CASE("rows of q and k are reordered for the architectures that need it, and for no other") {
    // The same file under the name of an architecture that keeps the halves of a head: now q and k must differ, and only they.
    const scratch_folder folder;
    const auto file = nibble::file::mapped_file::open(gguf.c_str());
    REQUIRE(file);
    const auto model = nibble::gguf::reader::open(file->bytes());
    REQUIRE(model);
    auto out = nibble::gguf::writer::create((folder / "other.gguf").c_str());
    REQUIRE(out);
    REQUIRE(out->set("general.architecture", std::string_view("qwen2")));
    for (const auto& t : model->tensors()) REQUIRE(out->add_tensor(t));
    REQUIRE(out->begin());
    for (const auto& t : model->tensors()) {
        REQUIRE(out->write(t.data));
        REQUIRE(out->end_tensor());
    }
    REQUIRE(out->finish());
    const auto compared = json(tool({"compare", checkpoint, folder / "other.gguf", "--json", "--quiet"}));
    std::size_t different = 0;
    for (const auto& t : compared["tensors"]) {
        const std::string name = t["name"];
        const bool rotated = name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos;
        INFO(name);
        CHECK((t["sqnr_db"].get<double>() < 10.0) == rotated);
        different += rotated;
    }
    CHECK(different == 8);
}

TEST_CASE("a model in several files, by its index or its folder") {
    const scratch_folder folder;
    split(folder);
    const std::string index = folder / "model.safetensors.index.json";
    const auto shown = json(tool({"inspect", index, "--json"}));
    CHECK(shown["files"].size() == 2);
    CHECK(shown["tensors"].size() == 39);
    for (const std::string& path : {index, folder.path().string()}) {
        const auto out = json(tool({"compare", path, checkpoint, "--json", "--quiet"}));
        REQUIRE(out["tensors"].size() == 39);
        for (const auto& t : out["tensors"]) CHECK(t["same_bytes"] == true);
    }
    CHECK(json(tool({"compare", index, gguf, "--json", "--quiet"}))["total"]["sqnr_db"].get<double>() > 55.0);

    const scratch_folder links;
    for (const auto& name : folder.files()) std::filesystem::create_symlink(folder / name, links / name);
    const auto refused = tool({"inspect", links / "model.safetensors.index.json"});
    CHECK(refused.code == 1);
    CHECK(refused.err.find("symbolic link") != std::string::npos);
    CHECK(tool({"inspect", links / "model.safetensors.index.json", "--follow-links"}).code == 0);

    std::filesystem::remove(folder / "model-00002-of-00002.safetensors");
    const auto missing = tool({"inspect", index});
    CHECK(missing.code == 1);
    CHECK(missing.err.find("missing") != std::string::npos);
    const scratch_folder empty;
    CHECK(tool({"inspect", empty.path().string()}).code == 1);
}

TEST_CASE("types that only safetensors files have") {
    const scratch_folder folder;
    const double wide[] = {1.0, -0.5, 0.25, 448.0};
    const float narrow[] = {1.0f, -0.5f, 0.25f, 448.0f};
    const std::uint8_t eight[] = {0x38, 0xB0, 0x28, 0x7E};
    const std::int32_t integers[] = {1, 2, 3, 4};
    write_one(folder / "f64", dtype::f64, {2, 2}, std::as_bytes(std::span(wide)));
    write_one(folder / "f32", dtype::f32, {2, 2}, std::as_bytes(std::span(narrow)));
    write_one(folder / "f8", dtype::f8_e4m3, {2, 2}, std::as_bytes(std::span(eight)));
    write_one(folder / "i32", dtype::i32, {2, 2}, std::as_bytes(std::span(integers)));
    for (const char* other : {"f64", "f8"}) {
        const auto out = json(tool({"compare", folder / "f32", folder / other, "--json", "--quiet"}));
        CHECK(out["tensors"][0]["max_abs"] == 0.0);
        CHECK(out["tensors"][0]["same_bytes"] == false);
    }
    const auto same = json(tool({"compare", folder / "i32", folder / "i32", "--json", "--quiet"}));
    CHECK(same["tensors"][0]["same_bytes"] == true);
    CHECK_FALSE(same["tensors"][0].contains("rmse"));
    write_one(folder / "turned", dtype::f32, {4, 1}, std::as_bytes(std::span(narrow)));
    CHECK(tool({"compare", folder / "f32", folder / "turned"}).code == 3);
}

TEST_CASE("damaged files are one clear line and code 3") {
    const scratch_folder folder;
    const std::string whole = support::read_file(checkpoint);
    const std::pair<const char*, std::string> damaged[] = {{"cut", whole.substr(0, whole.size() - 1)},
                                                           {"longer", whole + "x"},
                                                           {"head", whole.substr(0, 100)},
                                                           {"index", "{\"weight_map\":{\"a\":\"../../etc/passwd\"}}"},
                                                           {"json", "{\"error\":\"not found\"}"}};
    for (const auto& [name, content] : damaged) {
        INFO(name);
        support::write_file(folder / name, content);
        const auto out = tool({"inspect", folder / name});
        CHECK(out.code == 3);
        CHECK(out.out.empty());
        CHECK(std::count(out.err.begin(), out.err.end(), '\n') == 1);
    }
    const auto quantized = tool({"quantize", checkpoint, folder / "out.gguf", "Q8_0"});
    CHECK(quantized.code == 3);
    CHECK(quantized.err.find("safetensors") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder / "out.gguf"));
}
