// Hostile and damaged safetensors files. Case names that start alike (S1 to S18) spoil the same thing.
#include "nibble/safetensors/reader.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "safetensors/file_builder.hpp"
#include "support/allocation_guard.hpp"
#include "support/test.hpp"

using namespace safetensors_test;
using nibble::errc;
using nibble::safetensors::dtype;
using nibble::safetensors::read_options;
using nibble::safetensors::reader;

namespace {

errc error_of(std::string_view content, read_options options = {}) {
    const exact_copy copy(content);
    const auto opened = reader::open(copy.span(), options);
    if (!opened) {
        CHECK_FALSE(opened.message().empty());
        CHECK(opened.where() <= content.size());
    }
    return opened.error();
}

/// One tensor and its data.
bytes with(std::string_view type, std::string_view shape, std::string_view offsets, std::size_t data) {
    return file("{" + tensor("t", type, shape, offsets) + "}", data);
}
bytes with_length(std::uint64_t length, std::string_view rest) { return support::number(length).append(rest); }

struct spoiled {
    const char* name;
    bytes content;
    errc expected;
};

std::vector<spoiled> table() {
    const bytes a = tensor("a", "U8", "[4]", "[0,4]"), b = tensor("b", "U8", "[4]", "[4,8]");
    const auto two = [](std::string_view first, std::string_view second, std::size_t data) {
        return file("{" + bytes(first) + "," + bytes(second) + "}", data);
    };
    const auto fields = [](std::string_view text) { return file("{\"t\":{" + bytes(text) + "}}", 4); };
    constexpr auto ok = errc::ok, json = errc::bad_json, offset = errc::bad_offset;
    return {
        {"valid", valid(), ok},
        {"no tensor", file("{}"), ok},
        {"no tensor, padded", file("{}      "), ok},
        {"S1 empty", "", errc::truncated},
        {"S1 7 bytes", bytes(7, '\0'), errc::truncated},
        {"S1 8 bytes", bytes(8, '\0'), errc::bad_json},
        {"S1 length one over the rest", with_length(3, "{}"), errc::truncated},
        {"S1 length 2^64-1", with_length(~std::uint64_t{0}, "{}"), errc::count_too_large},
        {"S1 length 2^64-8, which wraps", with_length(~std::uint64_t{0} - 7, "{}"), errc::count_too_large},
        {"S1 length 100000001", with_length(100'000'001, "{}"), errc::count_too_large},
        {"S1 length 100000000", with_length(100'000'000, "{}"), errc::truncated},
        {"S2 length 0", with_length(0, "{}"), json},
        {"S2 length 1", file("{"), json},
        {"S2 an array", file("[]"), errc::bad_magic},
        {"S2 null", file("null"), errc::bad_magic},
        {"S2 leading space", file(" {}"), errc::bad_magic},
        {"S2 a GGUF file", "GGUF" + bytes(40, '\0'), errc::bad_magic},
        {"S2 trailing line end", file("{}\n"), json},
        {"S2 trailing NUL", file(std::string_view("{}\0", 3)), json},
        {"S2 trailing object", file("{}{}"), json},
        {"S3 UTF-8 cut", file("{\"\xC3\":1}"), errc::bad_utf8},
        {"S3 UTF-8 overlong", file("{\"\xC0\xAF\":1}"), errc::bad_utf8},
        {"S3 UTF-8 surrogate", file("{\"\xED\xA0\x80\":1}"), errc::bad_utf8},
        {"S3 JSON cut", file("{\"t\":{\"dtype\":\"U8\""), json},
        {"S3 comment", file("{/**/}"), json},
        {"S3 NaN", with("U8", "[NaN]", "[0,4]", 4), json},
        {"S3 byte order mark", file("\xEF\xBB\xBF{}"), errc::bad_magic},
        {"S3 single quotes", file("{'t':1}"), json},
        {"S3 trailing comma", file("{" + a + ",}", 4), json},
        {"S3 lone surrogate escape", file("{\"\\ud800\":1}"), json},
        {"S3 control character in a name", file("{\"a\nb\":1}"), json},
        {"S4 100000 brackets", file(bytes("{\"t\":") + bytes(100'000, '[')), json},
        {"S4 100000 objects", file([] {
             bytes deep;
             for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
             return deep;
         }()),
         json},
        {"S5 duplicate tensor", two(a, tensor("a", "U8", "[4]", "[4,8]"), 8), errc::duplicate_key},
        {"S5 duplicate tensor, once escaped", two(a, tensor("\\u0061", "U8", "[4]", "[4,8]"), 8), errc::duplicate_key},
        {"S5 duplicate dtype", fields(R"("dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4])"), errc::duplicate_key},
        {"S5 duplicate shape", fields(R"("dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4])"), errc::duplicate_key},
        {"S5 duplicate offsets", fields(R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"data_offsets":[0,4])"), errc::duplicate_key},
        {"S5 duplicate metadata", file(R"({"__metadata__":{},"__metadata__":{}})"), errc::duplicate_key},
        {"S5 duplicate metadata key", file(R"({"__metadata__":{"a":"1","a":"2"}})"), errc::duplicate_key},
        {"S6 1.0", with("U8", "[1.0]", "[0,1]", 1), json},
        {"S6 1e3", with("U8", "[1e3]", "[0,1000]", 1000), json},
        {"S6 -0", with("U8", "[-0]", "[0,0]", 0), json},
        {"S6 -1", with("U8", "[-1]", "[0,1]", 1), json},
        {"S6 2^53 + 1", with("U8", "[9007199254740993]", "[0,9007199254740993]", 1), errc::truncated},
        {"S6 2^64", with("U8", "[18446744073709551616]", "[0,0]", 0), json},
        {"S6 text", with("U8", "[\"1\"]", "[0,1]", 1), json},
        {"S6 null", with("U8", "[null]", "[0,1]", 1), json},
        {"S6 leading zero", with("U8", "[04]", "[0,4]", 4), json},
        {"S6 array in the shape", with("U8", "[[4]]", "[0,4]", 4), json},
        {"S7 one offset", with("U8", "[4]", "[4]", 4), offset},
        {"S7 no offset", with("U8", "[4]", "[]", 4), offset},
        {"S7 three offsets", with("U8", "[4]", "[0,4,4]", 4), offset},
        {"S7 begin after end", with("U8", "[4]", "[4,0]", 4), offset},
        {"S7 end behind the data", with("U8", "[5]", "[0,5]", 4), errc::truncated},
        {"S7 end 2^64-1", with("U8", "[4]", "[18446744073709551611,18446744073709551615]", 4), errc::truncated},
        {"S7 longer than the shape says", with("U8", "[4]", "[0,5]", 5), offset},
        {"S7 shorter than the shape says", with("U8", "[4]", "[0,3]", 3), offset},
        {"S7 no such thing as bytes of floats", with("F32", "[4]", "[0,4]", 4), offset},
        {"S8 the same bytes", two(a, tensor("b", "U8", "[4]", "[0,4]"), 4), offset},
        {"S8 overlap by one", two(a, tensor("b", "U8", "[4]", "[3,7]"), 7), offset},
        {"S8 one inside the other", two(a, tensor("b", "U8", "[2]", "[1,3]"), 4), offset},
        {"S8 an empty one inside another", two(a, tensor("b", "U8", "[0]", "[2,2]"), 4), offset},
        {"S8 order reversed", two(b, a, 8), ok},
        {"S8 empty ones at the borders",
         file("{" + tensor("x", "U8", "[0]", "[4,4]") + "," + a + "," + tensor("y", "U8", "[0]", "[0,0]") + "}", 4), ok},
        {"S9 hole before", with("U8", "[4]", "[1,5]", 5), offset},
        {"S9 hole between", two(a, tensor("b", "U8", "[4]", "[5,9]"), 9), offset},
        {"S9 trailing byte", with("U8", "[4]", "[0,4]", 5), offset},
        {"S9 data without tensors", file("{}", 1), offset},
        {"S10 product wraps to 0", with("F32", "[4294967296,4294967296]", "[0,0]", 0), errc::shape_overflow},
        {"S10 product wraps to 16", with("U8", "[4611686018427387905,16]", "[0,16]", 16), errc::shape_overflow},
        {"S10 bits wrap, elements do not", with("F64", "[2305843009213693952]", "[0,0]", 0), errc::shape_overflow},
        {"S10 2^64-1", with("U8", "[18446744073709551615]", "[0,4]", 4), errc::shape_overflow},
        {"S11 empty beside a huge dimension", with("F32", "[0,9223372036854775808]", "[0,0]", 0), ok},
        {"S11 empty with data", with("F32", "[0,4]", "[0,4]", 4), offset},
        {"S11 a single number", with("F32", "[]", "[0,4]", 4), ok},
        {"S12 F99", with("F99", "[4]", "[0,4]", 4), errc::unsupported_type},
        {"S12 lower case", with("u8", "[4]", "[0,4]", 4), errc::unsupported_type},
        {"S12 no name", with("", "[4]", "[0,4]", 4), errc::unsupported_type},
        {"S12 prefix", with("F", "[1]", "[0,4]", 4), errc::unsupported_type},
        {"S12 a number", fields(R"("dtype":8,"shape":[4],"data_offsets":[0,4])"), json},
        {"S13 three 4-bit elements", with("F4", "[3]", "[0,2]", 2), errc::bad_shape},
        {"S13 four 4-bit elements", with("F4", "[4]", "[0,2]", 2), ok},
        {"S13 four 6-bit elements", with("F6_E3M2", "[2,2]", "[0,3]", 3), ok},
        {"S13 five 6-bit elements", with("F6_E2M3", "[5]", "[0,4]", 4), errc::bad_shape},
        {"S14 metadata with a number", file(R"({"__metadata__":{"a":1}})"), json},
        {"S14 metadata with an object", file(R"({"__metadata__":{"a":{}}})"), json},
        {"S14 metadata is null", file(R"({"__metadata__":null})"), json},
        {"S14 metadata is a text", file(R"({"__metadata__":"a"})"), json},
        {"a tensor is null", file(R"({"t":null})"), json},
        {"a tensor without dtype", fields(R"("shape":[4],"data_offsets":[0,4])"), json},
        {"a tensor without shape", fields(R"("dtype":"U8","data_offsets":[0,4])"), json},
        {"a tensor without offsets", fields(R"("dtype":"U8","shape":[4])"), json},
        {"an unknown key", fields(R"("dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1)"), json},
        {"keys in another order, with white space", fields(" \"data_offsets\" : [ 0 , 4 ] ,\n\"shape\":\t[4],\r\n\"dtype\" : \"U8\" "), ok},
        {"S18 name with NUL", file("{" + tensor("a\\u0000b", "U8", "[4]", "[0,4]") + "}", 4), ok},
        {"S18 name without characters", file("{" + tensor("", "U8", "[4]", "[0,4]") + "}", 4), ok},
        {"S18 name of 64 KiB", file("{" + tensor(bytes(65536, 'n'), "U8", "[4]", "[0,4]") + "}", 4), ok},
        {"S18 name of 1 MB", file("{" + tensor(bytes(1'000'000, 'n'), "U8", "[4]", "[0,4]") + "}", 4), errc::bad_string},
        {"S18 metadata key of 1 MB", file("{\"__metadata__\":{\"" + bytes(1'000'000, 'k') + "\":\"\"}}"), errc::bad_string},
    };
}

}  // namespace

TEST_CASE("every damaged file is refused for the right reason") {
    for (const auto& c : table()) {
        INFO(c.name);
        CHECK(error_of(c.content) == c.expected);
    }
    CHECK(refused_allocations == 0);
}

TEST_CASE("a cut file is an error at every length") {
    const bytes whole = valid();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        INFO(length);
        REQUIRE(error_of(whole.substr(0, length)) != errc::ok);
    }
    CHECK(error_of(whole) == errc::ok);
    CHECK(error_of(whole + "x") == errc::bad_offset);
}

TEST_CASE("a flipped bit is an error or another valid file") {
    const bytes whole = valid();
    std::size_t accepted = 0;
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
        bytes changed = whole;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        const exact_copy copy(changed);
        const auto r = reader::open(copy.span());
        if (!r) continue;
        ++accepted;
        std::size_t sum = 0;
        for (const auto& t : r->tensors()) {
            sum += t.data.size();
            REQUIRE((t.data.empty() ||
                     (t.data.data() >= copy.span().data() && t.data.data() + t.data.size() <= copy.span().data() + copy.span().size())));
        }
        REQUIRE(r->data_offset() + sum == changed.size());
    }
    CHECK(accepted >= 38 * 8);  // all bits of the data
}

TEST_CASE("tensors and texts of a valid file") {
    const bytes content = valid();
    const auto r = reader::open(as_span(content));
    REQUIRE(r);
    REQUIRE(r->metadata().size() == 2);
    CHECK(r->metadata()[0].key == "format");
    CHECK(*r->find("format") == "pt");
    CHECK(*r->find("caf\xC3\xA9") == "");
    CHECK(r->find("cafe") == nullptr);
    REQUIRE(r->tensors().size() == 3);
    const auto& first = r->tensors()[0];
    CHECK(first.name == "first");
    CHECK(first.type == dtype::f32);
    CHECK(first.shape.size() == 2);
    CHECK(first.rows() == 2);
    CHECK(first.cols() == 3);
    CHECK(first.elements() == 6);
    CHECK(chars(first.data) == content.substr(content.size() - 38, 24));
    CHECK(r->find_tensor("second")->offset == 24);
    const auto* third = r->find_tensor("third");
    CHECK(third->shape.empty());
    CHECK(third->elements() == 1);
    CHECK(third->data.size() == 8);
    CHECK(r->find_tensor("fourth") == nullptr);
    CHECK(r->find_tensor("__metadata__") == nullptr);
    CHECK(r->data_offset() == content.size() - 38);
}

TEST_CASE("a reader can be moved") {
    const bytes content = file("{" + tensor("\\u0061", "U8", "[1,4]", "[0,4]") + "}", 4);
    auto r = reader::open(as_span(content));
    REQUIRE(r);
    reader moved = std::move(*r);
    CHECK(moved.find_tensor("a")->shape[1] == 4);
    reader other;
    CHECK(other.tensors().empty());
    CHECK(other.find_tensor("a") == nullptr);
    other = std::move(moved);
    CHECK(other.find_tensor("a")->rows() == 1);
}

TEST_CASE("every type is known by its name and size") {
    const std::pair<const char*, std::uint32_t> all[] = {
        {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
        {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16}, {"F16", 16}, {"BF16", 16},   {"I32", 32},
        {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},    {"I64", 64}, {"U64", 64}};
    REQUIRE(std::size(all) == nibble::safetensors::dtype_count);
    for (const auto& [name, bits] : all) {
        INFO(name);
        const std::size_t size = bits;  // of eight elements
        CHECK(error_of(with(name, "[2,4]", "[0," + std::to_string(size) + "]", size)) == errc::ok);
        const auto type = nibble::safetensors::find_dtype(name);
        REQUIRE(type);
        CHECK(name_of(*type) == name);
        CHECK(bits_of(*type) == bits);
    }
    CHECK(bits_of(static_cast<dtype>(22)) == 0);
    CHECK(name_of(static_cast<dtype>(255)) == "unknown");
}

TEST_CASE("S16: elements in place only where they are aligned and of that size") {
    // The data of `odd` starts one byte after a multiple of eight.
    bytes header = "{" + tensor("byte", "U8", "[1]", "[0,1]") + "," + tensor("odd", "F64", "[2]", "[1,17]") + "," +
                   tensor("even", "U8", "[7]", "[17,24]") + "," + tensor("good", "F32", "[2]", "[24,32]") + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const bytes content = file(header, 32);
    alignas(8) static std::byte memory[1024];
    REQUIRE(content.size() <= sizeof(memory));
    std::memcpy(memory, content.data(), content.size());
    const auto r = reader::open({memory, content.size()});
    REQUIRE(r);
    CHECK_FALSE(r->find_tensor("odd")->as<double>());
    CHECK_FALSE(r->find_tensor("odd")->as<float>());
    CHECK(r->find_tensor("byte")->as<unsigned char>()->size() == 1);
    CHECK(r->find_tensor("good")->as<float>()->size() == 2);
    CHECK_FALSE(r->find_tensor("good")->as<double>());
}

TEST_CASE("an error tells the place") {
    const bytes content = file("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[-4]", "[4,8]") + "}", 8);
    const auto r = reader::open(as_span(content));
    CHECK(r.where() == content.find("-4"));
    const bytes twice = file("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("a", "U8", "[4]", "[4,8]") + "}", 8);
    CHECK(reader::open(as_span(twice)).where() == twice.rfind("\"a\""));
}

TEST_CASE("S15: many tensors and texts take linear time, and have a limit") {
    bytes header = "{\"__metadata__\":{";
    constexpr std::size_t many = 100'000;
    for (std::size_t i = 0; i < many; ++i) header += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"\"";
    header += "}";
    for (std::size_t i = many; i-- > 0;) {  // data in the opposite order
        header += "," + tensor("t" + std::to_string(i), "U8", "[1]", "[" + std::to_string(i) + "," + std::to_string(i + 1) + "]");
    }
    header += "}";
    const bytes content = file(header, many);
    const auto start = std::chrono::steady_clock::now();
    CHECK(error_of(content) == errc::ok);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(took.count() < 5.0);  // quadratic: minutes
    CHECK(error_of(content, {.max_tensors = many - 1}) == errc::count_too_large);
    CHECK(error_of(content, {.max_metadata = many - 1}) == errc::count_too_large);
    CHECK(error_of(content, {.max_header = header.size() - 1}) == errc::count_too_large);
    CHECK(error_of(content, {.max_header = header.size(), .max_tensors = many, .max_metadata = many}) == errc::ok);
    CHECK(refused_allocations == 0);
}

TEST_CASE("memory that runs out is an error value") {
    // Every shape of one dimension takes 8 bytes: 9 million of them do not fit in what the guard allows.
    bytes shape = "[";
    for (int i = 0; i < 9'000'000; ++i) shape += "1,";
    shape.back() = ']';
    CHECK(error_of(with("U8", shape, "[0,1]", 1)) == errc::out_of_memory);
    CHECK(refused_allocations > 0);
    refused_allocations = 0;
}
