// Files that nibble writes: the very bytes, what comes back from the reader, and what happens when the disk or the caller fails.
#include "nibble/gguf/writer.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/file_builder.hpp"
#include "file/folder.hpp"
#include "nibble/file/mapped_file.hpp"
#include "nibble/gguf/reader.hpp"
#include "support/test.hpp"

using namespace gguf_test;
using namespace file_test;
using nibble::errc;
using nibble::gguf::basic_writer;
using nibble::gguf::header;
using nibble::file::mapped_file;
using nibble::gguf::memory_sink;
using nibble::gguf::reader;
using nibble::gguf::value_type;
using nibble::gguf::value_view;
using nibble::gguf::write_options;
using nibble::gguf::writer;
using names = std::vector<std::string>;

namespace {

using memory_writer = basic_writer<memory_sink>;

/// Any reader's file through any writer, data in pieces of an odd size.
template <class Writer>
void copy(const reader& from, Writer& to) {
    for (const auto& e : from.metadata()) REQUIRE(to.set(e.key, e.value));
    for (const auto& t : from.tensors()) REQUIRE(to.add_tensor(t));
    REQUIRE(to.begin());
    for (const auto& t : from.tensors()) {
        for (auto rest = t.data; !rest.empty();) {
            const std::size_t piece = rest.size() < 100'003 ? rest.size() : 100'003;
            REQUIRE(to.write(rest.first(piece)));
            rest = rest.subspan(piece);
        }
        REQUIRE(to.end_tensor());
    }
    REQUIRE(to.finish());
}

bytes copied(const bytes& content) {
    const auto from = reader::open(as_span(content));
    REQUIRE(from);
    memory_writer to{memory_sink()};
    copy(*from, to);
    return bytes(chars(to.destination().bytes()));
}

bytes serialized(const header& h) {
    memory_sink to;
    REQUIRE(h.serialize(to));
    return bytes(chars(to.bytes()));
}

/// A small whole file at a path, up to but not including finish().
nibble::result<writer> started(const std::string& path, const write_options& options = {}) {
    auto out = writer::create(path.c_str(), options);
    if (!out) return out;
    REQUIRE(out->set("general.name", "small"));
    REQUIRE(out->add_tensor("t", 0, {2}));
    REQUIRE(out->begin());
    REQUIRE(out->write(as_span("abcdefgh")));
    REQUIRE(out->end_tensor());
    return out;
}

errc whole(const std::string& path, const write_options& options = {}) {
    auto out = started(path, options);
    if (!out) {
        CHECK_FALSE(out.message().empty());
        return out.error();
    }
    return out->finish().error();
}

bool is_whole(const std::string& path) {
    const bytes content = read(path);
    const auto r = reader::open(as_span(content), {.strict = true});
    return r && r->find_tensor("t") != nullptr && chars(r->find_tensor("t")->data) == "abcdefgh";
}

[[maybe_unused]] unsigned mode_of(const std::string& path) {
    struct ::stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 07777u;
}

}  // namespace

TEST_CASE("a file in canonical order is written back byte for byte") {
    CHECK(copied(valid().build()) == valid().build());

    file f = valid();
    f.entries.push_back(text("general.alignment") + u32(4) + u32(128));
    f.alignment = 128;
    f.tensors = {{text("a"), dims({2}), u32(0), u64(0)}, {text("b"), dims({1, 1, 1, 1}), u32(0), u64(128)}};
    f.data = "abcdefgh" + bytes(120, '\0') + "wxyz" + bytes(124, '\0');
    CHECK(copied(f.build()) == f.build());
    CHECK(copied(file{}.build()) == file{}.build());
}

TEST_CASE("oddities of a file are repaired, its values are not touched") {
    // Gap, reversed order, missing padding at the end, no dimensions; a bool of 3 and broken UTF-8 stay.
    file f = valid();
    std::swap(f.tensors[0], f.tensors[2]);
    f.entries.push_back(text("odd") + u32(7) + "\x03");
    f.entries.push_back(text("broken") + array(8, 2, text("\xFF") + text("ok")));
    f.data.resize(276);
    const bytes once = copied(f.build());
    const auto r = reader::open(as_span(once));
    REQUIRE(r);
    CHECK_FALSE(r->notes().out_of_order);
    CHECK_FALSE(r->notes().unpadded_end);
    CHECK(chars(r->find("odd")->raw()) == "\x03");
    CHECK(r->find("broken")->at(0)->as_string() == "\xFF");
    CHECK(chars(r->find_tensor("third")->data) == valid().data.substr(256, 20));
    CHECK(copied(once) == once);
}

