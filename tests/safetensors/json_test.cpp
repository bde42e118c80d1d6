// The JSON reader: what it accepts and refuses, and that it agrees with another parser about thousands of damaged texts.
#include "nibble/safetensors/json.hpp"

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "support/bytes.hpp"
#include "support/test.hpp"

using nibble::errc;
using nibble::safetensors::growing;
using nibble::safetensors::json_cursor;

namespace {

struct parsed {
    errc error;
    std::string value;
};

/// @param call  gets the cursor and returns a status @param text exactly as long as its memory
template <class Call>
nibble::status with(std::string_view text, const Call& call) {
    const support::exact_copy copy(text);
    growing<char> unescaped;
    json_cursor cursor(support::chars(copy.span()), unescaped);
    return call(cursor);
}

parsed string(std::string_view text) {
    parsed p{};
    p.error = with(text, [&](json_cursor& c) {
                  std::string_view value;
                  const auto s = c.string(value);
                  p.value = value;
                  return s;
              }).error();
    return p;
}

nibble::status value(std::string_view text) {
    return with(text, [](json_cursor& c) {
        if (const auto s = c.check_utf8(); !s) return s;
        if (const auto s = c.skip_value(); !s) return s;
        return c.end(true);
    });
}

}  // namespace

TEST_CASE("strings and their escapes") {
    CHECK(string(R"("")").value == "");
    CHECK(string(R"( "abc")").value == "abc");
    CHECK(string(R"("a\"b\\c\/d\b\f\n\r\t")").value == "a\"b\\c/d\b\f\n\r\t");
    CHECK(string(R"("\u0041\u00e9\u20AC\ud83d\ude00")").value == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK(string(R"("\u0000")").value == std::string(1, '\0'));
    CHECK(string(R"("\uFFFF\uDBFF\uDFFF")").value == "\xEF\xBF\xBF\xF4\x8F\xBF\xBF");
    for (const char* bad : {"",
                            "\"",
                            "\"a",
                            "\"\\",
                            "\"\\\"",
                            "\"\\x\"",
                            "\"\\u\"",
                            "\"\\u12\"",
                            "\"\\u12G4\"",
                            "\"\\u123",
                            "\"\\ud83d\"",
                            "\"\\ud83dx\"",
                            "\"\\ud83d\\n\"",
                            "\"\\ud83d\\u0041\"",
                            "\"\\ude00\"",
                            "\"\\ud83d\\ud83d\"",
                            "\"a\nb\"",
                            "\"a\\n\tb\"",
                            "abc",
                            "'a'",
                            "1"}) {
        INFO(bad);
        CHECK(string(bad).error == errc::bad_json);
    }
}

TEST_CASE("integers are plain and exact") {
    const auto integer = [](std::string_view text) {
        std::uint64_t n = 7;
        const auto s = with(text, [&](json_cursor& c) { return c.integer(n); });
        return s ? n : ~std::uint64_t{0} - 1;
    };
    constexpr std::uint64_t refused = ~std::uint64_t{0} - 1;
    CHECK(integer("0") == 0);
    CHECK(integer(" \n42") == 42);
    CHECK(integer("9007199254740993") == 9007199254740993u);  // 2^53 + 1: a double would lose it
    CHECK(integer("18446744073709551615") == ~std::uint64_t{0});
    for (const char* bad : {"", "-1", "-0", "+1", "1.0", "1e3", "1E3", "01", "00", "0x10", "18446744073709551616",
                            "99999999999999999999999", "\"1\"", "null", ".5"}) {
        INFO(bad);
        // "0x10" is a number and something else behind it: the caller, who expects a comma, notices.
        CHECK(integer(bad) == (std::string_view(bad) == "0x10" ? 0 : refused));
    }
}

TEST_CASE("values of any kind are stepped over, to a limited depth") {
    for (const char* good : {"1", "-0", "-1.5e+10", "0.1E-3", "true", "false", "null", "\"\"", "[]", "{}", "[1,2]", "[[],{}]",
                             R"({"a":[1,{"b":null}],"c":"d"})", " [ 1 , 2 ] ", "[\n\t1\r]"}) {
        INFO(good);
        CHECK(value(good).error() == errc::ok);
    }
    for (const char* bad : {"",
                            " ",
                            "[",
                            "]",
                            "{",
                            "[1",
                            "[1,",
                            "[1,]",
                            "[,1]",
                            "[1 2]",
                            "{\"a\"}",
                            "{\"a\":}",
                            "{\"a\":1,}",
                            "{a:1}",
                            "{1:1}",
                            "{\"a\":1 \"b\":2}",
                            "[1}",
                            "{\"a\":1]",
                            "tru",
                            "nul",
                            "True",
                            "NaN",
                            "Infinity",
                            "-",
                            "-a",
                            "1.",
                            ".1",
                            "1e",
                            "1e+",
                            "01",
                            "1 2",
                            "[1]]",
                            "/* */1",
                            "1//",
                            "\xEF\xBB\xBF[]",
                            "'a'",
                            "[\"a]",
                            "{\"a\":\"b}"}) {
        INFO(bad);
        CHECK(value(bad).error() == errc::bad_json);
    }
    CHECK(value(std::string(16, '[') + std::string(16, ']')).error() == errc::ok);
    CHECK(value(std::string(17, '[') + std::string(17, ']')).error() == errc::unsupported_nesting);
    CHECK(value(std::string(100'000, '[')).error() == errc::unsupported_nesting);
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
    CHECK(value(deep).error() == errc::unsupported_nesting);
}

TEST_CASE("an error tells the place") {
    CHECK(value("[1, 2, x]").where() == 7);
    CHECK(value("[\"\xC3\xA9\", \"\xC3\"]").where() == 8);
    CHECK(value("[\"\xC3\"]").error() == errc::bad_utf8);
    for (const char* bad : {"[\"\x80\"]", "[\"\xC0\x80\"]", "[\"\xED\xA0\x80\"]", "[\"\xF4\x90\x80\x80\"]", "[\"\xF8\"]"})
        CHECK(value(bad).error() == errc::bad_utf8);
}

TEST_CASE("damaged texts: the same verdict as another parser's") {
    const std::string seeds[] = {
        R"({"metadata":{"total_size":1234.5e-2,"x":[true,false,null,-0,"\u00e9\ud83d\ude00\n"]},"weight_map":{"a.b":"c-1.safetensors"}})",
        R"([1,-2.5,{"a":{"b":[[],{}]}},"text \\ \" \/",0.0e0])", "{ \"k\" : [ 1 , 2 ] ,\n\t\"l\" : \"\xC3\xA9\xE2\x82\xAC\" }"};
    const std::string alphabet = "{}[]:,\"\\0123456789.eE+-truefalsnu \n\t/\x01\x7F\x80\xC3\xED\xF0";
    std::mt19937 generator(1);
    std::size_t good = 0, bad = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string text = seeds[generator() % 3];
        for (auto changes = generator() % 4; changes-- > 0;) {
            const std::size_t at = generator() % (text.size() + 1);
            const char c = alphabet[generator() % alphabet.size()];
            switch (generator() % 4) {
                case 0: text.insert(at, 1, c); break;
                case 1:
                    if (at < text.size()) text.erase(at, 1 + generator() % 3);
                    break;
                case 2:
                    if (at < text.size()) text[at] = c;
                    break;
                default: text.insert(at, text.substr(generator() % text.size(), generator() % 8)); break;
            }
        }
        const auto s = value(text);
        if (s.error() == errc::unsupported_nesting) continue;
        const bool accepted = nlohmann::json::accept(text);
        INFO(text);
        REQUIRE(static_cast<bool>(s) == accepted);
        (accepted ? good : bad) += 1;
    }
    CHECK(good > 10'000);
    CHECK(bad > 10'000);
}
