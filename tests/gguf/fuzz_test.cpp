// Damaged GGUF and importance files by the ten thousand: an error, or a file that holds together and can be written back.
#include <string>
#include <vector>

#include "gguf/file_builder.hpp"
#include "nibble/gguf/imatrix.hpp"
#include "nibble/gguf/reader.hpp"
#include "nibble/gguf/writer.hpp"
#include "support/allocation_guard.hpp"
#include "support/mutator.hpp"
#include "support/test.hpp"

using namespace gguf_test;
using nibble::gguf::reader;
using nibble::gguf::value_view;

namespace {

const std::vector<std::string> words = {"GGUF",
                                        u32(3),
                                        u64(0),
                                        u64(1),
                                        u64(~0ull),
                                        u32(8) + text("x"),
                                        text("general.alignment") + u32(4) + u32(64),
                                        array(8, 2, text("a") + text("")),
                                        array(4, 1ull << 61, ""),
                                        array(9, 1, array(0, 1, "x")),
                                        array(7, 3, "\2\1\377"),
                                        text("first"),
                                        dims({8, 3}),
                                        dims({1ull << 32, 1ull << 32}),
                                        u32(12),
                                        u32(30),
                                        u32(99),
                                        std::string(32, '\0'),
                                        "\xC3\xA9",
                                        "\xED\xA0\x80"};

/// Looks at every byte of a value.
std::uint64_t read_all(const value_view& value) {
    std::uint64_t sum = value.raw().size() + value.as_u64().value_or(1) + static_cast<std::uint64_t>(value.as_i64().value_or(1)) +
                        (value.as_bool().value_or(false) ? 1 : 0);
    if (const auto s = value.as_string()) {
        for (const char c : *s) sum += static_cast<unsigned char>(c);
    }
    for (const auto element : value) sum += read_all(element);
    return sum;
}

}  // namespace

TEST_CASE("damaged files") {
    file rich = valid();
    rich.entries.push_back(text("strings") + array(8, 3, text("a") + text("\xC3\xA9") + text("")));
    rich.entries.push_back(text("numbers") + array(12, 2, std::string(16, 'n')));
    rich.entries.push_back(text("bools") + array(7, 2, std::string("\0\1", 2)));
    const std::string seeds[] = {valid().build(), rich.build()};
    const std::size_t heads[] = {valid().header().size(), rich.header().size()};
    support::mutator damage(3, words);
    std::size_t accepted = 0, seen = 0;
    support::fuzz_rounds(100'000, [&](std::size_t i) {
        const std::string content = damage(seeds[i % 2], heads[i % 2]);
        const exact_copy copy(content);
        const auto strictly = reader::open(copy.span(), {.strict = true});
        const auto r = reader::open(copy.span());
        ++seen;
        if (!r) {
            REQUIRE(r.where() <= content.size());
            REQUIRE_FALSE(r.message().empty());
            REQUIRE_FALSE(strictly);
            return;
        }
        ++accepted;
        nibble::gguf::basic_writer<nibble::gguf::memory_sink> to{nibble::gguf::memory_sink()};
        bool portable = true;  // a lenient reader accepts keys and alignments that the writer does not
        std::uint64_t sum = 0;
        for (const auto& e : r->metadata()) {
            sum += read_all(e.value);
            REQUIRE(r->find(e.key) == &e.value);
            portable = static_cast<bool>(to.set(e.key, e.value)) && portable;
        }
        for (const auto& t : r->tensors()) {
            REQUIRE(r->find_tensor(t.name) == &t);
            for (const std::byte b : t.data) sum += static_cast<std::uint64_t>(b);  // a sanitizer sees whether they are all there
            portable = static_cast<bool>(to.add_tensor(t)) && portable;
        }
        REQUIRE(sum != 1);
        if (strictly) REQUIRE(portable);
        if (!portable) return;
        REQUIRE(to.begin());
        for (const auto& t : r->tensors()) {
            REQUIRE(to.write(t.data));
            REQUIRE(to.end_tensor());
        }
        REQUIRE(to.finish());
        const auto again = reader::open(to.destination().bytes());
        REQUIRE(again);
        REQUIRE(again->tensors().size() == r->tensors().size());
        REQUIRE(again->metadata().size() == r->metadata().size());
        for (std::size_t t = 0; t < r->tensors().size(); ++t) {
            REQUIRE(again->tensors()[t].name == r->tensors()[t].name);
            REQUIRE(chars(again->tensors()[t].data) == chars(r->tensors()[t].data));
        }
    });
    CHECK(refused_allocations == 0);
    CHECK(accepted > seen / 100);
}

TEST_CASE("damaged importance files") {
    // The older form: count; name, calls, number of values, values; then the last chunk and the data set.
    const auto floats = [](std::size_t n) { return std::string(4 * n, '\x3F'); };
    const auto name = [](std::string_view t) { return u32(t.size()).append(t); };
    const std::string older = u32(2) + name("blk.0.ffn_down.weight") + u32(3) + u32(4) + floats(4) + name("output.weight") + u32(0) +
                              u32(2) + floats(2) + u32(7) + name("wiki.txt");
    file newer;
    newer.entries = {text("general.type") + u32(8) + text("imatrix"), text("imatrix.datasets") + array(8, 1, text("wiki.txt")),
                     text("imatrix.chunk_count") + u32(4) + u32(2), text("imatrix.chunk_size") + u32(4) + u32(512)};
    newer.tensors = {{text("a.weight.in_sum2"), dims({8, 1}), u32(0), u64(0)}, {text("a.weight.counts"), dims({1, 1}), u32(0), u64(32)}};
    newer.data = floats(8) + floats(1) + std::string(28, '\0');
    const std::string seeds[] = {older, newer.build()};
    auto good_old = nibble::gguf::imatrix::read(as_span(seeds[0]));
    INFO(good_old.message());
    REQUIRE(good_old);
    const auto good_new = nibble::gguf::imatrix::read(as_span(seeds[1]));
    INFO(good_new.message());
    REQUIRE(good_new);
    support::mutator damage(4, words);
    std::size_t accepted = 0;
    support::fuzz_rounds(50'000, [&](std::size_t i) {
        const exact_copy copy(damage(seeds[i % 2], seeds[i % 2].size()));
        const auto read = nibble::gguf::imatrix::read(copy.span());
        if (!read) return;
        ++accepted;
        for (const auto& e : read->entries()) {
            REQUIRE(e.size <= copy.span().size() / 4);
            std::vector<float> weights(e.size);
            e.weights(weights);
            REQUIRE(read->find(e.name) != nullptr);
        }
    });
    CHECK(accepted > 100);
    CHECK(refused_allocations == 0);
}
