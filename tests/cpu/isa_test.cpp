// Levels: a forced level is live, scopes nest, and what cannot run here falls back to its nearest ancestor.
#include "support/test.hpp"

#include <cstdlib>
#include <fstream>
#include <nibble/nibble.hpp>
#include <string>

TEST_CASE("NIBBLE_ISA is obeyed") {
    const char* wanted = std::getenv("NIBBLE_ISA");
    if (wanted == nullptr) {
        CHECK(nibble::is_supported(nibble::active_isa()));
        return;
    }
    CHECK(nibble::is_supported(nibble::active_isa()));
    for (std::size_t i = 0; i < nibble::isa_count; ++i) {
        const auto level = static_cast<nibble::isa>(i);
        if (nibble::name_of(level) == wanted && nibble::is_supported(level)) CHECK(nibble::active_isa() == level);
    }
}

TEST_CASE("a scope limits the level and gives it back") {
    const nibble::isa before = nibble::active_isa();
    {
        const nibble::scoped_isa limit(nibble::isa::reference);
        CHECK(nibble::active_isa() == nibble::isa::reference);
        {
            const nibble::scoped_isa inner(before);
            CHECK(nibble::active_isa() == before);
        }
        CHECK(nibble::active_isa() == nibble::isa::reference);
    }
    CHECK(nibble::active_isa() == before);
}

TEST_CASE("levels inherit") {
    CHECK(nibble::parent_of(nibble::isa::amx) == nibble::isa::avx512);
    CHECK(nibble::parent_of(nibble::isa::avx512) == nibble::isa::avx2);
    CHECK(nibble::parent_of(nibble::isa::i8mm) == nibble::isa::dotprod);
    CHECK(nibble::parent_of(nibble::isa::reference) == nibble::isa::reference);
    CHECK(nibble::internal::best_level(nibble::internal::bit(nibble::isa::reference) | nibble::internal::bit(nibble::isa::avx2),
                                       nibble::isa::amx) == nibble::isa::avx2);
    CHECK(nibble::internal::best_level(nibble::internal::bit(nibble::isa::reference), nibble::isa::avx512) == nibble::isa::reference);
}

#if defined(NIBBLE_X86) && defined(__linux__)
TEST_CASE("what is detected is what the system says") {
    std::ifstream file("/proc/cpuinfo");
    std::string flags;
    for (std::string line; flags.empty() && std::getline(file, line);) {
        if (line.rfind("flags", 0) == 0) flags = line + " ";
    }
    if (flags.empty()) return nibble::test::skip("no flags in /proc/cpuinfo");
    const auto has = [&](const char* flag) { return flags.find(std::string(" ") + flag + " ") != std::string::npos; };
    const bool avx2 = has("avx2") && has("fma") && has("f16c") && has("bmi1") && has("bmi2");
    CHECK(nibble::is_supported(nibble::isa::avx2) == avx2);
    CHECK(nibble::is_supported(nibble::isa::avxvnni) == (avx2 && has("avx_vnni")));
    CHECK(nibble::is_supported(nibble::isa::avx512) == (avx2 && has("avx512f") && has("avx512bw") && has("avx512vl") && has("avx512dq") &&
                                                        has("avx512cd") && has("avx512_vnni") && has("avx512vbmi")));
}
#endif
