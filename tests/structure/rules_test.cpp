// Floors, regions, manners, calls, lengths, widths and names: see rules.hpp. Each rule is first shown something that it must find.
#include "rules.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/test.hpp"

namespace {

/// Who else may name a format, and why.
const std::vector<rules::exception> named_on_purpose = {
    {"safetensors/", "", "its element types have names of their own, some of them the same"},
    {"gguf/", "", "recipes (Q4_K_M and so on) say which tensor gets which format"},
    {"tensor/any_view.hpp", "f32", "visit asks one format what its callable returns"},
    {"algo/dequantize.hpp", "f32", "what it allocates is a tensor of f32"},
    {"base/target.hpp", "bf16", "the name of a feature of processors"},
    {"nibble.hpp", "", "the umbrella may include what it likes"},
};

std::vector<rules::header> all_headers() {
    const std::filesystem::path root = std::filesystem::path(NIBBLE_TESTS_DIR).parent_path() / "include" / "nibble";
    std::vector<rules::header> headers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.path().extension() != ".hpp") continue;
        std::ifstream file(entry.path());
        headers.push_back({entry.path().lexically_relative(root).generic_string(), {std::istreambuf_iterator<char>(file), {}}});
    }
    return headers;
}

/// One finding a line, so that a failure shows them all.
std::string joined(const rules::findings& found) {
    std::string text;
    for (const auto& f : found) text += "\n" + f;
    return text;
}

template <class Rule>
std::string broken(Rule rule) {
    rules::findings found;
    for (const auto& h : all_headers()) {
        for (auto& f : rule(h)) found.push_back(std::move(f));
    }
    return joined(found);
}

std::size_t count(const rules::findings& found) {
    INFO(joined(found));
    return found.size();
}

}  // namespace

