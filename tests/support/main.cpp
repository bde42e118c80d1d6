// Catch2's main, compiled once for all tests. Exit codes: 0 passed, 1 failed, 77 nothing was checked because everything skipped.
#define CATCH_CONFIG_RUNNER
#include "support/test.hpp"

#include <cstdio>

namespace {

bool skipped = false;
bool checked = false;

#if __has_include(<catch2/catch_all.hpp>)
using listener = Catch::EventListenerBase;
#else
using listener = Catch::TestEventListenerBase;
#endif

class totals : public listener {
public:
    using listener::listener;
    void testRunEnded(const Catch::TestRunStats& run) override { checked = run.totals.assertions.total() > 0; }
};
CATCH_REGISTER_LISTENER(totals)

}  // namespace

void nibble::test::skip(std::string_view reason) {
    skipped = true;
    std::printf("SKIP: %.*s\n", static_cast<int>(reason.size()), reason.data());
}

int main(int argc, char** argv) {
    if (Catch::Session().run(argc, argv) != 0) return 1;
    return skipped && !checked ? 77 : 0;
}
