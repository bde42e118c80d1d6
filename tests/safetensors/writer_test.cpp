// safetensors files that nibble writes: the very bytes, and what comes back from the reader. What happens when the disk or the caller
// fails is the same code for all formats: tests/gguf/writer_test.cpp.
#include "nibble/safetensors/writer.hpp"

#include <string>
#include <vector>

#include "file/folder.hpp"
#include "nibble/file/mapped_file.hpp"
#include "nibble/safetensors/reader.hpp"
#include "safetensors/file_builder.hpp"
#include "support/test.hpp"

using namespace safetensors_test;
using nibble::errc;
using nibble::file::memory_sink;
using nibble::safetensors::dtype;
using nibble::safetensors::reader;

namespace {

using memory_writer = nibble::safetensors::basic_writer<memory_sink>;

bytes copied(std::span<const std::byte> content) {
    const auto from = reader::open(content);
    REQUIRE(from);
    memory_writer to{memory_sink()};
    for (const auto& e : from->metadata()) REQUIRE(to.set(e.key, e.value));
    for (const auto& t : from->tensors()) REQUIRE(to.add_tensor(t));
    REQUIRE(to.begin());
    for (const auto& t : from->tensors()) {
        const std::size_t half = t.data.size() / 2;
        REQUIRE(to.write(t.data.first(half)));
        REQUIRE(to.write(t.data.subspan(half)));
        REQUIRE(to.end_tensor());
    }
    REQUIRE(to.finish());
    return bytes(chars(to.destination().bytes()));
}

}  // namespace

TEST_CASE("the bytes of a small file") {
    memory_writer to{memory_sink()};
    REQUIRE(to.set("format", "pt"));
    REQUIRE(to.set("q\"\\\n\x01\x1F\x7F\xC3\xA9", "/\b\f\r\t"));
    REQUIRE(to.add_tensor("a.weight", dtype::f16, {2, 3}));
    REQUIRE(to.add_tensor("b", dtype::u8, {}));
    REQUIRE(to.add_tensor("c", dtype::i64, {0, 5}));
    REQUIRE(to.begin());
    REQUIRE(to.write(as_span("ABCDEFGHIJKL")));
    REQUIRE(to.end_tensor());
    REQUIRE(to.write(as_span("m")));
    REQUIRE(to.end_tensor());
    REQUIRE(to.end_tensor());
    REQUIRE(to.finish());
    const bytes header =
        "{\"__metadata__\":{\"format\":\"pt\",\"q\\\"\\\\\\n\\u0001\\u001f\x7F\xC3\xA9\":\"/\\b\\f\\r\\t\"},"
        "\"a.weight\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]},"
        "\"c\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[13,13]}}";
    const std::size_t padded = (header.size() + 7) / 8 * 8;
    CHECK(chars(to.destination().bytes()) == file(header + bytes(padded - header.size(), ' '), "ABCDEFGHIJKLm"));
    CHECK(copied(to.destination().bytes()) == chars(to.destination().bytes()));
}

TEST_CASE("files of other writers are written back byte for byte") {
    for (const char* name : {"inputs", "q4_0", "q8_K", "f16"}) {
        INFO(name);
        const std::string content = file_test::read(nibble::test::data_path("golden/" + std::string(name) + ".safetensors"));
        REQUIRE(content.size() > 1000);
        CHECK(copied(as_span(content)) == content);
    }
    const auto model = nibble::file::mapped_file::open(nibble::test::data_path("../examples/model/kjv-3m-bf16.safetensors").c_str());
    REQUIRE(model);
    CHECK(copied(model->bytes()) == chars(model->bytes()));
}

TEST_CASE("what a reader would refuse is not written") {
    memory_writer to{memory_sink()};
    CHECK(to.set("a\x80", "b").error() == errc::bad_utf8);
    CHECK(to.set("a", "\xED\xA0\x80").error() == errc::bad_utf8);
    CHECK(to.set(std::string(65537, 'k'), "").error() == errc::bad_string);
    CHECK(to.set("key", "1"));
    CHECK(to.set("key", "2").error() == errc::duplicate_key);
    CHECK(to.add_tensor("\xFF", dtype::u8, {1}).error() == errc::bad_utf8);
    CHECK(to.add_tensor(std::string(65537, 'n'), dtype::u8, {1}).error() == errc::bad_string);
    CHECK(to.add_tensor("__metadata__", dtype::u8, {1}).error() == errc::bad_string);
    CHECK(to.add_tensor("t", static_cast<dtype>(99), {1}).error() == errc::unsupported_type);
    CHECK(to.add_tensor("t", dtype::f4, {3}).error() == errc::bad_shape);
    CHECK(to.add_tensor("t", dtype::f32, {1ull << 32, 1ull << 32}).error() == errc::shape_overflow);
    CHECK(to.add_tensor("t", dtype::u8, {1ull << 59}));
    CHECK(to.add_tensor("u", dtype::u8, {1ull << 59}));
    CHECK(to.add_tensor("t", dtype::u8, {1}).error() == errc::duplicate_key);
    CHECK(to.tensor_count() == 2);

    memory_writer large{memory_sink()};
    for (int i = 0; i < 1700; ++i) REQUIRE(large.add_tensor(std::string(60'000, 'n') + std::to_string(i), dtype::u8, {0}));
    CHECK(large.begin().error() == errc::count_too_large);
    CHECK(large.begin().error() == errc::invalid_argument);
}

TEST_CASE("all tensors together must fit in a file") {
    memory_writer to{memory_sink()};
    for (int i = 0; i < 8; ++i) REQUIRE(to.add_tensor(std::to_string(i), dtype::u8, {(1ull << 60) - 1}));
    CHECK(to.add_tensor("8", dtype::u8, {(1ull << 60) - 1}).error() == errc::shape_overflow);
}

TEST_CASE("a file appears with finish() and not before") {
    const file_test::folder f;
    const std::string path = f.path("model.safetensors");
    auto to = nibble::safetensors::writer::create(path.c_str());
    REQUIRE(to);
    REQUIRE(to->add_tensor("a", dtype::bf16, {2}));
    CHECK(to->write(as_span("ab")).error() == errc::invalid_argument);
    REQUIRE(to->begin());
    CHECK(to->set("late", "").error() == errc::invalid_argument);
    CHECK(to->write(as_span("abcde")).error() == errc::size_mismatch);
    REQUIRE(to->write(as_span("abc")));
    CHECK(to->end_tensor().error() == errc::size_mismatch);
    CHECK(to->finish().error() == errc::size_mismatch);
    REQUIRE(to->write(as_span("d")));
    REQUIRE(to->end_tensor());
    CHECK(f.names().size() == 1);
    CHECK(f.names()[0] != "model.safetensors");
    REQUIRE(to->finish());
    CHECK(f.names() == std::vector<std::string>{"model.safetensors"});
    const std::string written = file_test::read(path);
    const auto r = reader::open(as_span(written));
    REQUIRE(r);
    CHECK(chars(r->find_tensor("a")->data) == "abcd");
}
