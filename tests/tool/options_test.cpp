// Every option of `nibble quantize` does what it says.
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "tool/tool.hpp"

using namespace tool_test;

namespace {

/// Quantizes and expects success. @return standard output
std::string quantize(const model_folder& folder, const std::string& type, const words& options = {}) {
    words arguments = {"quantize", folder.in(), folder.out(), type};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const auto done = tool(arguments);
    INFO(done.err);
    CHECK(done.code == 0);
    return done.out;
}

std::set<std::string> types_of(const model_file& m) {
    std::set<std::string> types;
    for (const auto& t : m.read.tensors()) types.insert(std::string(gguf::type_name(t.type)));
    return types;
}

/// Importance for all matrices of the small model: large for the columns 0, 16, 32, ...
void write_importance(const std::string& path, const words& names, bool older) {
    std::vector<float> values(512, 0.01f);
    for (std::size_t i = 0; i < values.size(); i += 16) values[i] = 100.0f;
    const std::vector<float> count(1, 2.0f);
    std::vector<gguf::imatrix_record> records;
    for (const auto& name : names) {
        const std::size_t cols = name.find("ffn_down") != std::string::npos ? 512 : 256;
        records.push_back({name, {values.data(), cols}, count});
    }
    const std::string_view dataset = "some text.txt";
    if (older) {
        gguf::memory_sink sink;
        REQUIRE(gguf::write_older_imatrix(sink, records, {{&dataset, 1}, 5, 512}));
        support::write_file(path, {reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size()});
    } else {
        auto out = gguf::writer::create(path.c_str());
        REQUIRE(out);
        REQUIRE(gguf::write_imatrix(*out, records, {{&dataset, 1}, 5, 512}));
        REQUIRE(out->finish());
    }
}

const words all_matrices = [] {
    words names;
    for (const auto& t : small_model().tensors) {
        if (t.shape.size() > 1) names.push_back(t.name);
    }
    return names;
}();

}  // namespace

TEST_CASE("the type has llama.cpp's name in any case, or its number") {
    const model_folder folder;
    quantize(folder, "Q4_K_M");
    const std::string first = support::read_file(folder.out());
    for (const char* type : {"q4_k_m", "q4_K_m", "Q4_K", "15"}) {
        quantize(folder, type);
        CHECK(support::read_file(folder.out()) == first);
    }
    const model_file m(folder.out());
    CHECK(m.read.find("general.file_type")->as_u64().value_or(0) == 15);
    CHECK(m.read.find("general.quantization_version")->as_u64().value_or(0) == 2);
    CHECK(types_of(m) == std::set<std::string>{"F32", "Q4_K", "Q6_K"});
}

TEST_CASE("an existing output is replaced, and its mode is kept") {
    const model_folder folder;
    support::write_file(folder.out(), "old");
    std::filesystem::permissions(folder.out(), std::filesystem::perms(0640));
    quantize(folder, "q8_0");
    CHECK(model_file(folder.out()).type("output.weight") == "Q8_0");
    CHECK(std::filesystem::status(folder.out()).permissions() == std::filesystem::perms(0640));
    CHECK(folder.files() == words{"in.gguf", "out.gguf"});
}

TEST_CASE("--pure gives all matrices one type") {
    const model_folder folder;
    quantize(folder, "q4_k_m", {"--pure"});
    CHECK(types_of(model_file(folder.out())) == std::set<std::string>{"F32", "Q4_K"});
}

TEST_CASE("--tensor-type decides for the names it matches; the first match wins") {
    const model_folder folder;
    quantize(folder, "q4_0", {"--tensor-type", "ATTN_v=Q8_0", "--tensor-type", "blk\\.0\\.=q5_1", "--tensor-type=ffn_down=f16"});
    const model_file m(folder.out());
    CHECK(m.type("blk.0.attn_v.weight") == "Q8_0");
    CHECK(m.type("blk.1.attn_v.weight") == "Q8_0");
    CHECK(m.type("blk.0.ffn_down.weight") == "Q5_1");
    CHECK(m.type("blk.1.ffn_down.weight") == "F16");
    CHECK(m.type("blk.0.attn_norm.weight") == "F32");
    CHECK(m.type("blk.1.attn_q.weight") == "Q4_0");
}

