// What the core can do at most: read a stretch of memory, and multiply and accumulate bytes. The loops that find the multiplier's peak
// are assembly with fixed registers: a compiler may keep an array of accumulators in memory, and then measures that instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

#include "nibble/cpu/isa.hpp"


namespace limits {

/// Reads all bytes once, front to back.
#if defined(__x86_64__)
__attribute__((target("avx2"), noinline)) inline void read(std::span<const std::byte> bytes) {
    const auto* at = bytes.data();
    for (std::size_t steps = bytes.size() / 256; steps != 0; --steps, at += 256) {
        asm volatile(
            "vmovdqu (%0), %%ymm0\n vmovdqu 32(%0), %%ymm1\n vmovdqu 64(%0), %%ymm2\n vmovdqu 96(%0), %%ymm3\n"
            "vmovdqu 128(%0), %%ymm4\n vmovdqu 160(%0), %%ymm5\n vmovdqu 192(%0), %%ymm6\n vmovdqu 224(%0), %%ymm7\n"
            :
            : "r"(at)
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "memory");
    }
    asm volatile("vzeroupper" ::: "memory");
}
#else
[[gnu::noinline]] inline void read(std::span<const std::byte> bytes) {
    std::uint64_t sums[8] = {};
    for (std::size_t at = 0; at + 64 <= bytes.size(); at += 64) {
        std::uint64_t words[8];
        std::memcpy(words, bytes.data() + at, 64);
        for (int i = 0; i < 8; ++i) sums[i] += words[i];
    }
    for (auto& sum : sums) asm volatile("" : "+r"(sum));
}
#endif

/// A loop of byte products and how many multiply-accumulate operations one run of it does.
struct peak {
    std::function<void()> run;
    double work = 0;
};

#if defined(__x86_64__)
namespace detail {

#define NIBBLE_PEAK_REGISTERS                                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", \
        "cc"

/// AVX2: four maddubs are summed in 16 bits before they are widened, as codes of four bits allow.
#define NIBBLE_PEAK_STEP(sum)                                                                                              \
    "vpmaddubsw %%ymm0, %%ymm1, %%ymm4\n vpmaddubsw %%ymm0, %%ymm2, %%ymm5\n vpmaddubsw %%ymm0, %%ymm3, %%ymm6\n"          \
    "vpmaddubsw %%ymm1, %%ymm2, %%ymm7\n vpaddw %%ymm4, %%ymm5, %%ymm4\n vpaddw %%ymm6, %%ymm7, %%ymm6\n"                  \
    "vpaddw %%ymm4, %%ymm6, %%ymm4\n vpmaddwd %%ymm0, %%ymm4, %%ymm4\n vpaddd %%ymm4, " sum ", " sum "\n"
inline void maddubs(long steps) {
    asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n vmovdqa %%ymm0, %%ymm1\n vmovdqa %%ymm0, %%ymm2\n vmovdqa %%ymm0, %%ymm3\n"
                 "1:\n" NIBBLE_PEAK_STEP("%%ymm8") NIBBLE_PEAK_STEP("%%ymm9") NIBBLE_PEAK_STEP("%%ymm10") NIBBLE_PEAK_STEP("%%ymm11")
                     NIBBLE_PEAK_STEP("%%ymm12") NIBBLE_PEAK_STEP("%%ymm13") NIBBLE_PEAK_STEP("%%ymm14") NIBBLE_PEAK_STEP("%%ymm15")
                 "dec %0\n jnz 1b\n vzeroupper\n"
                 : "+r"(steps)
                 :
                 : NIBBLE_PEAK_REGISTERS);
}
inline constexpr double maddubs_work = 8 * 4 * 32;

#define NIBBLE_PEAK_TWELVE(instruction, r)                                                                            \
    instruction " " r "0, " r "1, " r "4\n" instruction " " r "0, " r "1, " r "5\n" instruction " " r "0, " r "1, " r "6\n"    \
    instruction " " r "0, " r "1, " r "7\n" instruction " " r "0, " r "1, " r "8\n" instruction " " r "0, " r "1, " r "9\n"    \
    instruction " " r "0, " r "1, " r "10\n" instruction " " r "0, " r "1, " r "11\n" instruction " " r "0, " r "1, " r "12\n" \
    instruction " " r "0, " r "1, " r "13\n" instruction " " r "0, " r "1, " r "14\n" instruction " " r "0, " r "1, " r "15\n"
inline void vpdpbusd_ymm(long steps) {
    asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n vmovdqa %%ymm0, %%ymm1\n"
                 "1:\n" NIBBLE_PEAK_TWELVE("%{vex%} vpdpbusd", "%%ymm") "dec %0\n jnz 1b\n vzeroupper\n"
                 : "+r"(steps)
                 :
                 : NIBBLE_PEAK_REGISTERS);
}
inline void vpdpbusd_zmm(long steps) {
    asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n vmovdqa64 %%zmm0, %%zmm1\n"
                 "1:\n" NIBBLE_PEAK_TWELVE("vpdpbusd", "%%zmm") "dec %0\n jnz 1b\n vzeroupper\n"
                 : "+r"(steps)
                 :
                 : NIBBLE_PEAK_REGISTERS);
}
#undef NIBBLE_PEAK_TWELVE
#undef NIBBLE_PEAK_STEP

/// Four accumulator tiles, two tiles of each operand, 16 rows of 64 bytes each.
inline void tdpbssd(long steps) {
    alignas(64) std::uint8_t tiles[64] = {1};
    for (int t = 0; t < 8; ++t) {
        tiles[16 + 2 * t] = 64;
        tiles[48 + t] = 16;
    }
    asm volatile(
        "ldtilecfg (%1)\n tilezero %%tmm4\n tilezero %%tmm5\n tilezero %%tmm6\n tilezero %%tmm7\n"
        "1:\n tdpbssd %%tmm6, %%tmm4, %%tmm0\n tdpbssd %%tmm7, %%tmm4, %%tmm1\n tdpbssd %%tmm6, %%tmm5, %%tmm2\n"
        "tdpbssd %%tmm7, %%tmm5, %%tmm3\n dec %0\n jnz 1b\n tilerelease\n"
        : "+r"(steps)
        : "r"(tiles)
        : "cc", "memory");
}

}  // namespace detail
#endif

/// The peak of the widest byte multiplier of a level; empty where there is no loop for it.
inline peak multiply_peak(nibble::isa level) {
#if defined(__x86_64__)
    constexpr long steps = 20000;
    switch (level) {
        case nibble::isa::avx2: return {[] { detail::maddubs(steps / 4); }, detail::maddubs_work * (steps / 4)};
        case nibble::isa::avxvnni: return {[] { detail::vpdpbusd_ymm(steps); }, 12.0 * 32 * steps};
        case nibble::isa::avx512: return {[] { detail::vpdpbusd_zmm(steps); }, 12.0 * 64 * steps};
        case nibble::isa::amx: return {[] { detail::tdpbssd(steps / 4); }, 4.0 * 16 * 16 * 64 * (steps / 4)};
        default: break;
    }
#endif
    (void)level;
    return {};
}

}  // namespace limits
