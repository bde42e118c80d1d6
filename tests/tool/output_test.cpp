// What the tool prints, and where: data on standard output, the rest on standard error, a bar on terminals only. And what it needs.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <cmath>
#include <set>

#include <nibble/nibble.hpp>

#include "tool/tool.hpp"

using namespace tool_test;

namespace {

/// Runs the tool with a terminal as standard error. @return what arrived there
std::string on_terminal(const words& arguments, const std::string& out) {
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    REQUIRE(grantpt(terminal) == 0);
    REQUIRE(unlockpt(terminal) == 0);
    const std::string name = ptsname(terminal);
    const int kept = open(name.c_str(), O_RDWR | O_NOCTTY);  // so that the terminal outlives the tool
    const winsize size{24, 60, 0, 0};
    REQUIRE(ioctl(kept, TIOCSWINSZ, &size) == 0);
    const pid_t child = support::start(command(arguments), out, name, [] { setenv("TERM", "xterm", 1); });
    std::string seen;
    char buffer[4096];
    REQUIRE(fcntl(terminal, F_SETFL, O_NONBLOCK) == 0);
    int status = 0;
    for (bool running = true; running;) {
        running = waitpid(child, &status, WNOHANG) == 0;
        ssize_t got = 0;
        while ((got = read(terminal, buffer, sizeof buffer)) > 0) seen.append(buffer, static_cast<std::size_t>(got));
        usleep(2000);
    }
    CHECK(status == 0);
    close(kept);
    close(terminal);
    return seen;
}

/// The head that all JSON has.
void check_head(const json& j, const char* command) {
    CHECK(j["schema"] == 1);
    CHECK(j["tool"] == "nibble");
    CHECK(j["command"] == command);
    CHECK(!j["version"].get<std::string>().empty());
}

}  // namespace

TEST_CASE("quantize says what it did on standard output, and nothing else anywhere") {
    const model_folder folder;
    const auto done = tool({"quantize", folder.in(), folder.out(), "q4_k_m"});
    CHECK(done.code == 0);
    CHECK(done.err.empty());
    CHECK(done.out.starts_with("wrote " + folder.out()));
    CHECK(std::count(done.out.begin(), done.out.end(), '\n') == 1);
    const auto quiet = tool({"quantize", folder.in(), folder.out(), "q4_k_m", "--quiet"});
    CHECK((quiet.out.empty() && quiet.err.empty() && quiet.code == 0));
    const auto verbose = tool({"quantize", folder.in(), folder.out(), "q4_k_m", "--verbose"});
    for (const auto& t : small_model().tensors) CHECK(verbose.out.find(t.name + ' ') != std::string::npos);
    CHECK(tool({"quantize", folder.in(), folder.out(), "q4_k_m", "--measure"}).out.find("SQNR") != std::string::npos);
}

TEST_CASE("notes go to standard error") {
    test_model m = small_model(1);
    m.tensors.push_back({"blk.0.narrow.weight", {160, 2}});
    const model_folder folder(m);
    const auto done = tool({"quantize", folder.in(), folder.out(), "q4_k_m"});
    CHECK(done.code == 0);
    CHECK(done.err.find("note:") != std::string::npos);
    CHECK(done.out.find("note:") == std::string::npos);
    const model_folder regular;
    CHECK(tool({"quantize", regular.in(), regular.out(), "iq2_xxs"}).err.find("without --imatrix") != std::string::npos);
    CHECK(tool({"quantize", regular.in(), regular.out(), "iq2_xxs", "-q"}).err.empty());
}

TEST_CASE("JSON of quantize") {
    const model_folder folder;
    const auto done = tool({"quantize", folder.in(), folder.out(), "q4_k_m", "--json", "--measure"});
    REQUIRE(done.code == 0);
    const json j = json::parse(done.out);
    check_head(j, "quantize");
    CHECK(j["type"] == "Q4_K_M");
    CHECK(j["file_type"] == 15);
    CHECK(j["search"] == "reference");
    CHECK(j["dry_run"] == false);
    CHECK(j["file_bytes"] == std::filesystem::file_size(folder.out()));
    CHECK(j["total"]["sqnr_db"].get<double>() > 15);
    CHECK(j["tensors"].size() == small_model().tensors.size());
    std::uint64_t bytes = 0;
    for (const auto& t : j["tensors"]) {
        bytes += t["bytes_after"].get<std::uint64_t>();
        CHECK(t["to"] == model_file(folder.out()).type(t["name"].get<std::string>()));
        CHECK((t["from"] != t["to"] || t["sqnr_db"].is_null()));  // lossless: infinite, which JSON does not have
    }
    CHECK(j["bytes_after"] == bytes);
    CHECK(j["bits_per_weight"].get<double>() == Approx(8.0 * static_cast<double>(bytes) / j["elements"].get<double>()));

    const json dry = json::parse(tool({"quantize", folder.in(), folder / "dry.gguf", "q4_k_m", "--json", "--dry-run"}).out);
    CHECK(dry["dry_run"] == true);
    CHECK(dry["bytes_after"] == j["bytes_after"]);
    CHECK(!dry.contains("file_bytes"));
}

