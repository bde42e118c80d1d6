// What goes wrong with files: the exit codes 1, 3, 4 and 5, one line on standard error, no output and no damage.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "tool/tool.hpp"

using namespace tool_test;

namespace {

void check_failure(const support::finished& done, int code) {
    INFO("stderr: " << done.err);
    CHECK(done.code == code);
    CHECK(done.out.empty());
    CHECK(is_one_clear_line(done.err));
}

/// A file that every test may expect unchanged.
constexpr const char* precious = "precious";

/// A model that takes seconds to quantize to IQ3_XXS, so that something can happen in the middle.
test_model slow_model() { return small_model(2, 3000); }

}  // namespace

TEST_CASE("input that is missing or no file ends with 1") {
    const model_folder folder;
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    for (const std::string& in : {folder / "nothing", std::string(), folder.path().string(), folder / "pipe", std::string("/dev/null")}) {
        INFO(in);
        check_failure(tool({"quantize", in, folder.out(), "q8_0"}), 1);
        check_failure(tool({"inspect", in}), 1);
        check_failure(tool({"compare", in, folder.in()}), 1);
        check_failure(tool({"compare", folder.in(), in}), 1);
    }
    check_failure(tool({"quantize", folder.in(), folder.out(), "q8_0", "--imatrix", folder / "nothing"}), 1);
    CHECK(folder.files() == words{"in.gguf", "pipe"});
}

TEST_CASE("corrupt input ends with 3") {
    const model_folder folder;
    const std::string whole = support::read_file(folder.in());
    const auto changed = [&](std::size_t at, const std::string& bytes) {
        std::string copy = whole;
        copy.replace(at, bytes.size(), bytes);
        return copy;
    };
    std::vector<std::string> files = {
        "",
        "G",
        "GGUF",
        "<html>not found</html>",
        std::string(1000, '\0'),
        std::string("GGUF\n\x1b[2J\x07", 11),
        changed(4, std::string("\xFF\xFF\xFF\xFF", 4)),
        changed(4, std::string("\0\0\0\3", 4)),
        changed(8, std::string(8, '\xFF')),
        changed(16, std::string(8, '\x7F')),
        changed(24, std::string(8, '\xFF')),
    };
    for (std::size_t length : {20u, 60u, 200u, 400u}) files.push_back(whole.substr(0, length));
    files.push_back(whole.substr(0, whole.size() - 40));  // more than the padding at the end
    for (const auto& content : files) {
        support::write_file(folder / "bad.gguf", content);
        INFO(content.size() << " bytes");
        check_failure(tool({"quantize", folder / "bad.gguf", folder.out(), "q8_0"}), 3);
        check_failure(tool({"inspect", folder / "bad.gguf"}), 3);
        check_failure(tool({"compare", folder.in(), folder / "bad.gguf"}), 3);
        if (!content.empty()) check_failure(tool({"quantize", folder.in(), folder.out(), "q8_0", "--imatrix", folder / "bad.gguf"}), 3);
    }
    // A model is no importance file.
    check_failure(tool({"quantize", folder.in(), folder.out(), "q8_0", "--imatrix", folder.in()}), 3);
    CHECK(folder.files() == words{"bad.gguf", "in.gguf"});
}

TEST_CASE("a model with an alignment that is read but not written is refused by its own name") {
    test_model m = small_model(1);
    m.numbers.push_back({"general.alignment", 32});
    const model_folder folder(m);
    std::string content = support::read_file(folder.in());
    const std::string key = "general.alignment";
    content[content.find(key) + key.size() + 4] = 4;  // behind the type of the value
    support::write_file(folder.in(), content);
    CHECK(tool({"inspect", folder.in()}).code == 0);
    for (const char* option : {"--quiet", "--dry-run"}) {
        const auto refused = tool({"quantize", folder.in(), folder.out(), "q8_0", option});
        check_failure(refused, 3);
        CHECK(refused.err.find("in.gguf: its tensors are aligned to 4 bytes") != std::string::npos);
    }
    CHECK(folder.files() == words{"in.gguf"});
}