TEST_CASE("all value types survive byte for byte") {
    const std::vector<bytes> values = {
        u32(0) + number(std::uint8_t{200}),
        u32(1) + number(std::int8_t{-100}),
        u32(2) + number(std::uint16_t{65535}),
        u32(3) + number(std::int16_t{-32768}),
        u32(4) + number(std::uint32_t{0xFFFFFFFE}),
        u32(5) + number(std::int32_t{-2}),
        u32(6) + u32(0x7FA00001),  // a signalling NaN with a payload
        u32(7) + "\x01",
        u32(8) + text("text"),
        u32(8) + text(""),
        array(4, 2, u32(1) + u32(2)),
        array(8, 3, text("a") + text("") + text(std::string_view("b\0c", 3))),
        array(7, 2, bytes("\0\1", 2)),
        array(12, 1, u64(0x8000000000000000)),
        array(8, 0, ""),
        u32(10) + u64(~0ull),
        u32(11) + u64(1ull << 63),
        u32(12) + u64(0x7FF4000000000001),
    };
    file f;
    for (std::size_t i = 0; i < values.size(); ++i) f.entries.push_back(text("key." + std::to_string(i)) + values[i]);
    CHECK(copied(f.build()) == f.build());
}

TEST_CASE("typed setters write the types that they promise") {
    header h;
    REQUIRE(h.set("u8", std::uint8_t{200}));
    REQUIRE(h.set("i8", std::int8_t{-100}));
    REQUIRE(h.set("u16", std::uint16_t{65535}));
    REQUIRE(h.set("i16", std::int16_t{-32768}));
    REQUIRE(h.set("u32", 4'000'000'000u));
    REQUIRE(h.set("i32", -2));
    REQUIRE(h.set("u64", std::uint64_t{1} << 63));
    REQUIRE(h.set("i64", std::numeric_limits<std::int64_t>::min()));
    REQUIRE(h.set("f32", 1.5f));
    REQUIRE(h.set("f64", -0.1));
    REQUIRE(h.set("yes", true));
    REQUIRE(h.set("literal", "text"));
    REQUIRE(h.set("string", std::string("\xC3\xA9")));
    REQUIRE(h.set_array("ints", std::vector<std::int32_t>{-1, 5}));
    REQUIRE(h.set_array("floats", std::vector<float>{0.5f}));
    REQUIRE(h.set_array("strings", std::vector<std::string>{"a", "", "c"}));
    REQUIRE(h.set_array("views", std::vector<std::string_view>{"d"}));
    const bool bools[] = {true, false};
    REQUIRE(h.set_array("bools", bools));
    REQUIRE(h.set_array("none", std::vector<std::uint64_t>{}));

    file f;
    f.entries = {
        text("u8") + u32(0) + number(std::uint8_t{200}),
        text("i8") + u32(1) + number(std::int8_t{-100}),
        text("u16") + u32(2) + number(std::uint16_t{65535}),
        text("i16") + u32(3) + number(std::int16_t{-32768}),
        text("u32") + u32(4) + u32(4'000'000'000u),
        text("i32") + u32(5) + number(std::int32_t{-2}),
        text("u64") + u32(10) + u64(1ull << 63),
        text("i64") + u32(11) + u64(1ull << 63),
        text("f32") + u32(6) + number(1.5f),
        text("f64") + u32(12) + number(-0.1),
        text("yes") + u32(7) + "\x01",
        text("literal") + u32(8) + text("text"),
        text("string") + u32(8) + text("\xC3\xA9"),
        text("ints") + array(5, 2, number(std::int32_t{-1}) + number(std::int32_t{5})),
        text("floats") + array(6, 1, number(0.5f)),
        text("strings") + array(8, 3, text("a") + text("") + text("c")),
        text("views") + array(8, 1, text("d")),
        text("bools") + array(7, 2, bytes("\1\0", 2)),
        text("none") + array(10, 0, ""),
    };
    CHECK(serialized(h) == f.build());
}

TEST_CASE("a key that is set again keeps its place") {
    header h;
    REQUIRE(h.set("a", 1u));
    REQUIRE(h.set("b", 2u));
    REQUIRE(h.set("a", "longer than before"));
    REQUIRE(h.set_array("b", std::vector<float>{1.0f}));
    CHECK_FALSE(h.set("a", "\xFF"));  // a refusal changes nothing
    file f;
    f.entries = {text("a") + u32(8) + text("longer than before"), text("b") + array(6, 1, number(1.0f))};
    CHECK(serialized(h) == f.build());
}

TEST_CASE("many keys and tensors take linear time") {
    constexpr std::size_t many = 100'000;
    header h;
    for (std::size_t i = 0; i < many; ++i) REQUIRE(h.set("key." + std::to_string(i), static_cast<std::uint32_t>(i)).error() == errc::ok);
    for (std::size_t i = 0; i < many; ++i) REQUIRE(h.add_tensor("tensor." + std::to_string(i), 0, {0}).error() == errc::ok);
    const bytes content = serialized(h);
    const auto r = reader::open(as_span(content), {.strict = true});
    REQUIRE(r);
    CHECK(r->find("key.99999")->as_u64() == 99'999u);
    CHECK(r->find_tensor("tensor.77777") == &r->tensors()[77'777]);
}

TEST_CASE("what not every reader accepts is refused") {
    header h;
    CHECK(h.set("", 1).error() == errc::bad_string);
    CHECK(h.set(std::string(65536, 'k'), 1).error() == errc::bad_string);
    CHECK(h.set("a b", 1).error() == errc::bad_string);
    CHECK(h.set("\xC3\xA9", 1).error() == errc::bad_string);
    CHECK(h.set(std::string_view("a\0b", 3), 1).error() == errc::bad_string);
    CHECK(h.set("k", "\xFF").error() == errc::bad_utf8);
    CHECK(h.set_array("k", std::vector<std::string>{"a", "\xFF"}).error() == errc::bad_utf8);
    CHECK(h.set("k", value_view()).error() == errc::invalid_argument);
    CHECK(h.set("general.alignment", 64).error() == errc::bad_type);
    CHECK(h.set("general.alignment", "64").error() == errc::bad_type);
    for (const std::uint32_t bad : {0u, 1u, 4u, 24u, 33u, 1u << 21, 1u << 31})
        CHECK(h.set("general.alignment", bad).error() == errc::bad_alignment);
    CHECK(h.alignment() == 32);

    CHECK(h.add_tensor("", 0, {1}).error() == errc::bad_string);
    CHECK(h.add_tensor(std::string(64, 'n'), 0, {1}).error() == errc::bad_string);
    CHECK(h.add_tensor(std::string_view("a\0b", 3), 0, {1}).error() == errc::bad_string);
    CHECK(h.add_tensor("\xFF", 0, {1}).error() == errc::bad_utf8);
    CHECK(h.add_tensor("t", 4, {32}).error() == errc::unsupported_type);
    CHECK(h.add_tensor("t", 8, {33}).error() == errc::bad_shape);
    CHECK(h.add_tensor("t", 0, {}).error() == errc::bad_shape);
    CHECK(h.add_tensor("t", 0, {1, 1, 1, 1, 1}).error() == errc::bad_shape);
    CHECK(h.add_tensor("t", 0, {1ull << 32, 1ull << 32}).error() == errc::shape_overflow);
    CHECK(serialized(h) == file{}.build());  // nothing of all that stayed

    CHECK(h.add_tensor("t", 0, {1}));
    CHECK(h.add_tensor("t", 0, {1}).error() == errc::duplicate_key);
    CHECK(h.add_tensor("huge", 24, {(1ull << 63) - (1ull << 22)}));
    CHECK(h.add_tensor("too much", 24, {1ull << 22}).error() == errc::shape_overflow);
    CHECK(h.add_tensor("too much", 24, {1}).error() == errc::ok);
    CHECK(h.add_tensor("too much 2", 24, {1}).error() == errc::shape_overflow);
    CHECK(h.set(std::string(65535, 'k'), 1));
    CHECK(h.add_tensor(std::string(63, 'n'), 0, {0}).error() == errc::shape_overflow);
}

TEST_CASE("the alignment decides about offsets and padding") {
    memory_writer out{memory_sink()};
    REQUIRE(out.add_tensor("a", 0, {1}));
    REQUIRE(out.set("general.alignment", 8192u));
    REQUIRE(out.add_tensor("b", 0, {3, 2}));
    REQUIRE(out.begin());
    REQUIRE(out.write(as_span("abcd")));
    REQUIRE(out.end_tensor());
    REQUIRE(out.write(as_span(bytes(24, 'b'))));
    REQUIRE(out.end_tensor());
    REQUIRE(out.finish());
    CHECK(out.destination().bytes().size() == 3 * 8192);
    const auto r = reader::open(out.destination().bytes(), {.strict = true});
    REQUIRE(r);
    CHECK(r->alignment() == 8192);
    CHECK(r->find_tensor("b")->offset == 8192);
    CHECK(chars(r->find_tensor("b")->data) == bytes(24, 'b'));
}

TEST_CASE("calls out of turn and data of the wrong length are refused and change nothing") {
    memory_writer out{memory_sink()};
    CHECK(out.write(as_span("x")).error() == errc::invalid_argument);
    CHECK(out.end_tensor().error() == errc::invalid_argument);
    CHECK(out.finish().error() == errc::invalid_argument);
    REQUIRE(out.add_tensor("a", 0, {2}));
    REQUIRE(out.add_tensor("empty", 0, {0}));
    REQUIRE(out.add_tensor("b", 0, {1}));
    REQUIRE(out.begin());
    CHECK(out.begin().error() == errc::invalid_argument);
    CHECK(out.set("late", 1).error() == errc::invalid_argument);
    CHECK(out.set_array("late", std::vector<int>{1}).error() == errc::invalid_argument);
    CHECK(out.add_tensor("late", 0, {1}).error() == errc::invalid_argument);
    CHECK(out.write(as_span("123456789")).error() == errc::size_mismatch);
    REQUIRE(out.write(as_span("12345")));
    CHECK(out.end_tensor().error() == errc::size_mismatch);
    CHECK(out.finish().error() == errc::size_mismatch);
    CHECK(out.write(as_span("6789")).error() == errc::size_mismatch);
    REQUIRE(out.write(as_span("678")));
    REQUIRE(out.write({}));
    REQUIRE(out.end_tensor());
    REQUIRE(out.end_tensor());
    CHECK(out.current_tensor() == 2);
    CHECK(out.finish().error() == errc::size_mismatch);
    REQUIRE(out.write(as_span("abcd")));
    REQUIRE(out.end_tensor());
    CHECK(out.write(as_span("x")).error() == errc::invalid_argument);
    CHECK(out.end_tensor().error() == errc::invalid_argument);
    REQUIRE(out.finish());
    CHECK(out.finish().error() == errc::invalid_argument);
    const auto r = reader::open(out.destination().bytes(), {.strict = true});
    REQUIRE(r);
    CHECK(chars(r->tensors()[0].data) == "12345678");
    CHECK(chars(r->tensors()[2].data) == "abcd");
}

TEST_CASE("after an error of the sink everything fails") {
    struct failing {
        int left;
        nibble::status write(std::span<const std::byte>) { return left-- > 0 ? nibble::status() : nibble::status(errc::cannot_write); }
    };
    for (int good = 0; good < 3; ++good) {
        INFO(good);
        basic_writer<failing> out{failing{good}};
        REQUIRE(out.add_tensor("a", 0, {2}));
        CHECK(out.begin().error() == (good == 0 ? errc::cannot_write : errc::ok));
        CHECK(out.write(as_span("12345678")).error() == (good <= 1 ? errc::cannot_write : errc::ok));
        CHECK(out.end_tensor().error() == errc::cannot_write);
        CHECK(out.finish().error() == errc::cannot_write);
    }
}

// --- on disk ---------------------------------------------------------------------------------------------------------------

TEST_CASE("a file appears with finish() and not before") {
    const folder f;
    for (const bool sync : {true, false}) {
        ::unlink(f.path("out.gguf").c_str());
        {
            auto out = started(f.path("out.gguf"), {.sync = sync});
            REQUIRE(out);
            REQUIRE(f.names().size() == 1);
            CHECK(f.names()[0].find(".out.gguf.part-") == 0);
            REQUIRE(out->finish());
            CHECK(f.names() == names{"out.gguf"});
        }
        CHECK(f.names() == names{"out.gguf"});
        CHECK(is_whole(f.path("out.gguf")));
    }
}

TEST_CASE("an unfinished file leaves nothing behind, and the old one as it was") {
    const folder f;
    write(f.path("out.gguf"), "old");
    {
        auto out = started(f.path("out.gguf"));
        REQUIRE(out);
        CHECK(read(f.path("out.gguf")) == "old");
    }
    CHECK(f.names() == names{"out.gguf"});
    CHECK(read(f.path("out.gguf")) == "old");
    {
        auto out = writer::create(f.path("out.gguf").c_str());
        REQUIRE(out);
        writer moved = std::move(*out);
        REQUIRE(moved.begin());
        REQUIRE(moved.finish());
    }
    CHECK(f.names() == names{"out.gguf"});
    CHECK(read(f.path("out.gguf")) == file{}.build());
}

TEST_CASE("a writer that takes over another gives up its own file, and the other has none") {
    const folder f;
    auto out = started(f.path("one.gguf"));
    auto other = writer::create(f.path("two.gguf").c_str());
    REQUIRE((out && other));
    REQUIRE(other->add_tensor("a", 0, {2}));
    REQUIRE(other->add_tensor("b", 0, {1}));
    REQUIRE(other->begin());
    REQUIRE(other->write(as_span("12345678")));
    REQUIRE(other->end_tensor());
    *out = std::move(*other);
    REQUIRE(f.names().size() == 1);
    CHECK(f.names()[0].find(".two.gguf.part-") == 0);
    CHECK_FALSE(other->write(as_span("abcd")));
    CHECK_FALSE(other->end_tensor());
    CHECK_FALSE(other->finish());
    REQUIRE(out->write(as_span("abcd")));
    REQUIRE(out->end_tensor());
    REQUIRE(out->finish());
    CHECK(f.names() == names{"two.gguf"});
}

TEST_CASE("two writers of one file: the last complete one wins") {
    const folder f;
    auto first = started(f.path("out"));
    auto second = started(f.path("out"));
    REQUIRE(first);
    REQUIRE(second);
    CHECK(f.names().size() == 2);
    REQUIRE(second->finish());
    REQUIRE(first->finish());
    CHECK(f.names() == names{"out"});
    CHECK(is_whole(f.path("out")));
}

TEST_CASE("relative paths and long names") {
    const folder f;
    const std::string here = std::filesystem::current_path().string();
    REQUIRE(::chdir(f.path("").c_str()) == 0);
    CHECK(whole("out") == errc::ok);
    CHECK(whole("./out2") == errc::ok);
    CHECK(whole(std::string(255, 'n')) == errc::ok);
    const errc too_long = whole(std::string(256, 'n'));
    REQUIRE(::chdir(here.c_str()) == 0);
    CHECK(too_long == errc::cannot_write);
    CHECK(f.names() == names{std::string(255, 'n'), "out", "out2"});
}

#if NIBBLE_POSIX_FILES
TEST_CASE("the output is not an input") {
    const folder f;
    write(f.path("in.gguf"), valid().build());
    write(f.path("other"), "x");
    REQUIRE(::symlink("in.gguf", f.path("link").c_str()) == 0);
    REQUIRE(::link(f.path("in.gguf").c_str(), f.path("hard").c_str()) == 0);
    const std::string other = f.path("other"), in = f.path("in.gguf"), none = f.path("none");
    const char* inputs[] = {none.c_str(), other.c_str(), in.c_str()};
    for (const char* name : {"in.gguf", "./in.gguf", "link", "hard", "other"}) {
        INFO(name);
        const auto out = writer::create(f.path(name).c_str(), {.inputs = inputs});
        CHECK(out.error() == errc::cannot_write);
        CHECK(out.message().find("the output is the input") == 0);
    }
    const auto before = f.names();
    CHECK(before.size() == 4);
    CHECK(read(f.path("in.gguf")) == valid().build());
    CHECK(whole(f.path("new"), {.inputs = inputs}) == errc::ok);
    CHECK(whole(f.path("in.gguf")) == errc::ok);  // without inputs it is a safe replacement
    CHECK(is_whole(f.path("in.gguf")));
}

TEST_CASE("a mapped input survives being replaced") {
    const folder f;
    write(f.path("in.gguf"), valid().build());
    const auto mapped = mapped_file::open(f.path("in.gguf").c_str());
    REQUIRE(mapped);
    const auto from = reader::open(mapped->bytes());
    REQUIRE(from);
    auto out = writer::create(f.path("in.gguf").c_str());
    REQUIRE(out);
    copy(*from, *out);
    CHECK(chars(mapped->bytes()) == valid().build());
    CHECK(read(f.path("in.gguf")) == valid().build());
}

TEST_CASE("a symbolic link is followed, once and to a file") {
    const folder f;
    REQUIRE(::mkdir(f.path("sub").c_str(), 0755) == 0);
    write(f.path("sub/real"), "old");
    REQUIRE(::symlink("sub/real", f.path("link").c_str()) == 0);
    REQUIRE(::symlink("nowhere", f.path("dangling").c_str()) == 0);
    REQUIRE(::symlink("loop", f.path("loop").c_str()) == 0);
    {
        auto out = started(f.path("link"));
        REQUIRE(out);
        CHECK(f.names() == names{"dangling", "link", "loop", "sub"});  // the temporary is next to the real file
        ::unlink(f.path("link").c_str());
        REQUIRE(::symlink("sub/evil", f.path("link").c_str()) == 0);
        REQUIRE(out->finish());
    }
    CHECK(is_whole(f.path("sub/real")));
    CHECK(whole(f.path("dangling")) == errc::cannot_write);
    CHECK(whole(f.path("loop")) == errc::cannot_write);
    CHECK(f.names() == names{"dangling", "link", "loop", "sub"});
}

TEST_CASE("modes: the mask for a new file, the old one's for a replacement") {
    const folder f;
    const auto mask = ::umask(027);
    CHECK(whole(f.path("new")) == errc::ok);
    CHECK(mode_of(f.path("new")) == 0640u);
    write(f.path("old"), "x");
    REQUIRE(::chmod(f.path("old").c_str(), 0604) == 0);
    CHECK(whole(f.path("old")) == errc::ok);
    CHECK(mode_of(f.path("old")) == 0604u);
    ::umask(mask);
}

TEST_CASE("targets that cannot be written say why before any work") {
    const folder f;
    write(f.path("file"), "x");
    REQUIRE(::mkfifo(f.path("pipe").c_str(), 0600) == 0);
    const auto refused = [&](const std::string& path, std::string_view why) {
        INFO(path);
        const auto out = writer::create(path.c_str());
        CHECK(out.error() == errc::cannot_write);
        INFO(out.message());
        CHECK(out.message().find(why) != std::string_view::npos);
    };
    refused(f.path("missing/out"), "no such directory");
    refused(f.path("file/out"), "not a directory");
    refused(f.path(""), "is a directory");
    refused(f.path("none/"), "ends with a slash");
    refused(f.path("pipe"), "pipe or device");
    refused("/dev/full", "pipe or device");
    refused("", "empty");
    refused(std::string(300, 'n'), "too long");
    CHECK(writer::create(nullptr).error() == errc::invalid_argument);
    CHECK(f.names() == names{"file", "pipe"});
}

TEST_CASE("a directory without write permission") {
    if (::geteuid() == 0) return nibble::test::skip("root may write everywhere");
    const folder f;
    REQUIRE(::mkdir(f.path("closed").c_str(), 0555) == 0);
    const auto out = writer::create(f.path("closed/out").c_str());
    CHECK(out.error() == errc::cannot_write);
    CHECK(out.message().find("permission denied") == 0);
}

TEST_CASE("a full disk is an error") {
    if (::access("/dev/full", W_OK) != 0) return nibble::test::skip("there is no /dev/full");
    auto out = writer::create("/dev/full", {.streaming = true});
    REQUIRE(out);
    const auto s = out->begin();
    CHECK(s.error() == errc::cannot_write);
    CHECK(s.message().find("no space left") == 0);
    CHECK(out->finish().error() == errc::cannot_write);
}

TEST_CASE("a device can be streamed to when asked") {
    CHECK(whole("/dev/null", {.streaming = true}) == errc::ok);
    struct ::stat about {};
    REQUIRE(::stat("/dev/null", &about) == 0);
    CHECK(S_ISCHR(about.st_mode));
}

TEST_CASE("a limit on file sizes: the error comes, the old file stays, the temporary goes") {
    const folder f;
    write(f.path("out"), "old");
    struct ::rlimit before {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct ::rlimit small { 4096, before.rlim_max };
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::optional<nibble::status> written, finished;
    std::uint64_t where = 0;
    {
        auto out = writer::create(f.path("out").c_str());
        if (out && out->add_tensor("big", 0, {4096}) && out->begin()) {
            written = out->write(as_span(bytes(16384, 'x')));  // the first part fits: a short write, then the error
            where = written->where();
            finished = out->finish();
        }
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    REQUIRE(written);
    CHECK(written->error() == errc::cannot_write);
    CHECK(written->message().find("larger than the file system") != std::string_view::npos);
    CHECK(where == 4096);
    CHECK(finished->error() == errc::cannot_write);
    CHECK(read(f.path("out")) == "old");
    CHECK(f.names() == names{"out"});
}

TEST_CASE("a target that became a directory meanwhile") {
    const folder f;
    {
        auto out = started(f.path("out"));
        REQUIRE(out);
        REQUIRE(::mkdir(f.path("out").c_str(), 0755) == 0);
        const auto s = out->finish();
        CHECK(s.error() == errc::cannot_write);
        CHECK(s.message().find("is a directory") != std::string_view::npos);
    }
    CHECK(f.names() == names{"out"});
}

TEST_CASE("files over 4 GiB") {
    // Offsets only: the data of a sparse file of 5 GiB is never touched.
    const folder f;
    header h;
    constexpr std::uint64_t size = std::uint64_t{5} << 30;
    REQUIRE(h.add_tensor("big", 24, {size}));
    REQUIRE(h.add_tensor("after", 24, {32}));
    write(f.path("sparse"), serialized(h));
    const std::uint64_t start = std::filesystem::file_size(f.path("sparse"));
    REQUIRE(::truncate(f.path("sparse").c_str(), static_cast<::off_t>(start + size + 32)) == 0);
    const auto mapped = mapped_file::open(f.path("sparse").c_str());
    REQUIRE(mapped);
    const auto r = reader::open(mapped->bytes());
    REQUIRE(r);
    CHECK(r->find_tensor("after")->offset == size);
    CHECK(r->find_tensor("big")->data.size() == size);
    CHECK(r->find_tensor("after")->data.data() == mapped->bytes().data() + start + size);
}
#endif

TEST_CASE("a real model is written back byte for byte") {
    const char* named = std::getenv("NIBBLE_TEST_MODEL");
    const std::string path = named != nullptr ? named : nibble::test::data_path("../examples/model/kjv-3m-f16.gguf");
    const auto mapped = mapped_file::open(path.c_str());
    REQUIRE(mapped);
    const auto from = reader::open(mapped->bytes(), {.strict = true});
    REQUIRE(from);
    CHECK(from->tensors().size() == 39);
    CHECK(from->metadata().size() == 22);
    CHECK(from->find("general.architecture")->as_string() == "llama");

    const folder f;
    auto out = writer::create(f.path("copy.gguf").c_str());
    REQUIRE(out);
    copy(*from, *out);
    const auto written = mapped_file::open(f.path("copy.gguf").c_str());
    REQUIRE(written);
    const auto again = reader::open(written->bytes(), {.strict = true});
    REQUIRE(again);
    for (const auto& t : from->tensors()) {
        const auto* same = again->find_tensor(t.name);
        REQUIRE(same != nullptr);
        CHECK((same->type == t.type && same->shape == t.shape && chars(same->data) == chars(t.data)));
    }
    CHECK((chars(written->bytes()) == chars(mapped->bytes())));
}
