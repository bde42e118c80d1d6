#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "text.hpp"

namespace tool {

namespace {

bool is_terminal() {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

std::size_t columns() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

}  // namespace

progress::progress(std::uint64_t total, bool quiet) : total_(total), quiet_(quiet), terminal_(is_terminal()) {}

progress::~progress() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void progress::advance(std::uint64_t amount, std::string_view what) {
    done_ += amount;
    if (quiet_) return;
    const auto now = clock::now();
    const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(3000);
    if (now - last_ < interval) return;
    last_ = now;
    show(what);
}

void progress::show(std::string_view what) {
    const double part = total_ == 0 ? 1 : static_cast<double>(done_) / static_cast<double>(total_);
    const double seconds = std::chrono::duration<double>(clock::now() - start_).count();
    const std::string numbers = fixed(100 * part, 0) + " %, " + human_bytes(done_) + " of " + human_bytes(total_) + ", " +
                                human_bytes(static_cast<std::uint64_t>(static_cast<double>(done_) / std::max(seconds, 1e-3))) + "/s";
    if (!terminal_) {
        std::fprintf(stderr, "%s, %.*s\n", numbers.c_str(), static_cast<int>(what.size()), what.data());
        return;
    }
    constexpr std::size_t width = 24;
    const auto filled = static_cast<std::size_t>(part * width);
    std::string line = '[' + std::string(filled, '#') + std::string(width - filled, '.') + "] " + numbers + "  " + std::string(what);
    line.resize(std::min(line.size(), columns() - 1));
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    std::fflush(stderr);
    drawn_ = true;
}

}  // namespace tool
