// What search::best works on: N blocks, one a lane.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nibble/base/lane_order.hpp"
#include "nibble/format/best/lane_math.hpp"
#include "nibble/format/concepts.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// The values of each block are divided by a power of two that brings the largest into 1 .. 2, and its weights likewise: nothing
/// overflows or vanishes in a search, whatever the data are.
template <lane_count auto N, std::size_t Count>
struct best_input {
    alignas(64) float x[Count][N];
    alignas(64) float w[Count][N];  ///< what a squared error costs: the importance, or 1; 0 for what pads a row
    alignas(64) float unit[N];      ///< the power of two: values are x * unit
    alignas(64) float per_unit[N];  ///< 1 / unit
    const float* values[N];         ///< the blocks themselves

    NIBBLE_INLINE f32x<N> units() const noexcept { return f32x<N>::load(unit); }

    /// @param from     Count values of each lane
    /// @param weights  their weights
    NIBBLE_INLINE void load(const float* const (&from)[N], const float* const (&weights)[N]) noexcept {
        using floats = f32x<N>;
        gather_lanes<N>(from, x);
        gather_lanes<N>(weights, w);
        auto largest = floats::set(0.0f), heaviest = largest;
        for (std::size_t i = 0; i < Count; ++i) {
            largest = greater(largest, abs(floats::load(x[i])));
            heaviest = greater(heaviest, floats::load(w[i]));
        }
        const auto power = detail::power_of_two(detail::between(largest, 0x1p-126f, 0x1p126f));
        const auto per_power = floats::set(1.0f) / power;
        const auto lighten = floats::set(1.0f) / detail::power_of_two(detail::between(heaviest, 0x1p-126f, 0x1p126f));
        power.store(unit);
        per_power.store(per_unit);
        for (std::size_t lane = 0; lane < N; ++lane) values[lane] = from[lane];
        for (std::size_t i = 0; i < Count; ++i) {
            (floats::load(x[i]) * per_power).store(x[i]);
            (floats::load(w[i]) * lighten).store(w[i]);
        }
    }

    /// The codes of elements first .. first + Length - 1 of a lane, as the search saw them: nearest to (x + offset) / scale.
    /// @param scale, offset in units
    /// @param to             bytes or 32-bit integers
    template <class Levels, std::size_t Length>
    NIBBLE_INLINE void codes(std::size_t lane, std::size_t first, float scale, float offset, auto* to) const noexcept {
        const auto inverse = detail::quotient(f32x<1>{1.0f}, f32x<1>{scale}).raw;
        const auto to_unit = f32x<N>::set(per_unit[lane]), to_code = f32x<N>::set(inverse), shift = f32x<N>::set(offset * inverse);
        for (std::size_t i = 0; i < Length; i += N) {
            const auto code = Levels::code(f32x<N>::load(values[lane] + first + i) * to_unit * to_code + shift);
            if constexpr (sizeof(*to) == 1) store_bytes(code, to + i);
            else code.store(to + i);
        }
    }
};

/// A format with a search for its best block. The search may overwrite input.x.
template <class F>
concept has_best_search = block_format<F> && requires(best_input<1, F::block_size>& input, typename F::block* out) {
    F::template search_best<1>(input, out);
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
