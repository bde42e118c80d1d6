// Damaged safetensors files and indexes by the ten thousand: an error, or a file that holds together and can be written back.
#include <string>
#include <vector>

#include "nibble/safetensors/index.hpp"
#include "nibble/safetensors/reader.hpp"
#include "nibble/safetensors/writer.hpp"
#include "safetensors/file_builder.hpp"
#include "support/allocation_guard.hpp"
#include "support/mutator.hpp"
#include "support/test.hpp"

using namespace safetensors_test;
using nibble::safetensors::reader;

namespace {

const std::vector<std::string> words = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\",
                                        "\"dtype\"",
                                        "\"shape\"",
                                        "\"data_offsets\"",
                                        "\"__metadata__\"",
                                        "\"BF16\"",
                                        "\"F4\"",
                                        "\"F64\"",
                                        "\\u0000",
                                        "\\ud83d\\ude00",
                                        "\\ud83d",
                                        "\xC3\xA9",
                                        "\xF4\x90\x80\x80",
                                        "18446744073709551615",
                                        "0",
                                        "-1",
                                        "1e3",
                                        " ",
                                        "\n",
                                        "null",
                                        "true",
                                        "[0,0]",
                                        "[[]]",
                                        "{}"};

/// Brings the length field in line with the header again, so that most damage reaches the JSON reader.
std::string with_length(const std::string& content, std::size_t data) {
    if (content.size() < 8 + data) return content;
    return support::number(std::uint64_t{content.size() - 8 - data}) + content.substr(8);
}

}  // namespace

TEST_CASE("damaged files") {
    const std::string escaped =
        file("{" + tensor("\\u0061\\n", "F4", "[2,2]", "[0,2]") + "," + tensor("b", "U8", "[0,9]", "[2,2]") + "}   ", 2);
    const std::string seeds[] = {valid(), escaped};
    support::mutator damage(1, words);
    std::size_t accepted = 0, seen = 0;
    support::fuzz_rounds(100'000, [&](std::size_t i) {
        const std::string& seed = seeds[i % 2];
        const std::size_t data = i % 2 == 0 ? 38 : 2;
        std::string content = damage(seed, seed.size() - data);
        if (i % 4 != 0) content = with_length(content, data);
        const exact_copy copy(content);
        const auto r = reader::open(copy.span());
        ++seen;
        if (!r) {
            REQUIRE(r.where() <= content.size());
            REQUIRE_FALSE(r.message().empty());
            return;
        }
        ++accepted;
        nibble::safetensors::basic_writer<nibble::file::memory_sink> to{nibble::file::memory_sink()};
        for (const auto& e : r->metadata()) REQUIRE(to.set(e.key, e.value));
        std::uint64_t sum = 0;
        for (const auto& t : r->tensors()) {
            REQUIRE(to.add_tensor(t));
            REQUIRE((t.elements() == 0 || t.rows() * t.cols() == t.elements()));
            REQUIRE(r->find_tensor(t.name) == &t);
            for (const std::byte b : t.data) sum += static_cast<std::uint64_t>(b);  // a sanitizer sees whether they are all there
        }
        REQUIRE(sum < ~std::uint64_t{0});
        REQUIRE(to.begin());
        for (const auto& t : r->tensors()) {
            REQUIRE(to.write(t.data));
            REQUIRE(to.end_tensor());
        }
        REQUIRE(to.finish());
        const auto again = reader::open(to.destination().bytes());
        REQUIRE(again);
        REQUIRE(again->tensors().size() == r->tensors().size());
        for (std::size_t t = 0; t < r->tensors().size(); ++t) {
            REQUIRE(again->tensors()[t].name == r->tensors()[t].name);
            REQUIRE(chars(again->tensors()[t].data) == chars(r->tensors()[t].data));
        }
    });
    CHECK(refused_allocations == 0);
    CHECK(accepted > seen / 100);
}

TEST_CASE("damaged indexes") {
    const std::string seed =
        R"({"metadata":{"total_size":9},"weight_map":{"a\u00e9":"m-1-of-2.safetensors","b":"m-1-of-2.safetensors","c":"m-2-of-2.safetensors"}})";
    support::mutator damage(2, words);
    std::size_t accepted = 0;
    support::fuzz_rounds(50'000, [&](std::size_t) {
        const exact_copy copy(damage(seed, seed.size()));
        const auto read = nibble::safetensors::index::read(copy.span());
        if (!read) return;
        ++accepted;
        for (const auto& e : read->entries()) {
            REQUIRE(nibble::safetensors::is_plain_file_name(e.file));
            REQUIRE(read->files()[e.shard] == e.file);
            REQUIRE(read->find(e.tensor) == &e);
        }
    });
    CHECK(accepted > 100);
    CHECK(refused_allocations == 0);
}