TEST_CASE("inspect, as text and as JSON") {
    test_model m = small_model(1);
    m.tensors.push_back({"blk.0.\x1b[31m\xE2\x80\xAE.weight", {256, 2}});
    m.numbers.push_back({"custom.answer", 42});
    const model_folder folder(m);
    const auto text = tool({"inspect", folder.in()});
    CHECK(text.code == 0);
    CHECK(text.out.find("custom.answer = 42") != std::string::npos);
    CHECK(text.out.find("blk.0.attn_q.weight") != std::string::npos);
    CHECK(text.out.find('\x1b') == std::string::npos);
    CHECK(text.out.find("\xE2\x80\xAE") == std::string::npos);

    const auto done = tool({"inspect", folder.in(), "--json", "--full"});
    REQUIRE(done.code == 0);
    CHECK(done.err.empty());
    const json j = json::parse(done.out);
    check_head(j, "inspect");
    CHECK(j["format"] == "gguf");
    CHECK(j["gguf_version"] == 3);
    CHECK(j["file_bytes"] == std::filesystem::file_size(folder.in()));
    CHECK(j["tensors"].size() == m.tensors.size());
    CHECK(j["tensors"][0]["name"] == m.tensors[0].name);
    CHECK(j["tensors"][0]["shape"] == m.tensors[0].shape);
    CHECK(j["tensors"][0]["type"] == "F32");
    bool found = false;
    for (const auto& e : j["metadata"]) found = found || (e["key"] == "custom.answer" && e["type"] == "uint32" && e["value"] == 42);
    CHECK(found);
}

TEST_CASE("inspect shortens long values unless --full is given") {
    const scratch_folder folder;
    {
        auto out = gguf::writer::create((folder / "in.gguf").c_str());
        REQUIRE(out);
        const std::vector<std::uint32_t> many(1000, 7);
        REQUIRE(out->set("long.text", std::string_view(std::string(5000, 'x'))));
        REQUIRE(out->set_array("long.array", many));
        REQUIRE(out->begin());
        REQUIRE(out->finish());
    }
    const auto brief = tool({"inspect", folder / "in.gguf"}), full = tool({"inspect", folder / "in.gguf", "--full"});
    CHECK(brief.out.size() < 1000);
    CHECK(full.out.find(std::string(5000, 'x')) != std::string::npos);
    CHECK(std::count(full.out.begin(), full.out.end(), '7') >= 1000);
    const json j = json::parse(tool({"inspect", folder / "in.gguf", "--json"}).out),
               k = json::parse(tool({"inspect", folder / "in.gguf", "--json", "--full"}).out);
    CHECK(j["metadata"][1]["count"] == 1000);
    CHECK(j["metadata"][1]["value"].size() < 100);
    CHECK(k["metadata"][1]["value"].size() == 1000);
}

TEST_CASE("JSON stays JSON when the file's text is not UTF-8") {
    test_model m = small_model(1);
    m.tensors.push_back({"bad \xFF\xFE name", {8}});
    const scratch_folder folder;
    // Our writer refuses such names, so they are put in afterwards.
    m.tensors.back().name = "bad zzzz name";
    write_model(m, folder / "in.gguf");
    std::string bytes = support::read_file(folder / "in.gguf");
    bytes.replace(bytes.find("zzzz"), 4, "\xFF\xFE\x1b\xC0");
    support::write_file(folder / "in.gguf", bytes);
    const auto done = tool({"inspect", folder / "in.gguf", "--json"});
    if (done.code == 0) {
        CHECK(json::parse(done.out)["tensors"].size() == m.tensors.size());
        CHECK(tool({"inspect", folder / "in.gguf"}).out.find("\\xFF\\xFE\\u{1B}\\xC0") != std::string::npos);
    } else {
        CHECK(done.code == 3);
        CHECK(is_one_clear_line(done.err));
    }
}

