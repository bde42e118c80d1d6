// The level that operations use now: the best that runs here, unless NIBBLE_ISA or a scoped_isa limits it.
#pragma once

#include <atomic>
#include <cstdlib>

#include "nibble/cpu/detect.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace detail {
/// The library's only mutable state: 0 is "not asked yet", else level + 1, or 1 and 2 for no and yes. Shared by all translation units, whatever
/// their flags.
inline constinit std::atomic<int> level_cache{0};
inline constinit std::atomic<int> bfloat16_cache{0};
}  // namespace detail
NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

namespace internal {
inline isa level_from_environment() noexcept {
    const std::uint32_t supported = supported_levels();
    const char* wanted = std::getenv("NIBBLE_ISA");
    if (wanted != nullptr) {
        const std::string_view text(wanted);
        for (const isa level : preference) {
            if (text == name_of(level)) return best_level(supported, level);
        }
    }
    return best_level(supported);  // an unknown name changes nothing
}
}  // namespace internal

/// The level that operations use now. NIBBLE_ISA=<name> in the environment limits it: to that level, or to the nearest ancestor
/// that runs here. Read once, on first use.
NIBBLE_INLINE isa active_isa() noexcept {
    const int cached = detail::level_cache.load(std::memory_order_relaxed);
    if (cached != 0) [[likely]] return static_cast<isa>(cached - 1);
    const isa level = internal::level_from_environment();
    detail::level_cache.store(static_cast<int>(level) + 1, std::memory_order_relaxed);
    return level;
}

/// True if vdpbf16ps can run here, given the avx512 level, of which it is no part: Zen 4 and Cooper Lake have it, Ice Lake does not. Asked once,
/// because CPUID is slow, in a virtual machine above all.
inline bool has_bfloat16_products() noexcept {
    const int cached = detail::bfloat16_cache.load(std::memory_order_relaxed);
    if (cached != 0) [[likely]] return cached == 2;
    const bool has = internal::has_avx512_bf16();
    detail::bfloat16_cache.store(has ? 2 : 1, std::memory_order_relaxed);
    return has;
}

/// True if kernels of `level` can run here.
inline bool is_supported(isa level) noexcept { return (internal::supported_levels() & internal::bit(level)) != 0 && internal::is_permitted(level); }

/// Limits the level of the whole process while it lives: scoped_isa limit{isa::avx2}. For tests and comparisons; scopes nest, and
/// other threads see the limit too. A level that does not run here becomes its nearest ancestor that does.
class scoped_isa {
public:
    /// Sets the limit; the destructor brings the former level back.
    explicit scoped_isa(isa limit) noexcept : before_(active_isa()) {
        const isa level = internal::best_level(internal::supported_levels(), limit);
        detail::level_cache.store(static_cast<int>(level) + 1, std::memory_order_relaxed);
    }
    ~scoped_isa() { detail::level_cache.store(static_cast<int>(before_) + 1, std::memory_order_relaxed); }
    scoped_isa(const scoped_isa&) = delete;
    scoped_isa& operator=(const scoped_isa&) = delete;

private:
    isa before_;
};

NIBBLE_BASELINE_END
