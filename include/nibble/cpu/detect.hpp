// What this CPU and this operating system can run. AVX and AVX-512 state must be enabled by the system (XCR0), not only by CPUID.
#pragma once

#include <cstdint>

#include "nibble/base/target.hpp"
#include "nibble/cpu/isa.hpp"

#if defined(NIBBLE_X86)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(NIBBLE_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#endif

NIBBLE_BASELINE_BEGIN

namespace internal {

NIBBLE_INLINE constexpr std::uint32_t bit(isa level) noexcept { return 1u << static_cast<unsigned>(level); }

#if defined(NIBBLE_X86)
/// True if the processor has AMX, with the tiles that kernels expect, and the system saves them.
inline bool has_amx(unsigned enabled_states, unsigned features, unsigned more_features) noexcept {
    constexpr unsigned states = 3u << 17, instructions = (1u << 22) | (1u << 24) | (1u << 25);  // TILECFG TILEDATA; BF16 TILE INT8
    if ((enabled_states & states) != states || (features & instructions) != instructions || ((more_features >> 5) & 1u) == 0)
        return false;  // AVX512_BF16
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(0x1D, 1, &a, &b, &c, &d) != 0 && a >> 16 == 1024 && b == ((8u << 16) | 64u) && (c & 0xFFFFu) == 16;
}
#endif

/// True if the processor has vdpbf16ps; the avx512 level tells the rest.
inline bool has_avx512_bf16() noexcept {
#if defined(NIBBLE_X86)
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && ((a >> 5) & 1u) != 0;
#else
    return false;
#endif
}

/// Asks the system for what a level needs of it, which only AMX does: Linux reserves room for tiles in signal frames, for the whole process, once it
/// has been asked. Whoever runs at a lower level is spared that.
inline bool is_permitted([[maybe_unused]] isa level) noexcept {
#if defined(NIBBLE_X86) && defined(__linux__)
    if (level == isa::amx) return syscall(SYS_arch_prctl, 0x1023, 18) == 0;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return true;
#else
    return level != isa::amx;
#endif
}

/// One bit a level that can run here, as far as the processor goes.
inline std::uint32_t supported_levels() noexcept {
    std::uint32_t levels = bit(isa::reference);
#if defined(NIBBLE_X86)
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return levels;
    const auto has = [](unsigned word, int index) { return ((word >> index) & 1u) != 0; };
    const bool fma = has(c, 12), saves_state = has(c, 27), avx = has(c, 28), f16c = has(c, 29);
    if (!saves_state || !avx) return levels;
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x6u) != 0x6u) return levels;  // XMM and YMM
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return levels;
    if (!(fma && f16c && has(b, 5) && has(b, 3) && has(b, 8))) return levels;  // AVX2, BMI1, BMI2
    levels |= bit(isa::avx2);
    const bool avx512 = (low & 0xE6u) == 0xE6u && has(b, 16) && has(b, 17) && has(b, 28) && has(b, 30) && has(b, 31) &&  // F DQ CD BW VL
                        has(c, 1) && has(c, 11);                                                                     // VBMI VNNI
    if (avx512) levels |= bit(isa::avx512);
    unsigned a1 = 0, b1 = 0, c1 = 0, d1 = 0;
    if (a >= 1 && __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) != 0 && has(a1, 4)) levels |= bit(isa::avxvnni);
    if (avx512 && has_amx(low, d, a1)) levels |= bit(isa::amx);
#elif defined(NIBBLE_ARM64)
    levels |= bit(isa::neon);
#if defined(__linux__)
    const unsigned long first = getauxval(16), second = getauxval(26);  // AT_HWCAP, AT_HWCAP2
    if ((first & (1ul << 20)) != 0) {                                   // HWCAP_ASIMDDP
        levels |= bit(isa::dotprod);
        if ((second & (1ul << 13)) != 0) levels |= bit(isa::i8mm);  // HWCAP2_I8MM
    }
#elif defined(__APPLE__)
    levels |= bit(isa::dotprod);
#endif
#endif
    return levels;
}

/// Best first. Levels are not one chain: avx512 machines may lack AVX-VNNI.
inline constexpr isa preference[isa_count] = {isa::amx,  isa::avx512,  isa::avxvnni, isa::avx2,
                                              isa::i8mm, isa::dotprod, isa::neon,    isa::reference};

/// True if `level` is `limit` or one of its ancestors.
inline constexpr bool allowed_under(isa level, isa limit) noexcept {
    for (;;) {
        if (level == limit) return true;
        if (limit == isa::reference) return false;
        limit = parent_of(limit);
    }
}

/// The best level that runs here and is `limit` or one of its ancestors.
inline isa best_level(std::uint32_t supported, isa limit) noexcept {
    for (const isa level : preference) {
        if ((supported & bit(level)) != 0 && allowed_under(level, limit) && is_permitted(level)) return level;
    }
    return isa::reference;
}
inline isa best_level(std::uint32_t supported) noexcept {
    for (const isa level : preference) {
        if ((supported & bit(level)) != 0 && is_permitted(level)) return level;
    }
    return isa::reference;
}

}  // namespace internal
NIBBLE_BASELINE_END