TEST_CASE("compare measures what was lost") {
    const model_folder folder;
    REQUIRE(tool({"quantize", folder.in(), folder.out(), "q8_0", "-q"}).code == 0);
    const auto done = tool({"compare", folder.in(), folder.out(), "--json"});
    REQUIRE(done.code == 0);
    const json j = json::parse(done.out);
    check_head(j, "compare");
    CHECK(j["tensors"].size() == small_model().tensors.size());
    CHECK(j["a_bits_per_weight"].get<double>() == 32.0);
    CHECK(j["b_bits_per_weight"].get<double>() < 9.0);
    CHECK(j["only_a"].empty());
    // By hand for one tensor.
    const model_file a(folder.in()), b(folder.out());
    const auto* x = a.read.find_tensor("blk.0.attn_q.weight");
    const auto* y = b.read.find_tensor("blk.0.attn_q.weight");
    std::vector<float> original(x->data.size() / 4), decoded(original.size());
    std::memcpy(original.data(), x->data.data(), x->data.size());
    REQUIRE(nibble::dequantize<nibble::q8_0>(y->data, decoded, {8, 256}));
    double error = 0, power = 0, largest = 0;
    for (std::size_t i = 0; i < original.size(); ++i) {
        const double e = static_cast<double>(original[i]) - static_cast<double>(decoded[i]);
        error += e * e;
        power += static_cast<double>(original[i]) * static_cast<double>(original[i]);
        largest = std::max(largest, std::abs(e));
    }
    bool seen = false;
    for (const auto& t : j["tensors"]) {
        if (t["name"] != "blk.0.attn_q.weight") continue;
        seen = true;
        CHECK(t["rmse"].get<double>() == Approx(std::sqrt(error / static_cast<double>(original.size()))).epsilon(1e-5));
        CHECK(t["sqnr_db"].get<double>() == Approx(10 * std::log10(power / error)).epsilon(1e-5));
        CHECK(t["max_abs"].get<double>() == Approx(largest).epsilon(1e-5));
        CHECK(t["same_bytes"] == false);
    }
    CHECK(seen);

    const auto text = tool({"compare", folder.in(), folder.in()});
    CHECK(text.code == 0);
    CHECK(text.err.empty());
    CHECK(text.out.find("inf") != std::string::npos);
    CHECK(std::count(text.out.begin(), text.out.end(), '\n') == static_cast<long>(small_model().tensors.size() + 2));
}

TEST_CASE("compare names tensors that only one file has") {
    const model_folder a(small_model(3)), b(small_model(2));
    const auto done = tool({"compare", a.in(), b.in()});
    CHECK(done.code == 0);
    CHECK(done.err.find("only in the first file: blk.2.attn_q.weight") != std::string::npos);
    CHECK(json::parse(tool({"compare", b.in(), a.in(), "--json"}).out)["only_b"].size() == 8);
}

TEST_CASE("progress: a bar on a terminal, no escape codes elsewhere") {
    const model_folder folder(small_model(2, 1500));
    const words arguments = {"quantize", folder.in(), folder.out(), "iq3_xxs", "-t", "1"};
    const std::string seen = on_terminal(arguments, folder / "stdout");
    CHECK(seen.find("\r\x1b[K[") != std::string::npos);
    CHECK(seen.find(" %, ") != std::string::npos);
    CHECK(seen.ends_with("\r\x1b[K"));  // it cleans up behind itself
    CHECK(support::read_file(folder / "stdout").find('\x1b') == std::string::npos);
    words quiet = arguments;
    quiet.push_back("-q");
    CHECK(on_terminal(quiet, folder / "stdout").empty());
    const auto plain = tool(arguments);
    CHECK(plain.err.find('\x1b') == std::string::npos);
    CHECK(plain.err.find('\r') == std::string::npos);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

TEST_CASE("memory is bounded, whatever the size of the model") {
#if defined(__SANITIZE_ADDRESS__)
    nibble::test::skip("AddressSanitizer needs more memory than this test allows");
    return;
#endif
    // 192 MiB of weights, most of them holes in the file; rows and tensors small, then one large tensor.
    test_model m;
    for (int i = 0; i < 12; ++i) m.tensors.push_back({"blk." + std::to_string(i) + ".ffn_up.weight", {1024, 4096}, 1});
    m.tensors.push_back({"blk.0.ffn_down.weight", {1024, 48 * 1024}, 1});
    const model_folder folder(m);
    const auto within = [&](std::uint64_t mebibytes, const words& arguments) {
        return tool(arguments, [mebibytes] {
            const rlimit limit{mebibytes << 20, mebibytes << 20};
            setrlimit(RLIMIT_DATA, &limit);
        });
    };
    const auto done = within(64, {"quantize", folder.in(), folder.out(), "q4_0", "-t", "2", "--measure"});
    INFO(done.err);
    CHECK(done.code == 0);
    CHECK(within(64, {"compare", folder.in(), folder.out(), "-t", "2"}).code == 0);
    CHECK(within(64, {"inspect", folder.in()}).code == 0);
    std::filesystem::remove(folder.out());
    // The limit is one: with less the tool fails, in its orderly way.
    const auto starved = within(6, {"quantize", folder.in(), folder.out(), "q4_0", "-t", "1"});
    CHECK(starved.code == 1);
    CHECK(starved.err.find("memory") != std::string::npos);
    CHECK(!std::filesystem::exists(folder.out()));
}
