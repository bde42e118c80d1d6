// The command line: help, and what is wrong with it (exit code 2).
#include "tool/tool.hpp"

using namespace tool_test;

TEST_CASE("help and version go to standard output") {
    const words asked[] = {{"--help"}, {"-h"}, {"--version"}, {"quantize", "--help"}, {"inspect", "--help"}, {"compare", "--help"}};
    for (const auto& arguments : asked) {
        const auto done = tool(arguments);
        INFO(arguments.front());
        CHECK(done.code == 0);
        CHECK(!done.out.empty());
        CHECK(done.err.empty());
    }
    CHECK(tool({"--version"}).out.starts_with("nibble "));
    for (const char* command : {"quantize", "inspect", "compare"}) CHECK(tool({"--help"}).out.find(command) != std::string::npos);
}

TEST_CASE("a wrong command line ends with 2, one line, and no file") {
    const model_folder folder;
    const std::string in = folder.in(), out = folder.out();
    const std::vector<words> wrong = {
        {},
        {"--bogus"},
        {"squash", in, out, "q8_0"},
        {"quantize"},
        {"quantize", in},
        {"quantize", in, out},
        {"quantize", in, out, "q8_0", "more"},
        {"quantize", in, out, "q8_0", "--bogus"},
        {"quantize", in, out, "q9_0"},
        {"quantize", in, out, ""},
        {"quantize", in, out, "99"},
        {"quantize", in, out, "Q4_K_M "},
        {"quantize", in, out, "\x1b[31mred"},
        {"quantize", in, out, "q8_0", "--threads", "-1"},
        {"quantize", in, out, "q8_0", "--threads", "2000"},
        {"quantize", in, out, "q8_0", "--threads", "two"},
        {"quantize", in, out, "q8_0", "--threads"},
        {"quantize", in, out, "q8_0", "--tensor-type", "attn_v"},
        {"quantize", in, out, "q8_0", "--tensor-type", "=q8_0"},
        {"quantize", in, out, "q8_0", "--tensor-type", "attn_v=q9"},
        {"quantize", in, out, "q8_0", "--tensor-type", "attn_v="},
        {"quantize", in, out, "q8_0", "--tensor-type", "(=q8_0"},
        {"quantize", in, out, "q8_0", "--output-tensor-type", "q8_k"},
        {"quantize", in, out, "q8_0", "--token-embedding-type", "i8"},
        {"quantize", in, out, "q8_0", "--search", "fast"},
        {"quantize", in, out, "q8_0", "--min-sqnr", "-3"},
        {"quantize", in, out, "q8_0", "--max-rmse", "x"},
        {"quantize", in, out, "q8_0", "--imatrix", "a", "--include-weights", "a", "--exclude-weights", "b"},
        {"quantize", in, out, "q8_0", "--include-weights", "a"},
        {"quantize", in, out, "q8_0", "--exclude-weights", "a"},
        {"inspect"},
        {"inspect", in, in},
        {"inspect", in, "--threads", "1"},
        {"compare", in},
        {"compare", in, in, in},
        {"compare", in, in, "--max-rmse", "-1"},
    };
    for (const auto& arguments : wrong) {
        std::string line;
        for (const auto& word : arguments) line += word + ' ';
        const auto done = tool(arguments);
        INFO(line << "-> " << done.err);
        CHECK(done.code == 2);
        CHECK(done.out.empty());
        CHECK(is_one_clear_line(done.err));
        CHECK(folder.files() == words{"in.gguf"});
    }
    CHECK(tool({"squash"}).err.find("squash") != std::string::npos);
}

TEST_CASE("unknown types list the known ones") {
    const model_folder folder;
    const std::string file_error = tool({"quantize", folder.in(), folder.out(), "Q9"}).err;
    for (const auto& t : gguf::file_types) CHECK(file_error.find(" " + std::string(t.name)) != std::string::npos);
    const std::string tensor_error = tool({"quantize", folder.in(), folder.out(), "Q8_0", "--tensor-type", "a=q9"}).err;
    for (const auto& t : gguf::tensor_types) CHECK((tensor_error.find(" " + std::string(t.name)) != std::string::npos) == t.weights);
}

TEST_CASE("the page about the tool lists every option and exit code") {
    const std::string page = support::read_file(NIBBLE_TESTS_DIR "/../docs/tool.md");
    for (const char* command : {"quantize", "inspect", "compare"}) {
        const std::string help = tool({command, "--help"}).out;
        for (std::size_t at = 0; (at = help.find("--", at)) != std::string::npos; at += 2) {
            const std::string option = help.substr(at, help.find_first_of(" ,\n", at) - at);
            INFO(command << ' ' << option);
            CHECK(page.find("`" + option) != std::string::npos);
        }
    }
    for (const char* code : {"| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 5 |"}) CHECK(page.find(code) != std::string::npos);
}
