// Importance files in both forms: what is written is read, and what is wrong has a name.
#include <cstring>
#include <vector>

#include "gguf/file_builder.hpp"
#include "nibble/gguf/imatrix.hpp"
#include "nibble/gguf/imatrix_writer.hpp"
#include "support/test.hpp"

using namespace gguf_test;
using namespace nibble::gguf;
using nibble::errc;

namespace {

const std::vector<float> sums = {1, 2, 3, 4, 5, 6, 7, 8}, one = {2}, of_experts = {4, 0};
const std::vector<imatrix_record> records = {{"blk.0.attn_q.weight", {sums.data(), 4}, one},
                                             {"blk.0.ffn_up_exps.weight", sums, of_experts}};
const std::string_view datasets[] = {"a.txt", "b.txt"};

bytes newer_form(std::span<const imatrix_record> from = records) {
    basic_writer<memory_sink> out{memory_sink()};
    REQUIRE(write_imatrix(out, from, {datasets, 7, 512}));
    REQUIRE(out.finish());
    return bytes(chars(out.destination().bytes()));
}
bytes older_form(std::span<const imatrix_record> from = records) {
    memory_sink out;
    REQUIRE(write_older_imatrix(out, from, {datasets, 7, 512}));
    return bytes(chars(out.bytes()));
}

std::vector<float> weights(const imatrix& from, std::string_view name) {
    const imatrix_entry* e = from.find(name);
    REQUIRE(e != nullptr);
    std::vector<float> values(e->size);
    e->weights(values);
    return values;
}

nibble::errc error_of(const bytes& content) { return imatrix::read(exact_copy(content).span()).error(); }

}  // namespace

TEST_CASE("both forms give the weights back") {
    for (const bytes& content : {newer_form(), older_form()}) {
        const exact_copy copy(content);
        const auto read = imatrix::read(copy.span());
        REQUIRE(read);
        CHECK(read->entries().size() == 2);
        CHECK(read->chunks() == 7);
        CHECK(read->dataset() == "a.txt");
        CHECK(weights(*read, "blk.0.attn_q.weight") == std::vector<float>{0.5f, 1, 1.5f, 2});
        // The second expert was never used: neutral.
        CHECK(weights(*read, "blk.0.ffn_up_exps.weight") == std::vector<float>{0.25f, 0.5f, 0.75f, 1, 1, 1, 1, 1});
        CHECK(read->find("blk.0.attn_k.weight") == nullptr);
        CHECK(read->find("") == nullptr);
    }
}

TEST_CASE("the older form: no trailer, no calls") {
    const auto name = [](std::string_view t) { return u32(t.size()).append(t); };
    const bytes entry = name("w") + u32(0) + u32(2) + number(3.0f) + number(5.0f);
    const bytes content = u32(1) + entry;
    const exact_copy copy(content), with_chunks(content + u32(9)), whole(content + u32(9) + name("t"));
    CHECK(weights(*imatrix::read(copy.span()), "w") == std::vector<float>{3, 5});
    CHECK(imatrix::read(copy.span())->chunks() == 0);
    CHECK(imatrix::read(with_chunks.span())->chunks() == 9);
    CHECK(imatrix::read(whole.span())->dataset() == "t");

    CHECK(error_of("") == errc::truncated);
    CHECK(error_of(u32(0)) == errc::count_too_large);
    CHECK(error_of(u32(0xFFFFFFFF) + entry) == errc::count_too_large);
    CHECK(error_of(u32(1000) + entry) == errc::count_too_large);
    CHECK(error_of(u32(2) + entry + entry) == errc::duplicate_key);
    CHECK(error_of(u32(1) + u32(0) + entry) == errc::bad_string);
    CHECK(error_of(u32(1) + u32(0x7FFFFFFF) + entry) == errc::bad_string);
    CHECK(error_of(u32(1) + name("wwwwwwwwww") + u32(0) + u32(0)) == errc::bad_shape);
    CHECK(error_of(u32(1) + name("wwwwwwwwww") + u32(0) + u32(0x80000000)) == errc::bad_shape);
    CHECK(error_of(u32(1) + name("wwwwwwwwww") + u32(0) + u32(0x7FFFFFFF)) == errc::truncated);
    CHECK(error_of(content + u32(9) + u32(5) + "abc") == errc::bad_string);
    for (std::size_t length = 0; length < content.size(); ++length) CHECK(error_of(content.substr(0, length)) != errc::ok);
}

TEST_CASE("the GGUF form: what is wrong") {
    const auto with = [](std::vector<tensor> tensors, const bytes& data) {
        file f;
        f.tensors = std::move(tensors);
        f.data = data;
        return f.build();
    };
    const bytes zeros(64, '\0');
    CHECK(error_of(with({}, "")) == errc::bad_magic);
    CHECK(error_of(valid().build()) == errc::bad_magic);
    CHECK(error_of(with({{text("w.in_sum2"), dims({8, 1}), u32(0), u64(0)}}, zeros)) == errc::not_found);
    CHECK(error_of(with({{text(".in_sum2"), dims({8, 1}), u32(0), u64(0)}}, zeros)) == errc::bad_magic);
    const auto pair = [&](const bytes& sums_dims, const bytes& counts_dims, std::uint32_t sums_type, std::uint32_t counts_type) {
        return with({{text("w.in_sum2"), sums_dims, u32(sums_type), u64(0)}, {text("w.counts"), counts_dims, u32(counts_type), u64(32)}},
                    zeros);
    };
    CHECK(error_of(pair(dims({8, 1}), dims({1, 1}), 0, 0)) == errc::ok);
    CHECK(error_of(pair(dims({4, 2}), dims({1, 2}), 0, 0)) == errc::ok);
    CHECK(error_of(pair(dims({8, 1}), dims({1, 3}), 0, 0)) == errc::bad_shape);
    CHECK(error_of(pair(dims({8, 1}), dims({1, 1}), 26, 0)) == errc::bad_shape);
    CHECK(error_of(pair(dims({8, 1}), dims({2, 1}), 0, 1)) == errc::bad_shape);
    CHECK(error_of(newer_form().substr(0, 100)) != errc::ok);
}

TEST_CASE("records that make no file") {
    memory_sink out;
    const auto refuse = [&](const imatrix_record& r) { return write_older_imatrix(out, {&r, 1}, {}).error(); };
    CHECK(write_older_imatrix(out, {}, {}).error() == errc::invalid_argument);
    CHECK(refuse({"", sums, one}) == errc::bad_string);
    CHECK(refuse({"w", sums, {}}) == errc::size_mismatch);
    CHECK(refuse({"w", {}, one}) == errc::size_mismatch);
    const std::vector<float> three(3, 1.0f);
    CHECK(refuse({"w", sums, three}) == errc::size_mismatch);
    CHECK(out.bytes().empty());
    // A name that has no room for the suffix.
    const std::string longest(63, 'x');
    const imatrix_record r{longest, sums, one};
    basic_writer<memory_sink> to{memory_sink()};
    CHECK_FALSE(write_imatrix(to, {&r, 1}, {}));
}
