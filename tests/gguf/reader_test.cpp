// Hostile and damaged GGUF files. Every case says which error it expects from a lenient and from a strict reader; cases whose names
// start alike (G1 to G29) spoil the same field.
#include "nibble/gguf/reader.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gguf/file_builder.hpp"
#include "support/allocation_guard.hpp"
#include "support/test.hpp"

using namespace gguf_test;
using nibble::errc;
using nibble::gguf::read_options;
using nibble::gguf::reader;
using nibble::gguf::value_type;
using nibble::gguf::value_view;

namespace {

const read_options strict{.strict = true};

errc error_of(std::string_view content, read_options options = {}) {
    const exact_copy copy(content);
    const auto opened = reader::open(copy.span(), options);
    if (!opened) {
        CHECK_FALSE(opened.message().empty());
        CHECK(opened.where() <= content.size());
    }
    return opened.error();
}

bytes entry(std::string_view key, std::uint64_t type, const bytes& value) { return text(key) + u32(type) + value; }

file with_entry(const bytes& e) {
    file f = valid();
    f.entries.push_back(e);
    return f;
}

/// An entry whose value is the array that `elements` starts with.
file with_array(const bytes& a) { return with_entry(text("a") + a); }

struct spoiled {
    const char* name;
    std::function<bytes()> make;
    errc lenient;
    errc strict;
};

bytes change(const std::function<void(file&)>& how) {
    file f = valid();
    how(f);
    return f.build();
}

constexpr std::uint64_t huge = std::uint64_t{1} << 63;

const std::vector<spoiled>& table() {
    constexpr auto ok = errc::ok;
    static const std::vector<spoiled> cases = {
        {"valid", [] { return valid().build(); }, ok, ok},
        {"G1 empty", [] { return bytes(); }, errc::truncated, errc::truncated},
        {"G1 3 bytes", [] { return bytes("GGU"); }, errc::truncated, errc::truncated},
        {"G1 23 bytes", [] { return valid().build().substr(0, 23); }, errc::truncated, errc::truncated},
        {"G2 HTML", [] { return bytes("<!DOCTYPE html><html></html>"); }, errc::bad_magic, errc::bad_magic},
        {"G2 short HTML", [] { return bytes("<p>"); }, errc::bad_magic, errc::bad_magic},
        {"G2 JSON", [] { return bytes("{\"error\": \"not found\", \"code\": 404}"); }, errc::bad_magic, errc::bad_magic},
        {"G2 safetensors", [] { return u64(2) + "{\"a\": 1}" + bytes(40, ' '); }, errc::bad_magic, errc::bad_magic},
        {"G2 Git LFS", [] { return bytes("version https://git-lfs.github.com/spec/v1"); }, errc::bad_magic, errc::bad_magic},
        {"G2 lower case", [] { return change([](file& f) { f.magic = "gguf"; }); }, errc::bad_magic, errc::bad_magic},
        {"G3 version 0", [] { return change([](file& f) { f.version = u32(0); }); }, errc::unsupported_version, errc::unsupported_version},
        {"G3 version 1", [] { return change([](file& f) { f.version = u32(1); }); }, errc::unsupported_version, errc::unsupported_version},
        {"G3 version 2", [] { return change([](file& f) { f.version = u32(2); }); }, ok, ok},
        {"G3 version 4", [] { return change([](file& f) { f.version = u32(4); }); }, errc::unsupported_version, errc::unsupported_version},
        {"G3 version -1", [] { return change([](file& f) { f.version = u32(0xFFFFFFFF); }); }, errc::unsupported_version,
         errc::unsupported_version},
        {"G4 big-endian", [] { return change([](file& f) { f.version = u32(0x03000000); }); }, errc::endianness_mismatch,
         errc::endianness_mismatch},
        {"G5 -1 tensors", [] { return change([](file& f) { f.tensor_count = u64(~0ull); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G5 2^63 tensors", [] { return change([](file& f) { f.tensor_count = u64(huge); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G5 one tensor too many for the rest",
         [] { return change([](file& f) { f.tensor_count = u64((f.build().size() - 24) / 24 + 1); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G5 2^40 tensors", [] { return change([](file& f) { f.tensor_count = u64(1ull << 40); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G6 -1 entries", [] { return change([](file& f) { f.entry_count = u64(~0ull); }); }, errc::count_too_large, errc::count_too_large},
        {"G6 2^63 entries", [] { return change([](file& f) { f.entry_count = u64(huge); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G6 one entry too many for the rest",
         [] { return change([](file& f) { f.entry_count = u64((f.build().size() - 24) / 13 + 1); }); }, errc::count_too_large,
         errc::count_too_large},
        {"G7 empty key", [] { return with_entry(entry("", 0, "x")).build(); }, errc::bad_string, errc::bad_string},
        {"G7 longest key", [] { return with_entry(entry(std::string(65535, 'k'), 0, "x")).build(); }, ok, ok},
        {"G7 key of 65536", [] { return with_entry(entry(std::string(65536, 'k'), 0, "x")).build(); }, errc::bad_string, errc::bad_string},
        {"G7 key longer than the rest",
         [] {
             file f;
             f.entries = {u64(14) + "key of 13 byt"};
             return f.header();
         },
         errc::bad_string, errc::bad_string},
        {"G7 key of 2^64-1", [] { return with_entry(u64(~0ull) + "k").build(); }, errc::bad_string, errc::bad_string},
        {"G8 NUL in a key", [] { return with_entry(entry(std::string_view("a\0b", 3), 0, "x")).build(); }, ok, errc::bad_string},
        {"G8 escape in a key", [] { return with_entry(entry("a\x1B[31m", 0, "x")).build(); }, ok, errc::bad_string},
        {"G8 key not ASCII", [] { return with_entry(entry("\xC3\xA9", 0, "x")).build(); }, ok, errc::bad_string},
        {"G8 DEL in a key", [] { return with_entry(entry("\x7F", 0, "x")).build(); }, ok, errc::bad_string},
        {"G9 duplicate key", [] { return with_entry(entry("llama.block_count", 0, "x")).build(); }, errc::duplicate_key,
         errc::duplicate_key},
        {"G11 type 13", [] { return with_entry(entry("k", 13, bytes(20, '\0'))).build(); }, errc::bad_type, errc::bad_type},
        {"G11 type 255", [] { return with_entry(entry("k", 255, bytes(20, '\0'))).build(); }, errc::bad_type, errc::bad_type},
        {"G11 type -1", [] { return with_entry(entry("k", 0xFFFFFFFF, bytes(20, '\0'))).build(); }, errc::bad_type, errc::bad_type},
        {"G11 array of type 13", [] { return with_array(array(13, 1, bytes(20, '\0'))).build(); }, errc::bad_type, errc::bad_type},
        {"G12 bool 2", [] { return with_entry(entry("k", 7, "\x02")).build(); }, ok, errc::bad_type},
        {"G12 bool 255 in an array",
         [] {
             return with_array(array(7, 3, {'\0', '\1', '\xFF'})).build();
         },
         ok, errc::bad_type},
        {"G13 string of 2^63", [] { return with_entry(entry("k", 8, u64(huge) + "abc")).build(); }, errc::bad_string, errc::bad_string},
        {"G13 string of the rest",
         [] {
             file f;
             f.entries = {entry("k", 8, text("abc"))};
             return f.header();
         },
         ok, ok},
        {"G13 string of the rest and one",
         [] {
             file f;
             f.entries = {entry("k", 8, u64(4) + "abc")};
             return f.header();
         },
         errc::bad_string, errc::bad_string},
        {"G14 overlong", [] { return with_entry(entry("k", 8, text("a\xC0\xAF"))).build(); }, ok, errc::bad_utf8},
        {"G14 overlong, 3 bytes", [] { return with_entry(entry("k", 8, text("\xE0\x9F\xBF"))).build(); }, ok, errc::bad_utf8},
        {"G14 surrogate", [] { return with_entry(entry("k", 8, text("\xED\xA0\x80"))).build(); }, ok, errc::bad_utf8},
        {"G14 over U+10FFFF", [] { return with_entry(entry("k", 8, text("\xF4\x90\x80\x80"))).build(); }, ok, errc::bad_utf8},
        {"G14 cut", [] { return with_entry(entry("k", 8, text("ab\xE2\x82"))).build(); }, ok, errc::bad_utf8},
        {"G14 lone continuation", [] { return with_entry(entry("k", 8, text("\x80"))).build(); }, ok, errc::bad_utf8},
        {"G14 in an array", [] { return with_array(array(8, 2, text("a") + text("\xFF"))).build(); }, ok, errc::bad_utf8},
        {"G14 good text", [] { return with_entry(entry("k", 8, text("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xEE\x80\x80"))).build(); }, ok,
         ok},
        {"G15 2^40 strings", [] { return with_array(array(8, 1ull << 40, text("a"))).build(); }, errc::count_too_large,
         errc::count_too_large},
        {"G15 n * 8 wraps", [] { return with_array(array(10, (1ull << 61) + 1, u64(1))).build(); }, errc::count_too_large,
         errc::count_too_large},
        {"G15 2^63 bytes", [] { return with_array(array(0, huge, "abc")).build(); }, errc::count_too_large, errc::count_too_large},
        {"G15 one element too many",
         [] {
             file f;
             f.entries = {text("k") + array(4, 3, u32(1) + u32(2) + "abc")};
             return f.header();
         },
         errc::count_too_large, errc::count_too_large},
        {"G15 long string in an array", [] { return with_array(array(8, 2, text("a") + u64(1ull << 62) + "b")).build(); }, errc::bad_string,
         errc::bad_string},
        {"G15 empty array", [] { return with_array(array(8, 0, "")).build(); }, ok, ok},
        {"G16 nested array", [] { return with_array(array(9, 1, array(0, 1, "x").substr(4))).build(); }, errc::unsupported_nesting,
         errc::unsupported_nesting},
        {"G16 nested 10000 deep",
         [] {
             bytes deep = u32(9);
             for (int i = 0; i < 10000; ++i) deep += u32(9) + u64(1);
             return with_array(deep + u32(0) + u64(1) + "x").build();
         },
         errc::unsupported_nesting, errc::unsupported_nesting},
        {"G19 5 dimensions", [] { return change([](file& f) {
                                      f.tensors[0].dims = dims({2, 2, 2, 3, 1});
                                  }); }, errc::bad_shape,
         errc::bad_shape},
        {"G19 2^32-1 dimensions", [] { return change([](file& f) { f.tensors[0].dims = u32(0xFFFFFFFF); }); }, errc::bad_shape,
         errc::bad_shape},
        {"G19 4 dimensions", [] { return change([](file& f) {
                                      f.tensors[0].dims = dims({2, 2, 2, 3});
                                  }); }, ok, ok},
        {"G20 (2^32, 2^32)", [] { return change([](file& f) {
                                      f.tensors[0].dims = dims({1ull << 32, 1ull << 32});
                                  }); },
         errc::shape_overflow, errc::shape_overflow},
        {"G20 (2^42+1, 2^22)", [] { return change([](file& f) {
                                        f.tensors[0].dims = dims({(1ull << 42) + 1, 1ull << 22});
                                    }); },
         errc::shape_overflow, errc::shape_overflow},
        {"G20 (2^63-1, 2)", [] { return change([](file& f) {
                                     f.tensors[0].dims = dims({huge - 1, 2});
                                 }); }, errc::shape_overflow,
         errc::shape_overflow},
        {"G20 wraps to 0 with four", [] { return change([](file& f) {
                                              f.tensors[0].dims = dims({1 << 16, 1 << 16, 1 << 16, 1 << 16});
                                          }); },
         errc::shape_overflow, errc::shape_overflow},
        {"G20 only the bytes overflow", [] { return change([](file& f) { f.tensors[0].dims = dims({1ull << 62}); }); },
         errc::shape_overflow, errc::shape_overflow},
        {"G20 negative", [] { return change([](file& f) { f.tensors[0].dims = dims({~0ull}); }); }, errc::shape_overflow,
         errc::shape_overflow},
        {"G22 not whole blocks", [] { return change([](file& f) {
                                          f.tensors[1].dims = dims({48, 2});
                                      }); }, errc::bad_shape,
         errc::bad_shape},
        {"G22 whole only in all", [] { return change([](file& f) {
                                           f.tensors[1].dims = dims({16, 8});
                                       }); }, errc::bad_shape,
         errc::bad_shape},
        {"G24 empty name", [] { return change([](file& f) { f.tensors[0].name = text(""); }); }, errc::bad_string, errc::bad_string},
        {"G24 63 bytes", [] { return change([](file& f) { f.tensors[0].name = text(std::string(63, 'n')); }); }, ok, ok},
        {"G24 64 bytes", [] { return change([](file& f) { f.tensors[0].name = text(std::string(64, 'n')); }); }, errc::bad_string,
         errc::bad_string},
        {"G24 2^64-1 bytes", [] { return change([](file& f) { f.tensors[0].name = u64(~0ull); }); }, errc::bad_string, errc::bad_string},
        {"G24 name longer than the rest",
         [] {
             file f;
             f.tensors = {{u64(20) + "name of 16 bytes", "", "", ""}};
             return f.header();
         },
         errc::bad_string, errc::bad_string},
        {"G24 duplicate", [] { return change([](file& f) { f.tensors[2].name = text("first"); }); }, errc::duplicate_key,
         errc::duplicate_key},
        {"G24 a path", [] { return change([](file& f) { f.tensors[0].name = text("../x"); }); }, ok, ok},
        {"G24 a tag", [] { return change([](file& f) { f.tensors[0].name = text("<script>"); }); }, ok, ok},
        {"G24 NUL", [] { return change([](file& f) { f.tensors[0].name = text(std::string_view("a\0b", 3)); }); }, ok, errc::bad_string},
        {"G24 not UTF-8", [] { return change([](file& f) { f.tensors[0].name = text("\xFF"); }); }, ok, errc::bad_utf8},
        {"G25 not aligned", [] { return change([](file& f) { f.tensors[1].offset = u64(104); }); }, errc::bad_offset, errc::bad_offset},
        {"G25 behind the end", [] { return change([](file& f) { f.tensors[1].offset = u64(1 << 20); }); }, errc::bad_offset,
         errc::bad_offset},
        {"G25 offset + size wraps", [] { return change([](file& f) { f.tensors[1].offset = u64(~0ull - 31); }); }, errc::bad_offset,
         errc::bad_offset},
        {"G25 size reaches over the end", [] { return change([](file& f) { f.tensors[2].dims = dims({4096}); }); }, errc::truncated,
         errc::truncated},
        {"G26 same offset", [] { return change([](file& f) { f.tensors[1].offset = u64(0); }); }, errc::bad_offset, errc::bad_offset},
        {"G26 partial overlap", [] { return change([](file& f) { f.tensors[1].offset = u64(64); }); }, errc::bad_offset, errc::bad_offset},
        {"G26 overlap, out of order",
         [] {
             return change([](file& f) {
                 f.tensors[0].offset = u64(160);
                 f.tensors[1].offset = u64(32);
             });
         },
         errc::bad_offset, errc::bad_offset},
        {"G26 gap",
         [] {
             return change([](file& f) {
                 f.tensors[2].offset = u64(288);
                 f.data.resize(320);
             });
         },
         ok, errc::bad_offset},
        {"G26 gap at the front", [] { return change([](file& f) { f.tensors.erase(f.tensors.begin()); }); }, ok, errc::bad_offset},
        {"G26 order reversed", [] { return change([](file& f) { std::swap(f.tensors[0], f.tensors[2]); }); }, ok, errc::bad_offset},
        {"G27 one byte short", [] { return valid().build().substr(0, valid().build().size() - 13); }, errc::truncated, errc::truncated},
        {"G27 cut in the padding between tensors",
         [] {
             const bytes all = valid().build();
             return all.substr(0, all.size() - 288 + 235);
         },
         errc::truncated, errc::truncated},
        {"G27 cut before the data", [] { return valid().header(); }, errc::truncated, errc::truncated},
        {"G28 no padding at the end", [] { return valid().build().substr(0, valid().build().size() - 12); }, ok, ok},
        {"G28 half of the padding at the end", [] { return valid().build().substr(0, valid().build().size() - 7); }, ok, ok},
        {"G29 one byte more", [] { return valid().build() + '\0'; }, ok, errc::bad_offset},
        {"padding of the header not zero",
         [] { return change([](file& f) { f.header_padding = bytes((f.header().size() + 31) / 32 * 32 - f.header().size(), 'x'); }); }, ok,
         errc::bad_offset},
        {"padding of a tensor not zero", [] { return change([](file& f) { f.data[232] = 'x'; }); }, ok, errc::bad_offset},
        {"padding of the last tensor not zero", [] { return change([](file& f) { f.data[287] = 'x'; }); }, ok, errc::bad_offset},
        {"nothing in it", [] { return file{}.build(); }, ok, ok},
        {"nothing in it, unpadded", [] { return file{}.header(); }, ok, ok},
    };
    return cases;
}

}  // namespace

TEST_CASE("every damaged file is refused for the right reason") {
    for (const auto& c : table()) {
        INFO(c.name);
        const bytes content = c.make();
        CHECK(error_of(content) == c.lenient);
        CHECK(error_of(content, strict) == c.strict);
    }
    CHECK(refused_allocations == 0);
}

TEST_CASE("G17, G18: the alignment is a power of two of type uint32") {
    const auto aligned = [](std::uint64_t value) {
        file f = with_entry(entry("general.alignment", 4, u32(value)));
        f.tensors.clear();
        f.data.clear();
        f.alignment = 1;
        return f.build();
    };
    for (const std::uint64_t bad : {0u, 3u, 13u, 24u, 33u, 1u << 21, 1u << 30, 1u << 31, 0xFFFFFFFFu}) {
        INFO(bad);
        CHECK(error_of(aligned(bad)) == errc::bad_alignment);
        CHECK(error_of(aligned(bad), strict) == errc::bad_alignment);
    }
    for (std::uint64_t good = 1; good <= (1u << 20); good *= 2) {
        INFO(good);
        const bytes content = aligned(good);
        const auto r = reader::open(as_span(content));
        REQUIRE(r);
        CHECK(r->alignment() == good);
        CHECK(error_of(content, strict) == (good < 8 ? errc::bad_alignment : errc::ok));
    }
    CHECK(error_of(with_entry(entry("general.alignment", 5, u32(32))).build()) == errc::bad_type);
    CHECK(error_of(with_entry(entry("general.alignment", 10, u64(32))).build()) == errc::bad_type);
    CHECK(error_of(with_entry(entry("general.alignment", 8, text("32"))).build()) == errc::bad_type);
    CHECK(error_of(with_entry(text("general.alignment") + array(4, 1, u32(32))).build()) == errc::bad_type);
}

TEST_CASE("another alignment moves the data") {
    file f = with_entry(entry("general.alignment", 4, u32(128)));
    f.alignment = 128;
    f.tensors = {{text("a"), dims({2}), u32(0), u64(0)}, {text("b"), dims({1}), u32(0), u64(128)}};
    f.data = "abcdefgh" + bytes(120, '\0') + "wxyz" + bytes(124, '\0');
    const bytes content = f.build();
    const auto r = reader::open(as_span(content), strict);
    REQUIRE(r);
    CHECK(r->data_offset() % 128 == 0);
    CHECK(chars(r->find_tensor("a")->data) == "abcdefgh");
    CHECK(chars(r->find_tensor("b")->data) == "wxyz");
}

TEST_CASE("G19, G21: tensors without dimensions or without elements") {
    file f = valid();
    f.tensors[0].dims = dims({});
    bytes content = f.build();
    auto r = reader::open(as_span(content));
    REQUIRE(r);
    CHECK(r->tensors()[0].dims == 0);
    CHECK(r->tensors()[0].elements() == 1);
    CHECK(r->tensors()[0].data.size() == 4);
    CHECK(r->notes().gap_bytes == 64);

    for (const auto& shape : std::vector<std::vector<std::uint64_t>>{{0}, {0, huge - 1}, {8, 0}, {0, huge - 1, huge - 1, huge - 1}}) {
        f = valid();
        f.tensors = {{text("empty"), dims(shape), u32(0), u64(0)}, f.tensors[0]};
        content = f.build();
        r = reader::open(as_span(content));
        REQUIRE(r);
        CHECK(r->tensors()[0].elements() == 0);
        CHECK(r->tensors()[0].rows() == 0);
        CHECK(r->tensors()[0].data.empty());
        CHECK(r->tensors()[1].data.size() == 96);
    }
    f.tensors[0].dims = dims({16, 0});
    f.tensors[0].type = u32(8);
    CHECK(error_of(f.build()) == errc::bad_shape);
}

TEST_CASE("G23: unknown and withdrawn tensor types") {
    for (const std::uint64_t type : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 99u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
        INFO(type);
        CHECK(error_of(change([&](file& f) { f.tensors[0].type = u32(type); })) == errc::unsupported_type);
    }
}

TEST_CASE("a cut file is an error at every length") {
    const bytes whole = with_array(array(8, 3, text("one") + text("") + text("three"))).build();
    const std::size_t needed = whole.size() - 12;  // the last padding may be missing
    for (std::size_t length = 0; length < needed; ++length) {
        INFO(length);
        const errc found = error_of(whole.substr(0, length));
        CHECK((found == errc::truncated || found == errc::bad_string || found == errc::count_too_large));
    }
    for (std::size_t length = needed; length <= whole.size(); ++length) CHECK(error_of(whole.substr(0, length)) == errc::ok);
}

TEST_CASE("a flipped bit is an error or another valid file") {
    const bytes whole = with_array(array(8, 3, text("one") + text("") + text("three"))).build();
    std::size_t accepted = 0, refused = 0;
    for (std::size_t bit = 0; bit < 8 * std::size_t{512} && bit < 8 * whole.size(); ++bit) {
        bytes damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        const exact_copy copy(damaged);
        const auto r = reader::open(copy.span());
        (r ? accepted : refused) += 1;
        if (!r) continue;
        // Whatever was accepted can be used.
        unsigned sum = 0;
        for (const auto& t : r->tensors()) {
            for (const auto b : t.data) sum += static_cast<unsigned>(b);
        }
        for (const auto& e : r->metadata()) {
            for (const auto b : e.value.raw()) sum += static_cast<unsigned>(b);
            for (const auto element : e.value) sum += static_cast<unsigned>(element.raw().size());
        }
        CHECK(sum != 1);
        CHECK(r->metadata().size() == 3);
    }
    CHECK(accepted > 100);
    CHECK(refused > 100);
    CHECK(refused_allocations == 0);
}

TEST_CASE("tensors, keys and notes of a valid file") {
    const bytes content = "?" + valid().build();  // at an odd address
    const exact_copy copy(content);
    const auto r = reader::open(copy.span().subspan(1), strict);
    REQUIRE(r);
    CHECK(r->version() == 3);
    CHECK(r->alignment() == 32);
    CHECK(r->data_offset() == valid().build().size() - 288);
    REQUIRE(r->metadata().size() == 2);
    CHECK(r->metadata()[0].key == "general.architecture");
    CHECK(r->metadata()[0].value.as_string() == "llama");
    REQUIRE(r->find("llama.block_count") != nullptr);
    CHECK(r->find("llama.block_count")->as_u64() == 7u);
    CHECK(r->find("llama.block_coun") == nullptr);
    CHECK(r->find("") == nullptr);

    REQUIRE(r->tensors().size() == 3);
    const auto* second = r->find_tensor("second");
    REQUIRE(second == &r->tensors()[1]);
    CHECK(second->type == 8);
    CHECK(second->dims == 2);
    CHECK(second->cols() == 64);
    CHECK(second->rows() == 2);
    CHECK(second->elements() == 128);
    CHECK(second->offset == 96);
    CHECK(chars(second->data) == valid().data.substr(96, 136));
    CHECK(second->data.data() >= copy.span().data());  // a view, not a copy
    CHECK(second->data.data() < copy.span().data() + copy.span().size());
    CHECK(chars(r->find_tensor("third")->data) == valid().data.substr(256, 20));
    CHECK(r->find_tensor("fourth") == nullptr);
    CHECK_FALSE(r->notes().unpadded_end);
}

TEST_CASE("a reader can be moved") {
    const bytes content = valid().build();
    auto opened = reader::open(as_span(content));
    REQUIRE(opened);
    reader first = std::move(*opened);
    reader second;
    second = std::move(first);
    CHECK(second.tensors().size() == 3);
    CHECK(second.find_tensor("third")->data.size() == 20);
    CHECK(second.find("llama.block_count")->as_u64() == 7u);
}

TEST_CASE("what a lenient reader accepts is noted") {
    file f = valid();
    std::swap(f.tensors[0], f.tensors[2]);
    f.tensors[0].offset = u64(320);
    f.data.resize(320);
    f.data += bytes(20, 'x');
    f.tensors[1].name = text("\xFE");
    f.entries.push_back(entry("a b", 8, text("\xFF")));
    f.entries.push_back(entry("b", 7, "\x02"));
    f.entries.push_back(text("c") + array(7, 4, {'\0', '\1', '\3', '\4'}));
    const bytes content = f.build();
    const auto r = reader::open(as_span(content));
    REQUIRE(r);
    CHECK(r->notes().odd_keys == 1);
    CHECK(r->notes().invalid_utf8 == 2);
    CHECK(r->notes().odd_bools == 3);
    CHECK(r->notes().out_of_order);
    CHECK(r->notes().gap_bytes == 64);
    CHECK(r->notes().unpadded_end);
    CHECK(r->notes().trailing_bytes == 0);
    CHECK(r->find("b")->as_bool() == true);
    CHECK(chars(r->find_tensor("third")->data) == bytes(20, 'x'));

    const bytes longer = valid().build() + "trailing";
    const auto more = reader::open(as_span(longer));
    REQUIRE(more);
    CHECK(more->notes().trailing_bytes == 8);
    CHECK_FALSE(more->notes().out_of_order);
    CHECK(more->notes().gap_bytes == 0);
}

TEST_CASE("an error tells the place") {
    const file f = valid();
    const auto where = [](const bytes& content) { return reader::open(as_span(content)).where(); };
    CHECK(where(change([](file& g) { g.version = u32(9); })) == 4);
    CHECK(where(with_entry(entry("llama.block_count", 0, "x")).build()) == 24 + f.entries[0].size() + f.entries[1].size());
    CHECK(where(valid().build().substr(0, 20)) == 20);
}

TEST_CASE("G10: many keys and tensors take linear time") {
    constexpr std::size_t many = 200'000;
    file f;
    for (std::size_t i = 0; i < many; ++i) f.entries.push_back(entry("key." + std::to_string(i), 0, "x"));
    for (std::size_t i = 0; i < many; ++i) f.tensors.push_back({text("tensor." + std::to_string(i)), dims({1}), u32(0), u64(32 * i)});
    std::swap(f.tensors[5], f.tensors[many - 7]);  // needs sorting
    f.data.resize(32 * many);
    const bytes content = f.build();

    const auto start = std::chrono::steady_clock::now();
    const auto r = reader::open(as_span(content));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    REQUIRE(r);
    CHECK(took.count() < 5.0);  // quadratic: minutes
    CHECK(r->find("key.199999") == &r->metadata()[many - 1].value);
    CHECK(r->find_tensor("tensor.123456")->offset == 32 * 123456);

    CHECK(error_of(content, {.max_metadata = many - 1}) == errc::count_too_large);
    CHECK(error_of(content, {.max_tensors = many - 1}) == errc::count_too_large);
    CHECK(error_of(content, {.max_metadata = many, .max_tensors = many}) == errc::ok);
}

TEST_CASE("names are hashed with a key of their own") {
    // Test vector of the reference implementation's family: SipHash-1-3 of 15 bytes 0 .. 14 under the key 0 .. 15.
    std::string message;
    for (int i = 0; i < 15; ++i) message += static_cast<char>(i);
    CHECK(nibble::file::keyed_hash(message, 0x0706050403020100u, 0x0F0E0D0C0B0A0908u) == 0xD320D86D2A519956u);
    CHECK(nibble::file::keyed_hash("", 0x0706050403020100u, 0x0F0E0D0C0B0A0908u) == 0xABAC0158050FC4DCu);
}

TEST_CASE("memory that runs out is an error value") {
    file f;
    constexpr std::size_t many = 900'000;  // over 64 MiB of tensor_info
    bytes infos;
    for (std::size_t i = 0; i < many; ++i) infos += text(std::to_string(i)) + u32(0) + u32(0) + u64(0);
    f.tensor_count = u64(many);
    const bytes content = f.header() + infos;
    const auto r = reader::open(as_span(content));
    CHECK(r.error() == errc::out_of_memory);
    CHECK(refused_allocations == 1);
    refused_allocations = 0;
}

TEST_CASE("every value type can be read") {
    struct scalar_case {
        std::uint32_t type;
        bytes raw;
        std::optional<std::uint64_t> u;
        std::optional<std::int64_t> i;
        std::optional<double> f;
    };
    constexpr auto none = std::nullopt;
    const std::vector<scalar_case> cases = {
        {0, number(std::uint8_t{200}), 200u, 200, 200.0},
        {1, number(std::int8_t{-3}), none, -3, -3.0},
        {1, number(std::int8_t{3}), 3u, 3, 3.0},
        {2, number(std::uint16_t{65535}), 65535u, 65535, 65535.0},
        {3, number(std::int16_t{-32768}), none, -32768, -32768.0},
        {4, number(std::uint32_t{4294967295u}), 4294967295u, 4294967295, 4294967295.0},
        {5, number(std::int32_t{-2147483647}), none, -2147483647, -2147483647.0},
        {6, number(1.5f), none, none, 1.5},
        {7, "\x01", none, none, none},
        {10, u64(~0ull), ~0ull, none, none},
        {10, u64(1ull << 53), 1ull << 53, std::int64_t{1} << 53, 9007199254740992.0},
        {10, u64((1ull << 53) + 1), (1ull << 53) + 1, (std::int64_t{1} << 53) + 1, none},
        {11, number(std::numeric_limits<std::int64_t>::min()), none, std::numeric_limits<std::int64_t>::min(), none},
        {12, number(-0.1), none, none, -0.1},
        {8, text("abc"), none, none, none},
    };
    for (const auto& c : cases) {
        INFO(c.type);
        const exact_copy copy(c.raw);
        const auto v = value_view::parse(c.type, copy.span());
        REQUIRE(v);
        CHECK(v->type() == static_cast<value_type>(c.type));
        CHECK(v->element_type() == v->type());
        CHECK(v->size() == 0);
        CHECK(chars(v->raw()) == c.raw);
        CHECK(v->as_u64() == c.u);
        CHECK(v->as_i64() == c.i);
        CHECK(v->as_f64() == c.f);
        CHECK(v->as_bool() == (c.type == 7 ? std::optional(true) : none));
        CHECK(v->as_string().has_value() == (c.type == 8));
        CHECK_FALSE(v->at(0));
        CHECK((v->begin() == v->end()));
        for (std::size_t cut = 0; cut < c.raw.size(); ++cut) CHECK_FALSE(value_view::parse(c.type, copy.span().first(cut)));
    }
    CHECK_FALSE(value_view().as_u64());
    CHECK_FALSE(value_view().as_string());
    CHECK_FALSE(value_view().at(0));
    CHECK(name_of(value_type::float64) == "float64");
    CHECK(name_of(static_cast<value_type>(13)) == "unknown");
}

TEST_CASE("arrays give their elements") {
    const bytes numbers = u32(3) + u64(3) + number(std::int16_t{-1}) + number(std::int16_t{5}) + number(std::int16_t{300});
    const exact_copy copy(numbers);
    const auto v = value_view::parse(9, copy.span());
    REQUIRE(v);
    CHECK(v->is_array());
    CHECK(v->element_type() == value_type::int16);
    CHECK(v->size() == 3);
    CHECK(v->at(2)->as_i64() == 300);
    CHECK_FALSE(v->at(3));
    CHECK_FALSE(v->at(~0ull));
    CHECK_FALSE(v->as_u64());
    std::vector<std::int64_t> seen;
    for (const auto element : *v) seen.push_back(*element.as_i64());
    CHECK(seen == std::vector<std::int64_t>{-1, 5, 300});

    const bytes strings = u32(8) + u64(3) + text("one") + text("") + text(std::string_view("t\0o", 3));
    const exact_copy string_copy(strings + "behind it");
    const auto s = value_view::parse(9, string_copy.span());
    REQUIRE(s);
    CHECK(chars(s->raw()) == strings);
    CHECK(s->at(0)->as_string() == "one");
    CHECK(s->at(1)->as_string() == "");
    CHECK(s->at(2)->as_string() == std::string_view("t\0o", 3));
    CHECK_FALSE(s->at(3));
    std::vector<std::string> words;
    for (const auto element : *s) words.emplace_back(*element.as_string());
    CHECK(words.size() == 3);
}
