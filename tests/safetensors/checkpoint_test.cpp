// Models in several files: the index, and its files on disk.
#include "nibble/safetensors/checkpoint.hpp"

#include <unistd.h>
#include <filesystem>
#include <string>

#include "file/folder.hpp"
#include "nibble/safetensors/writer.hpp"
#include "safetensors/file_builder.hpp"
#include "support/test.hpp"

using namespace safetensors_test;
using nibble::errc;
using nibble::safetensors::checkpoint;
using nibble::safetensors::index;

namespace {

errc error_of(std::string_view text, nibble::safetensors::read_options options = {}) {
    const exact_copy copy(text);
    return index::read(copy.span(), options).error();
}

/// Three tensors in two files, and their index.
void write_model(const file_test::folder& f) {
    file_test::write(f.path("m-1-of-2.safetensors"),
                     file("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[2]", "[4,6]") + "}", "abcdef"));
    file_test::write(f.path("m-2-of-2.safetensors"), file("{" + tensor("c", "U8", "[3]", "[0,3]") + "}", "ghi"));
    file_test::write(
        f.path("index.json"),
        R"({"metadata":{"total_size":9},"weight_map":{"a":"m-1-of-2.safetensors","b":"m-1-of-2.safetensors","c":"m-2-of-2.safetensors"}})");
}

}  // namespace

TEST_CASE("an index names tensors and files") {
    const bytes text =
        R"( {"metadata": {"total_size": 1.5e3, "more": [[{}], null]}, "other": 1, "weight_map": {"x.\u0061": "one.safetensors", "y": "two.safetensors", "z": "one.safetensors"}}
)";
    const exact_copy copy(text);
    const auto read = index::read(copy.span());
    REQUIRE(read);
    CHECK(read->entries().size() == 3);
    REQUIRE(read->files().size() == 2);
    CHECK(read->files()[0] == "one.safetensors");
    CHECK(read->find("x.a")->shard == 0);
    CHECK(read->find("y")->file == "two.safetensors");
    CHECK(read->find("z")->shard == 0);
    CHECK(read->find("w") == nullptr);
}

