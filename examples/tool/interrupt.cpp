#include "interrupt.hpp"

#include <unistd.h>

#include <csignal>

#include "failure.hpp"

namespace tool {

namespace {
volatile std::sig_atomic_t received = 0;

extern "C" void remember(int number) {
    received = number;
    std::signal(number, SIG_DFL);
}

/// Input files are mapped. The system does not return an error when one became shorter, or cannot be read: it sends SIGBUS, after which
/// nothing can be cleaned up.
extern "C" void lose_input(int) {
    constexpr char line[] = "nibble: an input file became shorter, or its disk failed, while it was read\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line, sizeof line - 1);
    ::_exit(failed);
}
}  // namespace

void install_signal_handlers() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, remember);
    for (const int number : {SIGXFSZ, SIGPIPE}) std::signal(number, SIG_IGN);
    std::signal(SIGBUS, lose_input);
}

void check_interrupt() {
    const int number = received;
    if (number != 0) throw failure{interrupted + number, "interrupted: the output was not written"};
}

}  // namespace tool
