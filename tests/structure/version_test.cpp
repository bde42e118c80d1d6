// The version stands in version.hpp; whoever else states it must agree.
#include "nibble/version.hpp"

#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "support/test.hpp"

namespace {

const std::string version =
    std::to_string(NIBBLE_VERSION_MAJOR) + "." + std::to_string(NIBBLE_VERSION_MINOR) + "." + std::to_string(NIBBLE_VERSION_PATCH);

/// Text of a file at the top of the repository; empty if there is none.
std::string top_level(const std::string& name) {
    std::ifstream file(NIBBLE_TESTS_DIR "/../" + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("version.hpp agrees with itself and with CMake") {
    CHECK(version == NIBBLE_VERSION_STRING);
    CHECK(version == NIBBLE_CMAKE_VERSION);
}

TEST_CASE("the changelog knows the version") { CHECK(top_level("CHANGELOG.md").find("] " + version) != std::string::npos); }

TEST_CASE("packages state the same version") {
    // A file that is not there yet, or that reads version.hpp instead of repeating it, states nothing.
    const std::pair<const char*, std::regex> places[] = {
        {"vcpkg.json", std::regex(R"re("version(?:-semver|-string)?"\s*:\s*"([^"]*)")re")},
        {"conanfile.py", std::regex(R"re(\n\s*version\s*=\s*"([^"]*)")re")},
        {"CITATION.cff", std::regex(R"re(\nversion:\s*"?([0-9.]+))re")},
        {"MODULE.bazel", std::regex(R"re(version\s*=\s*"([0-9.]+)")re")},
    };
    for (const auto& [name, pattern] : places) {
        const std::string text = top_level(name);
        std::smatch match;
        if (!std::regex_search(text, match, pattern)) continue;
        INFO(name);
        CHECK(match[1] == version);
    }
}