TEST_CASE("comments and strings are blanked, lines stay") {
    CHECK(rules::code_of("a // b\nc", false) == "a     \nc");
    CHECK(rules::code_of("a /* b\n */ c", false) == "a     \n    c");
    CHECK(rules::code_of(R"(f("// x \" y"); g)", false) == R"(f("         "); g)");
    CHECK(rules::code_of(R"(f("// x"); g)", true) == R"(f("// x"); g)");
    CHECK(rules::code_of("1'000; // x", false) == "1'000;     ");
    CHECK(rules::code_of("'\"' a \"b\"", false) == "    a \" \"");
}

TEST_CASE("the rule of floors finds what it should") {
    CHECK(count(rules::floors({"format/a.hpp", "#include \"nibble/base/bits.hpp\"\n#include <nibble/format/b.hpp>\n"})) == 0);
    CHECK(count(rules::floors({"format/a.hpp", "#include \"nibble/tensor/shape.hpp\"\n"})) == 1);
    CHECK(count(rules::floors({"tensor/a.hpp", "#include \"nibble/cpu/isa.hpp\"\n"})) == 1);
    CHECK(count(rules::floors({"tensor/a.hpp", "// #include \"nibble/cpu/isa.hpp\"\n"})) == 0);
    CHECK(count(rules::floors({"base/a.hpp", "#include \"nibble/version.hpp\"\n"})) == 0);
    CHECK(count(rules::floors({"nibble.hpp", "#include \"nibble/algo/quantize.hpp\"\n"})) == 0);
    CHECK(count(rules::floors({"nibble.hpp", "#include \"nibble/gguf/reader.hpp\"\n"})) == 1);
    CHECK(count(rules::floors({"gguf/reader.hpp", "#include \"nibble/nibble.hpp\"\n"})) == 1);
    CHECK(count(rules::floors({"cpu/a.hpp", "#include <Eigen/Core>\n"})) == 1);
    CHECK(count(rules::floors({"kernel/reference/a.hpp", "#include <Eigen/Core>\n"})) == 0);
    CHECK(count(rules::floors({"algo/a.hpp", "#include <iostream>\n#include <functional>\n"})) == 2);
    CHECK(count(rules::floors({"gguf/a.hpp", "#include <filesystem>\n"})) == 0);
    CHECK(count(rules::floors({"kernel/a.hpp", "#include \"b.hpp\"\n"})) == 1);
    CHECK(count(rules::floors({"attic/a.hpp", "\n"})) == 1);
}

TEST_CASE("the rule of regions finds what it should") {
    const auto inside = [](const std::string& line) {
        return count(rules::regions({"kernel/avx2/a.hpp", "NIBBLE_TARGET_BEGIN_AVX2\n" + line + "\nNIBBLE_TARGET_END\n"}));
    };
    CHECK(inside("const std::size_t a = b;") == 0);
    CHECK(inside("#include <algorithm>") == 1);
    CHECK(inside("#if defined(__AVX2__)") == 1);
    CHECK(inside("a = std::min(b, c);") == 1);
    CHECK(inside("a = (std::min)(b, c);") == 1);
    CHECK(inside("inline const __m256i ones = f();") == 1);
    CHECK(inside("    const __m256i ones = f();") == 0);
    CHECK(inside("NIBBLE_TARGET_BEGIN_AVX512") == 1);
    CHECK(count(rules::regions({"kernel/a.hpp", "NIBBLE_TARGET_BEGIN_AVX2\n"})) == 1);
    CHECK(count(rules::regions({"kernel/a.hpp", "NIBBLE_TARGET_END\n"})) == 1);
    CHECK(count(rules::regions({"kernel/a.hpp", "a = std::min(b, c);\n#include <algorithm>\n"})) == 0);
    CHECK(count(rules::regions({"kernel/a.hpp", "#pragma GCC target(\"avx2\")\n"})) == 1);
    CHECK(count(rules::regions({"kernel/a.hpp", "_Pragma(\"clang attribute pop\")\n"})) == 1);
    CHECK(count(rules::regions({"kernel/a.hpp", "#pragma once\n#pragma GCC unroll 4\n"})) == 0);
    CHECK(count(rules::regions({"base/target.hpp", "#pragma GCC push_options\n"})) == 0);
}

TEST_CASE("the rule of manners finds what it should") {
    CHECK(count(rules::manners({"algo/a.hpp", "std::abort();\n"})) == 1);
    CHECK(count(rules::manners({"algo/a.hpp", "if (x) throw y;\nstd::printf(\"x\");\nstd::cerr << x;\nassert(x);\n"})) == 4);
    CHECK(count(rules::manners({"algo/a.hpp", "// we never throw\n\"abort\"; static_assert(x); std::snprintf(a);\n"})) == 0);
}

TEST_CASE("the rule of calls that stay finds what it should") {
    CHECK(count(rules::calls_that_stay({"kernel/a.hpp", "[[gnu::noinline]] void f();\n__attribute__((noinline)) void g();\n"})) == 2);
    CHECK(count(rules::calls_that_stay({"kernel/a.hpp", "NIBBLE_NOINLINE void f();  // noinline\n"})) == 0);
    CHECK(count(rules::calls_that_stay({"base/config.hpp", "#define NIBBLE_NOINLINE __attribute__((noinline))\n"})) == 0);
}

TEST_CASE("the rule of lengths finds what it should") {
    CHECK(count(rules::lengths({"a.hpp", std::string(3, '\n')}, 2)) == 1);
    CHECK(count(rules::lengths({"a.hpp", std::string(3, '\n')}, 3)) == 0);
}

TEST_CASE("the rule of widths finds what it should") {
    CHECK(count(rules::widths({"a.hpp", "12\n1234\n123"}, 3)) == 1);
    CHECK(count(rules::widths({"a.hpp", "12\n1234\n123"}, 4)) == 0);
}

TEST_CASE("the rule of names finds what it should") {
    const auto names = rules::format_names("#define NIBBLE_FORMATS(X) \\\n    X(q4_0) \\\n    X(q8_0)\n");
    REQUIRE(names == std::vector<std::string>{"q4_0", "q8_0"});
    const auto in = [&](const std::string& path, const std::string& text) { return count(rules::format_words({path, text}, names, {})); };
    CHECK(in("format/q4_0.hpp", "#include \"nibble/format/q8_0.hpp\"\nstruct q4_0 {\n    using companion = q8_0;\n};\n") == 0);
    CHECK(in("format/q4_0.hpp", "struct q4_0 { q8_0 x; };\n") == 1);
    CHECK(in("kernel/a.hpp", "// q4_0 is faster\nint q4_0x;\n") == 0);
    CHECK(in("kernel/a.hpp", "template <> struct kernel<q4_0> {};\n") == 1);
    CHECK(in("kernel/a.hpp", "if (name == \"q4_0\") return;\n#include \"nibble/format/q8_0.hpp\"\n") == 2);
    CHECK(in("format/list.hpp", "X(q4_0)\n") == 0);
    CHECK(count(rules::format_words({"kernel/a.hpp", "q4_0 q8_0\n"}, names, {{"kernel/", "q4_0", "test"}})) == 1);
    CHECK(count(rules::format_words({"kernel/a.hpp", "q4_0 q8_0\n"}, names, {{"kernel/a.hpp", "", "test"}})) == 0);
}

TEST_CASE("a header includes only lower floors") { CHECK(broken(rules::floors) == ""); }

TEST_CASE("target regions hold kernels only") { CHECK(broken(rules::regions) == ""); }

TEST_CASE("headers do not print, throw or end the program") { CHECK(broken(rules::manners) == ""); }

TEST_CASE("functions out of line say so with the macro") { CHECK(broken(rules::calls_that_stay) == ""); }

TEST_CASE("a file holds one idea") {
    const auto long_files = broken([](const rules::header& h) { return rules::lengths(h, rules::long_file); });
    if (!long_files.empty()) std::printf("Over %zu lines:%s\n", rules::long_file, long_files.c_str());
    CHECK(broken([](const rules::header& h) { return rules::lengths(h, rules::too_long_file); }) == "");
}

TEST_CASE("a line fits into a window") {
    CHECK(broken([](const rules::header& h) { return rules::widths(h, rules::wide_line); }) == "");
}

TEST_CASE("a format lives in its own file and one line of the list") {
    std::vector<std::string> names;
    for (const auto& h : all_headers()) {
        if (h.path == "format/list.hpp") names = rules::format_names(h.text);
    }
    REQUIRE(names.size() > 4);
    CHECK(broken([&](const rules::header& h) { return rules::format_words(h, names, named_on_purpose); }) == "");
}
