// The largest magnitude at the reference level. Magnitudes of floats order like their bits, NaN above infinity, so integers decide
// and no flag can optimise the NaN away.
#pragma once

#include <Eigen/Core>

#include "nibble/kernel/op.hpp"

NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::magnitude, F, isa::reference> {
    static constexpr op::magnitude::entry entry = [](const float* values, std::size_t count) noexcept -> std::uint32_t {
        constexpr std::size_t step = 64;
        std::int32_t largest = 0;
        for (std::size_t at = 0; at < count; at += step) {
            const std::size_t here = count - at < step ? count - at : step;
            std::int32_t bits[step];
            __builtin_memcpy(bits, values + at, here * sizeof(float));
            for (std::size_t i = 0; i < here; ++i) bits[i] &= 0x7FFFFFFF;
            const std::int32_t most = Eigen::Map<const Eigen::ArrayXi>(bits, static_cast<Eigen::Index>(here)).maxCoeff();
            largest = most > largest ? most : largest;
        }
        return static_cast<std::uint32_t>(largest);
    };
};

NIBBLE_BASELINE_END
