// Whole files as bytes, and the things that look like files and are none.
#include "nibble/file/mapped_file.hpp"

#include <string>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "file/folder.hpp"
#include "support/bytes.hpp"
#include "support/test.hpp"

using support::chars;
using file_test::folder;
using nibble::errc;
using nibble::file::mapped_file;

namespace {

using opener = nibble::result<mapped_file> (*)(const char*);
const std::pair<const char*, opener> ways[] = {{"open", [](const char* path) { return mapped_file::open(path); }},
                                               {"load", [](const char* path) { return mapped_file::load(path); }}};

}  // namespace

TEST_CASE("a file is there with all its bytes") {
    const folder f;
    std::string content(100'003, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 + (i >> 8));
    file_test::write(f.path("a"), content);
    for (const auto& [name, open] : ways) {
        INFO(name);
        const auto file = open(f.path("a").c_str());
        REQUIRE(file);
        CHECK(chars(file->bytes()) == content);
        CHECK(reinterpret_cast<std::uintptr_t>(file->bytes().data()) % 64 == 0);
    }
}

TEST_CASE("a mapped file can be moved, and shows what the file holds") {
    const folder f;
    file_test::write(f.path("a"), "first");
    file_test::write(f.path("b"), "second");
    auto a = mapped_file::open(f.path("a").c_str());
    auto b = mapped_file::load(f.path("b").c_str());
    REQUIRE(a);
    REQUIRE(b);
    const auto* place = a->bytes().data();
    mapped_file moved = std::move(*a);
    CHECK(moved.bytes().data() == place);
    CHECK(a->bytes().empty());
    moved = std::move(*b);
    CHECK(chars(moved.bytes()) == "second");
    CHECK(b->bytes().empty());
    mapped_file nothing;
    CHECK(nothing.bytes().empty());
    nothing = std::move(moved);
    CHECK(chars(nothing.bytes()) == "second");

    file_test::write(f.path("c"), "before");
    const auto mapped = mapped_file::open(f.path("c").c_str());
    const auto loaded = mapped_file::load(f.path("c").c_str());
    file_test::write(f.path("c"), "after!");
    CHECK(chars(loaded->bytes()) == "before");
    CHECK(mapped->bytes().size() == 6);
}

TEST_CASE("what is no file says so") {
    const folder f;
    file_test::write(f.path("empty"), "");
    file_test::write(f.path("file"), "x");
    REQUIRE(::mkfifo(f.path("pipe").c_str(), 0600) == 0);
    for (const auto& [name, open] : ways) {
        INFO(name);
        const auto missing = open(f.path("missing").c_str());
        CHECK(missing.error() == errc::not_found);
        CHECK(missing.message().find("no such file") == 0);
        const auto directory = open(f.path("").c_str());
        CHECK(directory.error() == errc::io_error);
        CHECK(directory.message().find("directory") != std::string_view::npos);
        const auto empty = open(f.path("empty").c_str());
        CHECK(empty.error() == errc::truncated);
        CHECK(empty.message().find("empty") != std::string_view::npos);
        const auto below = open(f.path("file/below").c_str());
        CHECK(below.error() == errc::io_error);
        CHECK(below.message().find("not a directory") != std::string_view::npos);
        CHECK(open("").error() == errc::not_found);
        CHECK(open(nullptr).error() == errc::invalid_argument);
        CHECK(open(std::string(5000, 'x').c_str()).error() == errc::io_error);
#if NIBBLE_POSIX_FILES
        const auto pipe = open(f.path("pipe").c_str());  // must not wait for a writer
        CHECK(pipe.error() == errc::io_error);
        CHECK(pipe.message().find("seekable") != std::string_view::npos);
        CHECK(open("/dev/null").error() == errc::io_error);
#endif
    }
}

#if NIBBLE_POSIX_FILES
TEST_CASE("a link is followed unless that is refused") {
    const folder f;
    file_test::write(f.path("a"), "x");
    REQUIRE(::symlink("a", f.path("b").c_str()) == 0);
    CHECK(mapped_file::open(f.path("b").c_str()));
    CHECK(mapped_file::load(f.path("b").c_str()));
    CHECK(mapped_file::open(f.path("a").c_str(), nibble::file::links::refuse));
    for (const auto refused : {mapped_file::open(f.path("b").c_str(), nibble::file::links::refuse).status(),
                               mapped_file::load(f.path("b").c_str(), nibble::file::links::refuse).status()}) {
        CHECK(refused.error() == errc::io_error);
        CHECK(refused.message().find("link") != std::string_view::npos);
    }
}
#endif

TEST_CASE("a file without read permission") {
    if (::geteuid() == 0) return nibble::test::skip("root may read everything");
    const folder f;
    file_test::write(f.path("secret"), "x");
    REQUIRE(::chmod(f.path("secret").c_str(), 0) == 0);
    const auto file = mapped_file::open(f.path("secret").c_str());
    CHECK(file.error() == errc::io_error);
    CHECK(file.message().find("permission") == 0);
}

#if NIBBLE_POSIX_FILES
TEST_CASE("no descriptor stays open") {
    const folder f;
    file_test::write(f.path("a"), "x");
    for (int i = 0; i < 3000; ++i) {
        const auto file = mapped_file::open(f.path("a").c_str());
        const auto other = mapped_file::open(f.path("").c_str());
        REQUIRE((file && !other));
    }
}
#endif