TEST_CASE("models that cannot be quantized end with 3") {
    const auto with = [](test_tensor t) {
        test_model m = small_model(1);
        m.tensors.push_back(std::move(t));
        return m;
    };
    std::vector<float> odd = made_up_weights(512, 9);
    odd[300] = std::nanf("");
    test_model parts = small_model(1);
    parts.numbers.push_back({"split.count", 3});
    const struct {
        const char* why;
        test_model model;
        words options;
    } cases[] = {
        {"integers", with({"blk.0.odd.weight", {256, 2}, 24}), {}},
        {"64-bit floats", with({"blk.0.odd.weight", {256, 2}, 28}), {}},
        {"quantized already", with({"blk.0.odd.weight", {256, 2}, 8}), {}},
        {"no fallback", with({"blk.0.odd.weight", {160, 2}}), {"--tensor-type", "odd=q1_0"}},
        {"rows of no whole blocks, by option",
         with({"blk.0.odd.weight", {256, 2}}),
         {"--token-embedding-type", "q8_0", "--output-tensor-type", "q8_0"}},
        {"NaN", with({"blk.0.odd.weight", {256, 2}, 0, odd}), {}},
        {"part of a model", parts, {}},
    };
    for (const auto& c : cases) {
        test_model m = c.model;
        if (std::string(c.why).starts_with("rows of")) m.tensors[0].shape = {144, 4};
        const model_folder folder(m);
        INFO(c.why);
        words arguments = {"quantize", folder.in(), folder.out(), "q4_0"};
        arguments.insert(arguments.end(), c.options.begin(), c.options.end());
        check_failure(tool(arguments), 3);
        CHECK(folder.files() == words{"in.gguf"});
        support::write_file(folder.out(), precious);
        check_failure(tool(arguments), 3);
        CHECK(support::read_file(folder.out()) == precious);
    }
}

TEST_CASE("output that cannot be written ends with 4") {
    const model_folder folder;
    const std::string before = support::read_file(folder.in());
    std::filesystem::create_directory(folder / "folder");
    std::filesystem::create_symlink(folder.in(), folder / "link");
    std::filesystem::create_hard_link(folder.in(), folder / "hard");
    std::filesystem::create_symlink(folder / "nothing", folder / "dangling");
    const std::string outputs[] = {"",
                                   folder / "missing/out.gguf",
                                   folder / "folder",
                                   folder / "folder/",
                                   folder / "in.gguf/out.gguf",
                                   "/proc/out.gguf",
                                   "/dev/full",
                                   folder.in(),
                                   folder.path().string() + "/./in.gguf",
                                   folder / "link",
                                   folder / "hard",
                                   folder / "dangling",
                                   folder / std::string(300, 'x')};
    const auto names = folder.files();
    for (const auto& out : outputs) {
        INFO("output " << out);
        check_failure(tool({"quantize", folder.in(), out, "q8_0"}), 4);
        CHECK(folder.files() == names);
        CHECK(support::read_file(folder.in()) == before);
    }
    support::write_file(folder.out(), precious);
    check_failure(tool({"quantize", folder.in(), folder.out(), "q8_0", "--no-clobber"}), 4);
    CHECK(support::read_file(folder.out()) == precious);
}

TEST_CASE("the importance file is not overwritten") {
    const model_folder folder;
    const std::vector<float> ones(256, 1.0f), count(1, 1.0f);
    {
        const gguf::imatrix_record record{"blk.0.attn_q.weight", ones, count};
        auto out = gguf::writer::create((folder / "imatrix.gguf").c_str());
        REQUIRE(out);
        REQUIRE(gguf::write_imatrix(*out, {&record, 1}, {}));
        REQUIRE(out->finish());
    }
    const std::string before = support::read_file(folder / "imatrix.gguf");
    check_failure(tool({"quantize", folder.in(), folder / "imatrix.gguf", "q8_0", "--imatrix", folder / "imatrix.gguf"}), 4);
    CHECK(support::read_file(folder / "imatrix.gguf") == before);
}

