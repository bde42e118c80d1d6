// The largest magnitude at the reference level. Magnitudes of floats order like their bits, NaN above infinity, so integers decide
// and no flag can optimise the NaN away.
#pragma once

#include "nibble/kernel/op.hpp"

NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::magnitude, F, isa::reference> {
    static constexpr op::magnitude::entry entry = [](const float* values, std::size_t count) noexcept -> std::uint32_t {
        // Not Eigen's maxCoeff: it leaves an out-of-line reduction behind that the linker merges across flags.
        std::uint32_t largest = 0;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint32_t bits;
            __builtin_memcpy(&bits, values + i, sizeof bits);
            bits &= 0x7FFFFFFFu;
            largest = bits > largest ? bits : largest;
        }
        return largest;
    };
};

NIBBLE_BASELINE_END
