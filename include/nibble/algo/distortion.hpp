// How far decoded floats are from the originals.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "nibble/base/bits.hpp"

NIBBLE_NAMESPACE_BEGIN

/// The error of a round trip. All zeros for empty spans. What cannot be compared, NaN or spans of unequal length, gives NaN and a cosine of 0, so
/// that it is no better than any limit.
struct distortion_report {
    double rmse = 0;     ///< sqrt(mean((original - decoded)^2)), in the units of the data
    double sqnr_db = 0;  ///< 10 log10(sum(original^2) / sum(error^2)), in decibels; infinity if nothing was lost
    double cosine = 0;   ///< cosine of the angle between both; 1 is best, also for two zero vectors
    double max_abs = 0;  ///< largest |original - decoded|
};

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

/// Sums that a report is made of. Parts of a tensor can be added one after the other.
class distortion_sums {
public:
    /// Adds the error of some elements; after spans of different length nothing is known any more.
    void add(std::span<const float> original, std::span<const float> decoded) noexcept {
        if (original.size() != decoded.size()) {
            largest_ = 0x7FF8000000000000u;
            error_ = aa_ = bit_cast<double>(largest_);
            ++count_;
            return;
        }
        // Eight sums of their own: exact enough for any length, and quick without special instructions.
        constexpr std::size_t lanes = 8;
        double error[lanes] = {}, aa[lanes] = {}, bb[lanes] = {}, ab[lanes] = {};
        std::uint64_t largest = 0;
        const auto one = [&](std::size_t i, std::size_t lane) {
            const double a = static_cast<double>(original[i]), b = static_cast<double>(decoded[i]), e = a - b;
            error[lane] += e * e;
            aa[lane] += a * a;
            bb[lane] += b * b;
            ab[lane] += a * b;
            // Bits of magnitudes order like their values, and a NaN, above all of them, stays: also under -ffast-math.
            const std::uint64_t magnitude = bit_cast<std::uint64_t>(e) & ~(std::uint64_t{1} << 63);
            if (magnitude > largest) largest = magnitude;
        };
        std::size_t i = 0;
        for (; i + lanes <= original.size(); i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) one(i + lane, lane);
        }
        for (; i < original.size(); ++i) one(i, 0);
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            error_ += error[lane];
            aa_ += aa[lane];
            bb_ += bb[lane];
            ab_ += ab[lane];
        }
        if (largest > largest_) largest_ = largest;
        count_ += original.size();
    }
    /// Adds what another part of the tensor gave.
    void add(const distortion_sums& other) noexcept {
        error_ += other.error_;
        aa_ += other.aa_;
        bb_ += other.bb_;
        ab_ += other.ab_;
        if (other.largest_ > largest_) largest_ = other.largest_;
        count_ += other.count_;
    }
    /// The error of all that was added; zeros if nothing was.
    distortion_report report() const noexcept {
        if (count_ == 0) return {};
        distortion_report r;
        r.rmse = std::sqrt(error_ / static_cast<double>(count_));
        r.sqnr_db = bit_cast<std::uint64_t>(error_) == 0 ? HUGE_VAL : 10.0 * std::log10(aa_ / error_);
        const double norms = std::sqrt(aa_) * std::sqrt(bb_);
        if (largest_ <= 0x7FF0000000000000u) r.cosine = norms > 0 ? ab_ / norms : (aa_ == bb_ ? 1.0 : 0.0);  // no NaN
        r.max_abs = bit_cast<double>(largest_);
        return r;
    }

private:
    double error_ = 0, aa_ = 0, bb_ = 0, ab_ = 0;
    std::uint64_t largest_ = 0;  // bits of the largest magnitude
    std::size_t count_ = 0;
};

/// Compares decoded floats with as many originals, element by element.
inline distortion_report distortion(std::span<const float> original, std::span<const float> decoded) noexcept {
    distortion_sums sums;
    sums.add(original, decoded);
    return sums.report();
}

NIBBLE_BASELINE_END
