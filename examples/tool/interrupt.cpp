#include "interrupt.hpp"

#include <csignal>

#include "failure.hpp"

namespace tool {

namespace {
volatile std::sig_atomic_t received = 0;

extern "C" void remember(int number) {
    received = number;
    std::signal(number, SIG_DFL);
}
}  // namespace

void install_signal_handlers() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, remember);
    for (const int number : {SIGXFSZ, SIGPIPE}) std::signal(number, SIG_IGN);
}

void check_interrupt() {
    const int number = received;
    if (number != 0) throw failure{interrupted + number, "interrupted: the output was not written"};
}

}  // namespace tool