TEST_CASE("a read-only folder ends with 4") {
    const model_folder folder;
    std::filesystem::create_directory(folder / "closed");
    support::write_file(folder / "closed/out.gguf", precious);
    REQUIRE(chmod((folder / "closed").c_str(), 0555) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
    // Nothing is closed to root.
    const auto as_nobody = [] {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
    };
    const auto probe = support::run(command({"--version"}), as_nobody);
    if (probe.code != 0) {
        nibble::test::skip("the tool cannot be run as nobody here");
    } else {
        check_failure(tool({"quantize", folder.in(), folder / "closed/out.gguf", "q8_0"}, as_nobody), 4);
        check_failure(tool({"quantize", folder.in(), folder / "closed/new.gguf", "q8_0"}, as_nobody), 4);
    }
    REQUIRE(chmod((folder / "closed").c_str(), 0755) == 0);
    CHECK(support::read_file(folder / "closed/out.gguf") == precious);
}

TEST_CASE("a limit on the size of files ends with 4") {
    const model_folder folder;
    support::write_file(folder.out(), precious);
    const auto limited = [] {
        const rlimit limit{16384, 16384};
        setrlimit(RLIMIT_FSIZE, &limit);
    };
    check_failure(tool({"quantize", folder.in(), folder.out(), "q8_0"}, limited), 4);
    CHECK(folder.files() == words{"in.gguf", "out.gguf"});
    CHECK(support::read_file(folder.out()) == precious);
}

TEST_CASE("a full disk ends with 4") {
    const model_folder folder;
    std::filesystem::create_directory(folder / "disk");
    if (mount("tmpfs", (folder / "disk").c_str(), "tmpfs", 0, "size=16k") != 0) {
        nibble::test::skip("a file system in memory cannot be mounted here, so no disk is full");
        return;
    }
    support::write_file(folder / "disk/out.gguf", precious);
    check_failure(tool({"quantize", folder.in(), folder / "disk/out.gguf", "q8_0"}), 4);
    words left;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "disk")) left.push_back(entry.path().filename().string());
    CHECK(left == words{"out.gguf"});
    CHECK(support::read_file(folder / "disk/out.gguf") == precious);
    umount((folder / "disk").c_str());
}

TEST_CASE("standard output that cannot be written ends with 4") {
    const model_folder folder;
    const words commands[] = {{"inspect", folder.in()},
                              {"inspect", folder.in(), "--json"},
                              {"compare", folder.in(), folder.in()},
                              {"--help"},
                              {"quantize", folder.in(), folder.out(), "q8_0", "--dry-run"}};
    for (const auto& c : commands) {
        INFO(c.front());
        CHECK(support::wait_for(support::start(command(c), "/dev/full", folder / "err")) == 4);
        CHECK(is_one_clear_line(support::read_file(folder / "err")));
    }
}

TEST_CASE("a quality gate that is missed ends with 5 and leaves no file") {
    const model_folder folder;
    support::write_file(folder.out(), precious);
    check_failure(tool({"quantize", folder.in(), folder.out(), "q4_0", "--min-sqnr", "40"}), 5);
    check_failure(tool({"quantize", folder.in(), folder.out(), "q4_0", "--max-rmse", "1e-6"}), 5);
    CHECK(support::read_file(folder.out()) == precious);
    CHECK(folder.files() == words{"in.gguf", "out.gguf"});

    CHECK(tool({"quantize", folder.in(), folder.out(), "q8_0", "--min-sqnr", "40", "--max-rmse", "0.01"}).code == 0);
    // What is compared is printed before the verdict.
    const auto missed = tool({"compare", folder.in(), folder.out(), "--min-sqnr", "80"});
    CHECK(missed.code == 5);
    CHECK(!missed.out.empty());
    CHECK(is_one_clear_line(missed.err));
    CHECK(tool({"compare", folder.in(), folder.out(), "--min-sqnr", "40", "--max-rmse", "0.01"}).code == 0);
    CHECK(tool({"compare", folder.in(), folder.out(), "--max-rmse", "1e-9"}).code == 5);
    // A file that lacks tensors does not pass a gate.
    const model_folder more(small_model(3));
    CHECK(tool({"compare", more.in(), folder.in(), "--min-sqnr", "1"}).code == 5);
}