TEST_CASE("--output-tensor-type, --token-embedding-type and --leave-output-tensor") {
    const model_folder folder;
    quantize(folder, "q4_0", {"--output-tensor-type", "bf16", "--token-embedding-type", "q5_0"});
    CHECK(model_file(folder.out()).type("output.weight") == "BF16");
    CHECK(model_file(folder.out()).type("token_embd.weight") == "Q5_0");
    CHECK(model_file(folder.out()).type("blk.0.attn_q.weight") == "Q4_0");
    quantize(folder, "q4_0", {"--leave-output-tensor"});
    CHECK(model_file(folder.out()).type("output.weight") == "F32");
    CHECK(model_file(folder.out()).type("token_embd.weight") == "Q4_0");
}

TEST_CASE("--allow-requantize takes quantized tensors") {
    const model_folder folder;
    quantize(folder, "q8_0");
    const auto refused = tool({"quantize", folder.out(), folder / "again.gguf", "q4_0"});
    CHECK(refused.code == 3);
    CHECK(refused.err.find("--allow-requantize") != std::string::npos);
    CHECK(tool({"quantize", folder.out(), folder / "again.gguf", "q4_0", "--allow-requantize"}).code == 0);
    CHECK(model_file(folder / "again.gguf").type("blk.0.attn_q.weight") == "Q4_0");
    // What has the wanted type already is copied, and needs no permission.
    CHECK(tool({"quantize", folder.out(), folder / "same.gguf", "q8_0"}).code == 0);
    CHECK(support::read_file(folder / "same.gguf") == support::read_file(folder.out()));
}

TEST_CASE("--dry-run shows the plan and writes nothing") {
    const model_folder folder;
    const std::string plan = quantize(folder, "q4_k_m", {"--dry-run"});
    CHECK(folder.files() == words{"in.gguf"});
    quantize(folder, "q4_k_m");
    const model_file made(folder.out());
    for (const auto& t : made.read.tensors()) {
        const std::size_t at = plan.find(std::string(t.name) + ' ');
        REQUIRE(at != std::string::npos);
        CHECK(plan.substr(at, plan.find('\n', at) - at).find(' ' + std::string(gguf::type_name(t.type)) + ' ') != std::string::npos);
    }
    CHECK(plan.find("would write") != std::string::npos);
    // It says what a real run would say: here that quantizing again needs permission.
    CHECK(tool({"quantize", folder.out(), folder / "again.gguf", "q4_0", "--dry-run"}).code == 3);
}

TEST_CASE("--no-clobber leaves an existing output alone") {
    const model_folder folder;
    quantize(folder, "q8_0", {"--no-clobber"});
    const std::string first = support::read_file(folder.out());
    CHECK(tool({"quantize", folder.in(), folder.out(), "q4_0", "--no-clobber"}).code == 4);
    CHECK(support::read_file(folder.out()) == first);
}

TEST_CASE("--imatrix changes bytes where it has entries, in both forms alike") {
    const model_folder folder;
    quantize(folder, "q4_0");
    const std::string plain = support::read_file(folder.out());
    write_importance(folder / "imatrix.dat", all_matrices, true);
    write_importance(folder / "imatrix.gguf", all_matrices, false);
    quantize(folder, "q4_0", {"--imatrix", folder / "imatrix.dat"});
    const model_file older(folder.out());
    std::filesystem::rename(folder.out(), folder / "older.gguf");
    quantize(folder, "q4_0", {"--imatrix", folder / "imatrix.gguf"});
    const model_file newer(folder.out());

    for (const model_file* m : {&older, &newer}) {
        const auto file = m->read.find("quantize.imatrix.file")->as_string().value_or("");
        CHECK((file == folder / "imatrix.dat" || file == folder / "imatrix.gguf"));
        CHECK(m->read.find("quantize.imatrix.dataset")->as_string().value_or("") == "some text.txt");
        CHECK(m->read.find("quantize.imatrix.entries_count")->as_u64().value_or(0) == all_matrices.size());
        CHECK(m->read.find("quantize.imatrix.chunks_count")->as_u64().value_or(0) == 5);
    }
    bool changed = false;
    for (std::size_t i = 0; i < older.read.tensors().size(); ++i) {
        const auto &a = older.read.tensors()[i], &b = newer.read.tensors()[i];
        CHECK(std::ranges::equal(a.data, b.data));
        const std::string_view bytes(reinterpret_cast<const char*>(a.data.data()), a.data.size());
        if (a.name == "blk.0.attn_q.weight") changed = plain.find(bytes) == std::string::npos;
    }
    CHECK(changed);
}

