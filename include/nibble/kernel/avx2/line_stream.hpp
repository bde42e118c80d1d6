// Floats to memory past the caches, in whole lines. An ordinary store reads the line that it overwrites first: half of the traffic of a
// result that no cache holds.
#pragma once

#include "nibble/kernel/avx2/decode.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// Results from this size on are written past the caches. Last-level caches have some tens of megabytes, for all cores together.
inline constexpr std::size_t larger_than_caches = std::size_t{32} << 20;

/// Takes runs of floats that follow one another in memory: decode into room(), then flush().
class line_stream {
public:
    /// Goes on behind a run that ends at `end` and was stored as usual; what it left of a line is stored once more.
    NIBBLE_INLINE explicit line_stream(float* end) noexcept
        : pending_(reinterpret_cast<std::uintptr_t>(end) % line / sizeof(float)), out_(end - pending_) {
        __builtin_memcpy(staged_, out_, pending_ * sizeof(float));
    }
    NIBBLE_INLINE float* room() noexcept { return staged_ + pending_; }
    NIBBLE_INLINE void flush() noexcept {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < run_size; i += 8) _mm256_stream_ps(out_ + i, _mm256_load_ps(staged_ + i));
        out_ += run_size;
        for (std::size_t i = 0; i < line_size; i += 8) _mm256_store_ps(staged_ + i, _mm256_load_ps(staged_ + run_size + i));
    }
    /// Such stores are ordered with no others; after this, whoever is told of the result sees it.
    NIBBLE_INLINE void finish() noexcept {
        __builtin_memcpy(out_, staged_, pending_ * sizeof(float));
        _mm_sfence();
    }

private:
    static constexpr std::size_t line = 64, line_size = line / sizeof(float);
    // In one page: a store across pages, among stores past the caches, takes hundreds of cycles.
    alignas(2048) float staged_[run_size + line_size] = {};
    std::size_t pending_;  // floats of a line that is not complete yet, at the start of staged_
    float* out_;           // where that line begins
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
