// The search for a scale alone that improves one code after the other: x is near scale * code, codes -half .. half - 1. Q3_K without
// importance. Source of the steps and constants: ggml's make_q3_quants.
#pragma once

#include "nibble/base/lanes.hpp"
#include "nibble/format/search/symmetric.hpp"

NIBBLE_EXACT_BEGIN
NIBBLE_NAMESPACE_BEGIN

/// A round makes each code in turn the best one beside the others; the search ends with a round that changes none, or after five. In four of
/// five sub-blocks the first changes none, so `start` takes that for N neighbours, and `go_on` another one for those that are left.
template <int Half, lane_count auto N, std::size_t Count>
class scale_descent {
public:
    using floats = f32x<N>;
    static constexpr int rounds = 5;  ///< at most, the first included

    /// @param x  Count values of N sub-blocks, one a lane; their weights are their squares
    NIBBLE_INLINE void start(const float (&x)[Count][N]) noexcept {
        const auto extreme = find_extreme<N>(x);
        empty_ = abs(extreme) < floats::set(1e-15f);
        const auto inverse = floats::set(-static_cast<float>(Half)) / extreme;
        sum_cx_ = sum_cc_ = floats::set(0.0f);
        for (std::size_t i = 0; i < Count; ++i) {
            add_up(x, i, code_of(inverse * floats::load(x[i])));
            sum_cx_ = sum_cx_ + floats::load(cx_[i]);
            sum_cc_ = sum_cc_ + floats::load(cc_[i]);
        }
        changed_ = improve(x) & !empty_;
    }
    /// Takes up a search again, whose codes and sums these are.
    NIBBLE_INLINE void go_on(const float (&x)[Count][N], auto stored_code_at, const floats& sum_cx, const floats& sum_cc) noexcept {
        empty_ = sum_cx != sum_cx;
        sum_cx_ = sum_cx;
        sum_cc_ = sum_cc;
        for (std::size_t i = 0; i < Count; ++i) add_up(x, i, to_float(stored_code_at(i) - i32x<N>::set(Half)));
        changed_ = improve(x);
    }

    /// Where the round changed something, and another one might do so again.
    NIBBLE_INLINE const mask32<N>& changed() const noexcept { return changed_; }
    NIBBLE_INLINE const floats& sum_cx() const noexcept { return sum_cx_; }
    NIBBLE_INLINE const floats& sum_cc() const noexcept { return sum_cc_; }
    /// 0 without a value of at least 1e-15.
    NIBBLE_INLINE floats scale() const noexcept {
        const auto zero = floats::set(0.0f);
        return select(empty_, zero, select(sum_cc_ > zero, sum_cx_ / sum_cc_, zero));
    }
    /// 0 .. 2 * Half - 1; without a value of at least 1e-15 0, which is not the middle code.
    NIBBLE_INLINE i32x<N> code(std::size_t i) const noexcept {
        return select(empty_, i32x<N>::set(0), truncate(floats::load(code_[i])) + i32x<N>::set(Half));
    }

private:
    NIBBLE_INLINE static floats code_of(const floats& v) noexcept { return to_float(clamp(round_even(v), -Half, Half - 1)); }
    NIBBLE_INLINE void add_up(const float (&x)[Count][N], std::size_t i, const floats& code) noexcept {
        const auto v = floats::load(x[i]), w = v * v, wx = w * v;
        w.store(w_[i]);
        wx.store(wx_[i]);
        code.store(code_[i]);
        (wx * code).store(cx_[i]);
        (w * code * code).store(cc_[i]);
    }
    NIBBLE_INLINE mask32<N> improve(const float (&x)[Count][N]) noexcept {
        const auto zero = floats::set(0.0f);
        auto sum_cx = sum_cx_, sum_cc = sum_cc_;
        auto changed = zero != zero;
        for (std::size_t i = 0; i < Count; ++i) {
            const auto old = floats::load(code_[i]), old_cx = floats::load(cx_[i]), old_cc = floats::load(cc_[i]);
            const auto rest_cx = sum_cx - old_cx, rest_cc = sum_cc - old_cc;
            const auto code = code_of(floats::load(x[i]) * rest_cc / rest_cx);
            const auto cx = floats::load(wx_[i]) * code, cc = floats::load(w_[i]) * code * code;
            const auto new_cx = rest_cx + cx, new_cc = rest_cc + cc;
            const auto better = (rest_cx > zero) & (code != old) & (new_cc > zero) & (new_cx * new_cx * sum_cc > sum_cx * sum_cx * new_cc);
            select(better, code, old).store(code_[i]);
            sum_cx = select(better, new_cx, sum_cx);
            sum_cc = select(better, new_cc, sum_cc);
            changed = changed | better;
        }
        sum_cx_ = sum_cx;
        sum_cc_ = sum_cc;
        return changed;
    }

    alignas(64) float code_[Count][N], w_[Count][N], wx_[Count][N], cx_[Count][N], cc_[Count][N];  // cx, cc: what a code adds to the sums
    floats sum_cx_, sum_cc_;
    mask32<N> empty_, changed_;
};

NIBBLE_NAMESPACE_END
NIBBLE_EXACT_END