TEST_CASE("files that have nothing in common, or other shapes, end with 3") {
    test_model other;
    other.tensors = {{"something.weight", {256, 2}}};
    const model_folder a, b(other);
    check_failure(tool({"compare", a.in(), b.in()}), 3);
    test_model wider = small_model();
    wider.tensors[0].shape = {256, 9};
    const model_folder c(wider);
    check_failure(tool({"compare", a.in(), c.in()}), 3);
}

TEST_CASE("an interrupted tool leaves nothing behind") {
    const model_folder folder(slow_model());
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        support::write_file(folder.out(), precious);
        const pid_t child = support::start(command({"quantize", folder.in(), folder.out(), "iq3_xxs", "-q", "-t", "1"}), folder / "stdout",
                                           folder / "stderr");
        while (folder.files().size() < 5)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // in, out, streams, the temporary file
        kill(child, number);
        CHECK(support::wait_for(child) == 128 + number);
        CHECK(is_one_clear_line(support::read_file(folder / "stderr")));
        CHECK(support::read_file(folder / "stdout").empty());
        CHECK(folder.files() == words{"in.gguf", "out.gguf", "stderr", "stdout"});
        CHECK(support::read_file(folder.out()) == precious);
    }
}

TEST_CASE("a killed tool leaves the old output intact and a file that says what it is") {
    const model_folder folder(slow_model());
    support::write_file(folder.out(), precious);
    for (int i = 0; i < 10; ++i) {
        const pid_t child = support::start(command({"quantize", folder.in(), folder.out(), "iq3_xxs", "-q", "-t", "1"}), folder / "stdout",
                                           folder / "stderr");
        while (folder.files().size() < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::this_thread::sleep_for(std::chrono::milliseconds(7 * i));
        kill(child, SIGKILL);
        CHECK(support::wait_for(child) == 1000 + SIGKILL);
        CHECK(support::read_file(folder.out()) == precious);
        auto names = folder.files();
        REQUIRE(names.size() == 5);
        CHECK(names[0].starts_with(".out.gguf.part-"));
        std::filesystem::remove(folder / names[0]);
    }
}

TEST_CASE("an input that is cut while it is read ends with 1") {
    const model_folder folder(slow_model());
    support::write_file(folder.out(), precious);
    const pid_t child = support::start(command({"quantize", folder.in(), folder.out(), "iq3_xxs", "-q", "-t", "1"}), folder / "stdout",
                                       folder / "stderr");
    while (folder.files().size() < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::filesystem::resize_file(folder.in(), std::filesystem::file_size(folder.in()) / 2);  // the header stays: without it the input is corrupt
    CHECK(support::wait_for(child) == 1);
    CHECK(is_one_clear_line(support::read_file(folder / "stderr")));
    CHECK(support::read_file(folder.out()) == precious);
}

TEST_CASE("of two tools that write one file one wins") {
    const model_folder folder(small_model(2, 400));
    const pid_t a = support::start(command({"quantize", folder.in(), folder.out(), "q8_0", "-q"}), folder / "o1", folder / "e1");
    const pid_t b = support::start(command({"quantize", folder.in(), folder.out(), "q4_k_m", "-q"}), folder / "o2", folder / "e2");
    CHECK(support::wait_for(a) == 0);
    CHECK(support::wait_for(b) == 0);
    for (const char* type : {"q8_0", "q4_k_m"}) CHECK(tool({"quantize", folder.in(), folder / type, type, "-q"}).code == 0);
    const std::string result = support::read_file(folder.out());
    CHECK((result == support::read_file(folder / "q8_0") || result == support::read_file(folder / "q4_k_m")));
}
