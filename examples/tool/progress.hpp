// Progress on standard error: a bar on a terminal, a plain line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tool {

class progress {
public:
    /// @param total what advance() will add up to @param quiet show nothing
    progress(std::uint64_t total, bool quiet);
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// So much more is done; shows it from time to time. @param what is worked on now, escaped
    void advance(std::uint64_t amount, std::string_view what);

private:
    using clock = std::chrono::steady_clock;
    void show(std::string_view what);

    std::uint64_t total_, done_ = 0;
    bool quiet_, terminal_, drawn_ = false;
    clock::time_point start_ = clock::now(), last_ = start_;
};

}  // namespace tool