TEST_CASE("damaged and hostile indexes are refused") {
    const auto map = [](std::string_view inner) { return "{\"weight_map\":{" + bytes(inner) + "}}"; };
    const auto names = [&](std::string_view file_name) { return error_of(map("\"a\":\"" + bytes(file_name) + "\"")); };
    CHECK(names("model-00001-of-00002.safetensors") == errc::ok);
    for (const char* path : {"", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\\\b", "C:x", ".hidden", "a\\u0000b",
                             "a\\nb", "\\u002e\\u002e/x"}) {
        INFO(path);
        CHECK(names(path) == errc::bad_string);
    }
    CHECK(names(std::string(256, 'x')) == errc::bad_string);
    CHECK(error_of("") == errc::bad_json);
    CHECK(error_of("[]") == errc::bad_json);
    CHECK(error_of("{}") == errc::bad_json);
    CHECK(error_of("{\"weight_map\":[]}") == errc::bad_json);
    CHECK(error_of(map("\"a\":1")) == errc::bad_json);
    CHECK(error_of(map("") + "x") == errc::bad_json);
    CHECK(error_of(map("\"a\":\"x\",\"a\":\"y\"")) == errc::duplicate_key);
    CHECK(error_of("{\"weight_map\":{},\"weight_map\":{}}") == errc::duplicate_key);
    CHECK(error_of("{\"metadata\":1,\"metadata\":2,\"weight_map\":{}}") == errc::duplicate_key);
    CHECK(error_of("{\"x\":" + bytes(100'000, '[') + "}") == errc::unsupported_nesting);
    CHECK(error_of(map("\"\xFF\":\"x\"")) == errc::bad_utf8);
    CHECK(error_of(map("\"a\":\"x\",\"b\":\"y\""), {.max_tensors = 1}) == errc::count_too_large);
    CHECK(error_of(map(""), {.max_header = 10}) == errc::count_too_large);
    bytes many;
    for (int i = 0; i < 10'001; ++i) many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"f" + std::to_string(i) + "\"";
    CHECK(error_of(map(many)) == errc::count_too_large);
}

TEST_CASE("an index is written as it is read") {
    const nibble::safetensors::index_entry entries[] = {{"a \"b\"", "one.safetensors"}, {"c", "two.safetensors"}};
    nibble::file::memory_sink sink;
    REQUIRE(nibble::safetensors::write_index(sink, entries, 77));
    const auto read = index::read(sink.bytes());
    REQUIRE(read);
    CHECK(read->find("a \"b\"")->file == "one.safetensors");
    CHECK(read->find("c")->shard == 1);
    CHECK(chars(sink.bytes()).find("\"total_size\": 77") != std::string_view::npos);
    const nibble::safetensors::index_entry path[] = {{"a", "../one"}};
    CHECK(nibble::safetensors::write_index(sink, path, 1).error() == errc::bad_string);
    nibble::file::memory_sink none;
    REQUIRE(nibble::safetensors::write_index(none, {}, 0));
    CHECK(index::read(none.bytes()));
}

TEST_CASE("a model in one file, and one in several") {
    const file_test::folder f;
    write_model(f);
    const auto one = checkpoint::open(f.path("m-2-of-2.safetensors").c_str());
    REQUIRE(one);
    CHECK(one->shards().size() == 1);
    CHECK(one->file_of(0).empty());
    CHECK(chars(one->find_tensor("c")->data) == "ghi");

    auto several = checkpoint::open(f.path("index.json").c_str());
    REQUIRE(several);
    const checkpoint moved = std::move(*several);
    CHECK(several->shards().empty());
    CHECK(several->find_tensor("b") == nullptr);
    CHECK(several->file_bytes() == 0);
    CHECK(checkpoint().find_tensor("b") == nullptr);
    REQUIRE(moved.shards().size() == 2);
    CHECK(moved.file_of(1) == "m-2-of-2.safetensors");
    CHECK(chars(moved.find_tensor("b")->data) == "ef");
    CHECK(chars(moved.find_tensor("c")->data) == "ghi");
    CHECK(moved.find_tensor("d") == nullptr);
    CHECK(moved.file_bytes() ==
          std::filesystem::file_size(f.path("m-1-of-2.safetensors")) + std::filesystem::file_size(f.path("m-2-of-2.safetensors")));
}

TEST_CASE("index and files must agree") {
    const auto error_with = [](std::string_view name, std::string_view content) {
        const file_test::folder f;
        write_model(f);
        file_test::write(f.path(name), content);
        return checkpoint::open(f.path("index.json").c_str()).error();
    };
    CHECK(error_with("m-2-of-2.safetensors", file("{" + tensor("d", "U8", "[3]", "[0,3]") + "}", 3)) == errc::not_found);
    CHECK(error_with("m-2-of-2.safetensors",
                     file("{" + tensor("c", "U8", "[3]", "[0,3]") + "," + tensor("d", "U8", "[3]", "[3,6]") + "}", 6)) == errc::not_found);
    CHECK(error_with("m-2-of-2.safetensors", file("{" + tensor("c", "U8", "[3]", "[0,3]") + "," + tensor("a", "U8", "[3]", "[3,6]") + "}",
                                                  6)) == errc::duplicate_key);
    CHECK(error_with("m-2-of-2.safetensors", "") == errc::truncated);
    CHECK(error_with("m-2-of-2.safetensors", "GGUF" + bytes(30, '\0')) == errc::bad_magic);
    CHECK(error_with("index.json", R"({"weight_map":{"a":"missing.safetensors"}})") == errc::not_found);
    CHECK(error_with("index.json", R"({"weight_map":{"a":"index.json"}})") == errc::bad_magic);
    CHECK(checkpoint::open("/nowhere/index.json").error() == errc::not_found);
    CHECK(checkpoint::open(nullptr).error() == errc::invalid_argument);
}

#if NIBBLE_POSIX_FILES
TEST_CASE("S17: a shard that is a link is opened only on request, the named file always") {
    const file_test::folder f, g;
    write_model(f);
    REQUIRE(::symlink(f.path("m-1-of-2.safetensors").c_str(), g.path("m-1-of-2.safetensors").c_str()) == 0);
    REQUIRE(::symlink(f.path("m-2-of-2.safetensors").c_str(), g.path("m-2-of-2.safetensors").c_str()) == 0);
    REQUIRE(::symlink(f.path("index.json").c_str(), g.path("index.json").c_str()) == 0);
    const auto refused = checkpoint::open(g.path("index.json").c_str());
    CHECK(refused.error() == errc::io_error);
    CHECK(refused.message().find("link") != std::string_view::npos);
    const auto followed = checkpoint::open(g.path("index.json").c_str(), {.follow_links = true});
    REQUIRE(followed);
    CHECK(chars(followed->find_tensor("c")->data) == "ghi");
    CHECK(checkpoint::open(g.path("m-2-of-2.safetensors").c_str()));
}
#endif