TEST_CASE("--include-weights and --exclude-weights choose the entries of the importance file") {
    const model_folder folder;
    const auto run = [&](const words& names, words options) {
        write_importance(folder / "imatrix.dat", names, true);
        options.insert(options.end(), {"--imatrix", folder / "imatrix.dat"});
        quantize(folder, "q4_k_m", options);
        return support::read_file(folder.out());
    };
    words attention, others;
    for (const auto& name : all_matrices)
        (name.find("attn_q") != std::string::npos || name.find("attn_k") != std::string::npos ? attention : others).push_back(name);
    CHECK(run(all_matrices, {"--include-weights", "attn_q", "--include-weights", "attn_k"}) == run(attention, {}));
    CHECK(run(all_matrices, {"--exclude-weights", "attn_q", "--exclude-weights", "attn_k"}) == run(others, {}));
    CHECK(run(attention, {}) != run(others, {}));
    // Nothing left: as without a file.
    quantize(folder, "q4_k_m");
    const std::string plain = support::read_file(folder.out());
    CHECK(run(all_matrices, {"--include-weights", "no such name"}) == plain);
}

TEST_CASE("an importance file for another model is refused; missing entries are not") {
    const model_folder folder;
    write_importance(folder / "few.dat", {"blk.0.attn_q.weight"}, true);
    quantize(folder, "q4_0", {"--imatrix", folder / "few.dat"});
    const std::vector<float> wrong(128, 1.0f), count(1, 1.0f);
    const gguf::imatrix_record record{"blk.0.attn_q.weight", wrong, count};
    gguf::memory_sink sink;
    REQUIRE(gguf::write_older_imatrix(sink, {&record, 1}, {}));
    support::write_file(folder / "other.dat", {reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size()});
    const auto refused = tool({"quantize", folder.in(), folder / "new.gguf", "q4_0", "--imatrix", folder / "other.dat"});
    CHECK(refused.code == 3);
    CHECK(refused.err.find("another model") != std::string::npos);
    CHECK(!std::filesystem::exists(folder / "new.gguf"));
}

TEST_CASE("importance that is not finite or negative is refused") {
    const model_folder folder;
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -1.0f}) {
        std::vector<float> values(256, 1.0f), count(1, 1.0f);
        values[17] = bad;
        const gguf::imatrix_record record{"blk.0.attn_q.weight", values, count};
        gguf::memory_sink sink;
        REQUIRE(gguf::write_older_imatrix(sink, {&record, 1}, {}));
        support::write_file(folder / "bad.dat", {reinterpret_cast<const char*>(sink.bytes().data()), sink.bytes().size()});
        const auto refused = tool({"quantize", folder.in(), folder.out(), "q4_0", "--imatrix", folder / "bad.dat"});
        CHECK(refused.code == 3);
        CHECK(is_one_clear_line(refused.err));
        CHECK(refused.err.find("blk.0.attn_q.weight") != std::string::npos);
        CHECK(!std::filesystem::exists(folder.out()));
    }
}

TEST_CASE("--clamp takes NaN and infinity") {
    test_model m = small_model(1);
    m.tensors.push_back({"blk.0.odd.weight", {256, 2}, 0, made_up_weights(512, 5)});
    m.tensors.back().values[10] = std::nanf("");
    m.tensors.back().values[300] = std::numeric_limits<float>::infinity();
    const model_folder folder(m);
    const auto refused = tool({"quantize", folder.in(), folder.out(), "q8_0"});
    CHECK(refused.code == 3);
    CHECK(refused.err.find("blk.0.odd.weight: element 10 is NaN") != std::string::npos);
    CHECK(refused.err.find("--clamp") != std::string::npos);
    quantize(folder, "q8_0", {"--clamp"});
    CHECK(model_file(folder.out()).type("blk.0.odd.weight") == "Q8_0");

    // A tensor that is converted in more than one piece, and a value that no scale of the type reaches.
    m.tensors.back() = {"blk.0.odd.weight", {256, 8200}, 0, std::vector<float>(256 * 8200, 0.5f)};
    m.tensors.back().values[256 * 8195 + 7] = 1e20f;
    const model_folder large(m);
    const auto too_large = tool({"quantize", large.in(), large.out(), "q4_0"});
    CHECK(too_large.code == 3);
    CHECK(too_large.err.find("blk.0.odd.weight: the row of element " + std::to_string(256 * 8195)) != std::string::npos);
    quantize(large, "q4_0", {"--clamp"});
}

