// Calibration: which columns of a weight matrix matter, measured on the activations that meet them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "nibble/base/aligned_buffer.hpp"
#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_BASELINE_BEGIN

/// Sums the squares of activations, column by column. An error in column c of a weight matrix reaches the output times x[c], so the mean of
/// x[c]^2 is the weight that the scale search should give to that column: the importance of quantize_options, and what importance files hold.
/// Move-only (one that was moved from has no columns); one object for one matrix, or for several that read the same activations.
class calibration {
public:
    calibration() noexcept = default;

    /// @param cols columns of the weight matrix, the length of an activation row
    /// @return errc::overflow, errc::out_of_memory
    static result<calibration> make(std::size_t cols) noexcept {
        std::size_t bytes = 0;
        if (!checked_multiply(cols, sizeof(float), bytes)) return errc::overflow;
        auto memory = aligned_buffer::make(bytes);
        if (!memory) return memory.status();
        calibration c;
        c.memory_ = std::move(*memory);
        for (std::size_t i = 0; i < cols; ++i) c.memory_.floats()[i] = 0.0f;
        return result<calibration>(std::move(c));
    }

    /// Adds activation rows x[n][cols].
    /// @return errc::shape_mismatch, size_mismatch, overflow, invalid_argument (null); errc::nonfinite if a sum is not a number or infinite
    ///         afterwards, in which case nothing that was measured can be trusted any more
    status add(dense_view<const float> x) noexcept {
        const std::size_t cols = importance().size();
        if (x.cols() != cols) return errc::shape_mismatch;
        if (const status fine = x.check(); !fine) return fine;
        float* sums = memory_.floats();
        // Rows without columns take no memory, so there may be more of them than anybody can count.
        for (std::size_t r = 0; cols != 0 && r < x.rows(); ++r) {
            const float* row = x.data() + r * cols;
            for (std::size_t i = 0; i < cols; ++i) sums[i] += row[i] * row[i];
        }
        rows_ += x.rows();
        for (std::size_t i = 0; i < cols; ++i) {
            if ((bit_cast<std::uint32_t>(sums[i]) & 0x7F800000u) == 0x7F800000u) return {errc::nonfinite, {}, i};
        }
        return {};
    }

    /// One weight a column, for quantize_options::importance and gguf::imatrix_record::sums. Scale does not matter to the search, so these are
    /// the sums; divide by rows() for means. Valid as long as this object.
    std::span<const float> importance() const noexcept {
        return {reinterpret_cast<const float*>(memory_.data()), memory_.size() / sizeof(float)};
    }
    /// Activation rows that were added.
    std::size_t rows() const noexcept { return rows_; }

private:
    aligned_buffer memory_;
    std::size_t rows_ = 0;
};

NIBBLE_BASELINE_END
