// Floats that are copied, with AVX2: results that no cache holds go past the caches, which the system's own copy leaves to larger ones.
#pragma once

#include "nibble/kernel/avx2/line_stream.hpp"
#include "nibble/kernel/reference/plain_floats.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN

template <internal::plain_float F>
struct kernel<op::dequantize, F, isa::avx2> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, float* out) noexcept {
        const std::size_t bytes = rows * cols * sizeof(float);
        auto* to = reinterpret_cast<std::byte*>(out);
        const std::size_t done = bytes >= avx2::larger_than_caches ? copy_past_caches(packed, bytes, to) : 0;
        __builtin_memcpy(to + done, packed + done, bytes - done);
    }
    static constexpr op::dequantize::entry entry = &run;

private:
    /// @return the bytes that were copied; what is left is shorter than a piece
    static std::size_t copy_past_caches(const std::byte* from, std::size_t bytes, std::byte* to) noexcept {
        constexpr std::size_t line = 64, piece = 2048;
        std::size_t done = line - reinterpret_cast<std::uintptr_t>(to) % line;
        __builtin_memcpy(to, from, done);
        for (; done + piece <= bytes; done += piece) {
            // All lines of a piece are on their way before the first store: among stores past the caches, few loads are.
            for (std::size_t i = 0; i < piece; i += line) (void)*static_cast<const volatile std::byte*>(from + done + i);
            for (std::size_t i = 0; i < piece; i += 32) {
                _mm256_stream_ps(reinterpret_cast<float*>(to + done + i), _mm256_loadu_ps(reinterpret_cast<const float*>(from + done + i)));
            }
        }
        _mm_sfence();  // such stores are ordered with no others; after this, whoever is told of the result sees it
        return done;
    }
};

NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