TEST_CASE("NaN in tensors that keep their type") {
    test_model m = small_model(1);
    m.tensors[2].values = made_up_weights(256, 5);
    m.tensors[2].values[7] = std::nanf("");
    const model_folder floats(m);
    const auto refused = tool({"quantize", floats.in(), floats.out(), "q8_0"});
    CHECK(refused.code == 3);
    CHECK(is_one_clear_line(refused.err));
    CHECK(refused.err.find("output_norm.weight: element 7 is NaN") != std::string::npos);
    CHECK(refused.err.find("--clamp") != std::string::npos);
    quantize(floats, "q8_0", {"--clamp"});
    auto expected = m.tensors[2].values;
    expected[7] = 0.0f;
    std::string content = support::read_file(floats.out());
    {
        const model_file whole(floats.out());
        const auto written = whole.read.find_tensor("output_norm.weight")->data;
        REQUIRE(written.size() == expected.size() * sizeof(float));
        CHECK(std::memcmp(written.data(), expected.data(), written.size()) == 0);

        // What is quantized already cannot be mended without loss.
        const auto* t = whole.read.find_tensor("blk.0.attn_q.weight");
        content.replace(static_cast<std::size_t>(t->data.data() - whole.map.bytes().data()) + 34, 2, "\xFF\x7F");  // a scale of NaN
    }
    support::write_file(floats.in(), content);
    for (const words& clamp : {words{}, words{"--clamp"}}) {
        words arguments = {"quantize", floats.in(), floats / "again.gguf", "q8_0"};
        arguments.insert(arguments.end(), clamp.begin(), clamp.end());
        const auto damaged = tool(arguments);
        CHECK(damaged.code == 3);
        CHECK(is_one_clear_line(damaged.err));
        CHECK(damaged.err.find("blk.0.attn_q.weight: element 32 is NaN or infinite: the model is damaged") != std::string::npos);
        CHECK(!std::filesystem::exists(floats / "again.gguf"));
    }
}

TEST_CASE("--search best is never worse") {
    const model_folder folder;
    const auto rmse = [&](const char* search) {
        return json::parse(quantize(folder, "q4_k_m", {"--search", search, "--measure", "--json"}))["total"]["rmse"].get<double>();
    };
    const double reference = rmse("reference"), best = rmse("best");
    CHECK(reference > 0);
    CHECK(best <= reference);
}

TEST_CASE("--threads does not change a byte") {
    const model_folder folder(small_model(1, 77));
    std::string first;
    for (const char* threads : {"1", "2", "7", "0"}) {
        quantize(folder, "q4_k_m", {"-t", threads});
        if (first.empty()) first = support::read_file(folder.out());
        CHECK(support::read_file(folder.out()) == first);
    }
}

TEST_CASE("metadata and tensors that are not converted survive, also those that this version does not know") {
    test_model m = small_model(1);
    m.numbers.push_back({"custom.answer", 42});
    m.tensors.push_back({"blk.0.table", {16, 2}, 26});  // I32
    m.tensors.push_back({"blk.0.scale.weight", {3}});   // one dimension
    m.tensors.push_back({"blk.0.empty.weight", {256, 0}});
    const model_folder folder(m);
    quantize(folder, "q4_0");
    const model_file out(folder.out());
    CHECK(out.read.find("custom.answer")->as_u64().value_or(0) == 42);
    CHECK(out.type("blk.0.table") == "I32");
    CHECK(out.type("blk.0.scale.weight") == "F32");
    CHECK(out.read.find_tensor("blk.0.empty.weight") != nullptr);
    CHECK(out.read.tensors().size() == m.tensors.size());
}
