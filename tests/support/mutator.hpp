// Damages files at random, but in the same way on every run: the seed of the generator is fixed. NIBBLE_FUZZ_SECONDS=600 in the
// environment makes fuzz_rounds() go on for that long with other damage.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace support {

class mutator {
public:
    /// @param words what the format's readers look for; they are put in at random
    mutator(std::uint32_t seed, std::vector<std::string> words) : generator_(seed), words_(std::move(words)) {}

    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, limit - 1)(generator_); }

    /// One to four changes. The first `head` bytes are hit more often than the rest.
    std::string operator()(std::string content, std::size_t head) {
        for (std::size_t changes = 1 + below(4); changes-- > 0;) change(content, head);
        return content;
    }

private:
    std::uint64_t interesting() {
        constexpr std::uint64_t values[] = {0,          1,          2,          3,          7,          8,          13,         16,
                                            31,         32,         63,         64,         65,         127,        128,        255,
                                            256,        65535,      65536,      1u << 20,   0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ull << 32,
                                            1ull << 40, 1ull << 62, ~0ull >> 1, 1ull << 63, ~0ull - 7,  ~0ull};
        return values[below(std::size(values))] + below(3) - 1;
    }
    void change(std::string& content, std::size_t head) {
        const std::size_t size = content.size();
        const std::size_t at = below(4) != 0 ? below(head < size ? head : size) : below(size);
        switch (size == 0 ? 4 : below(9)) {
            case 0: content[at] = static_cast<char>(content[at] ^ (1 << below(8))); break;
            case 1: content[at] = static_cast<char>(below(256)); break;
            case 2:
            case 3: {
                const std::uint64_t value = interesting();
                const std::size_t width = std::size_t{1} << below(4);
                for (std::size_t i = 0; i < width && at + i < size; ++i) content[at + i] = static_cast<char>(value >> (8 * i));
                break;
            }
            case 4: content.insert(at, words_[below(words_.size())]); break;
            case 5: content.erase(at, 1 + below(9)); break;
            case 6: content.insert(at, content.substr(below(size), below(40))); break;
            case 7: {
                const std::string& word = words_[below(words_.size())];
                content.replace(at, word.size(), word);
                break;
            }
            default:
                if (below(8) == 0) content.resize(at);
                else content.insert(at, std::to_string(interesting()));
                break;
        }
    }

    std::mt19937 generator_;
    std::vector<std::string> words_;
};

/// Calls round(i) for i = 0, 1, ... `count` times, but for 20 seconds at most: a sanitizer in a slow build does not hold up all tests.
template <class Round>
void fuzz_rounds(std::size_t count, const Round& round) {
    using clock = std::chrono::steady_clock;
    const char* wanted = std::getenv("NIBBLE_FUZZ_SECONDS");
    const auto end = clock::now() + std::chrono::seconds(wanted != nullptr ? std::atoi(wanted) : 20);
    for (std::size_t i = 0; (wanted != nullptr || i < count) && (i % 256 != 0 || clock::now() < end); ++i) round(i);
}

}  // namespace support
