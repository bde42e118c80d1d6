// The floating-point mode of a thread. A program may have changed it, often without knowing: a library that was linked with -ffast-math
// makes the processor flush subnormals to zero, and then the bytes of a quantizer would change.
#pragma once

#include <cstdint>

#include "nibble/base/target.hpp"

NIBBLE_NAMESPACE_BEGIN

/// While it lives, the calling thread rounds to nearest even, keeps subnormals and traps nothing; then all is as it was, the flags of
/// exceptions too. Does nothing on processors other than x86-64 and AArch64.
class plain_float_mode {
public:
    // The clobber keeps loads and stores on their side of the change; arithmetic depends on them.
#if defined(NIBBLE_X86)
    NIBBLE_INLINE plain_float_mode() noexcept {
        __asm__ volatile("stmxcsr %0" : "=m"(before_) : : "memory");
        load((before_ & ~odd) | untrapped);
    }
    NIBBLE_INLINE ~plain_float_mode() { load(before_); }
#elif defined(NIBBLE_ARM64)
    NIBBLE_INLINE plain_float_mode() noexcept {
        __asm__ volatile("mrs %0, fpcr" : "=r"(before_) : : "memory");
        load(before_ & ~odd);
    }
    NIBBLE_INLINE ~plain_float_mode() { load(before_); }
#else
    NIBBLE_INLINE plain_float_mode() noexcept {}
    NIBBLE_INLINE ~plain_float_mode() {}
#endif
    plain_float_mode(const plain_float_mode&) = delete;
    plain_float_mode& operator=(const plain_float_mode&) = delete;

private:
#if defined(NIBBLE_X86)
    static constexpr std::uint32_t odd = 0xE040, untrapped = 0x1F80;  // rounding, flush to zero, subnormals are zeros; masks
    NIBBLE_INLINE static void load(std::uint32_t mode) noexcept { __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory"); }
    std::uint32_t before_;
#elif defined(NIBBLE_ARM64)
    static constexpr std::uint64_t odd = 0x3C89F00;  // default NaN, flush to zero (also of fp16), rounding, traps
    NIBBLE_INLINE static void load(std::uint64_t mode) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
    std::uint64_t before_;
#endif
};

NIBBLE_NAMESPACE_END
