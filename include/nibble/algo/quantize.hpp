// Quantize: floats to packed rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include "nibble/algo/executor.hpp"
#include "nibble/base/float_mode.hpp"
#include "nibble/kernel/dispatch.hpp"
#include "nibble/tensor/packed.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_NAMESPACE_BEGIN

/// What to do with NaN, infinities, and values whose scale fp16 cannot hold.
enum class nonfinite : std::uint8_t {
    error,  ///< fail with errc::nonfinite or errc::out_of_range
    clamp,  ///< NaN becomes 0; infinities and oversized values saturate at the largest magnitude that the format holds; importance with
            ///< which no scale of a row is finite is left out there
};

/// How to quantize. The default is what ggml does, in the calling thread.
struct quantize_options {
    search how = search::reference;  ///< effort that goes into scales and codes
    std::span<const float> importance = {};     ///< one weight a column (finite, not negative), or empty
    nonfinite on_nonfinite = nonfinite::error;  ///< what to do with NaN, infinities and oversized values
    executor threads = {};  ///< who works; by default the calling thread
};

NIBBLE_NAMESPACE_END

NIBBLE_BASELINE_BEGIN

namespace internal {

/// The largest magnitude that a format certainly holds.
template <class F>
NIBBLE_INLINE constexpr float safe_magnitude() noexcept {
    if constexpr (checks_scales<F>) return F::safe_magnitude;
    else return 3.402823466e38f;
}

/// No format with an fp16 scale holds a larger magnitude: its levels are products of codes below 4096. Searches would overflow.
template <class F>
NIBBLE_INLINE constexpr float largest_magnitude() noexcept {
    return safe_magnitude<F>() < 0x1p30f ? 0x1p30f : 3.402823466e38f;
}

/// Formats of single elements, and those whose search has no use for importance.
template <class F>
concept ignores_importance = block_format<F> && (F::block_size == 1 || (searched_format<F> && !weighted_format<F>));

/// True if no scale in these packed rows is NaN or infinite.
template <class F>
inline bool scales_are_finite(const std::byte* packed, std::size_t blocks) noexcept {
    if constexpr (checks_scales<F>) {
        const auto* block = reinterpret_cast<const typename F::block*>(packed);
        for (std::size_t b = 0; b < blocks; ++b) {
            if (!F::finite(block[b])) return false;
        }
    }
    return true;
}

/// Copies a row, NaN to 0 and everything else into +-limit.
inline void clamp_row(const float* from, float* to, std::size_t count, float limit) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, from + i, sizeof bits);
        const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
        if (magnitude > 0x7F800000u) bits = 0;
        else if (magnitude > bit_cast<std::uint32_t>(limit)) bits = (bits & 0x80000000u) | bit_cast<std::uint32_t>(limit);
        std::memcpy(to + i, &bits, sizeof bits);
    }
}

/// What went wrong in a part that starts at element `first`: where() counts from the start of the whole.
inline status shifted(const status& done, std::size_t first) noexcept { return {done.error(), done.message(), done.where() + first}; }

/// Floats of this size and more come from memory, not from a cache.
inline constexpr std::size_t least_from_memory = std::size_t{16} << 20;

/// Quantizes rows of any length in one range: pads what does not fill its last block, and keeps the nonfinite policy.
template <class F>
class row_quantizer {
public:
    /// @param all_rows  of all ranges together
    row_quantizer(std::size_t all_rows, std::size_t cols, const quantize_options& options) noexcept
        : options_(options), cols_(cols), bytes_(row_bytes<F>(cols)), from_memory_(all_rows * cols * sizeof(float) >= least_from_memory) {
        if constexpr (block_format<F>) padded_ = divide_up(cols, F::block_size) * F::block_size;
        else padded_ = cols;
    }

    status run(const float* values, std::size_t rows, std::byte* out) noexcept {
        // Rows in stretches that stay in the cache between the look at their magnitude and their encoding.
        const std::size_t stretch = cols_ >= 4096 ? 1 : 4096 / (cols_ + 1) + 1;
        for (std::size_t r = 0; r < rows; r += stretch) {
            const std::size_t here = rows - r < stretch ? rows - r : stretch;
            if (const status done = encode(values + r * cols_, here, out + r * bytes_); !done) return shifted(done, r * cols_);
        }
        return {};
    }

private:
    status encode(const float* values, std::size_t rows, std::byte* out) noexcept {
        const bool clamp = options_.on_nonfinite == nonfinite::clamp;
        if (blocks_stand_alone()) {
            if (pack_checked(values, rows * cols_, out)) return {};
        } else if (find_kernel<op::magnitude, F>()(values, rows * cols_) <= bit_cast<std::uint32_t>(safe_magnitude<F>())) {
            if (const status done = write(values, rows, out); !done) return done;
            if (options_.importance.empty() || scales_are_finite<F>(out, rows * (padded_ / F::block_size))) return {};
        }
        if (!clamp && find_kernel<op::magnitude, F>()(values, rows * cols_) >= 0x7F800000u) {
            return {errc::nonfinite, {}, detail::first_nonfinite(values)};
        }
        for (std::size_t r = 0; r < rows; ++r, values += cols_, out += bytes_) {
            // Large but finite values often work: the scale decides.
            status done = errc::out_of_range;
            if (find_kernel<op::magnitude, F>()(values, cols_) <= bit_cast<std::uint32_t>(largest_magnitude<F>())) done = write_row(values, out);
            if (done) continue;
            if (done.error() != errc::out_of_range || !clamp) return shifted(done, r * cols_);
            if (const status room = reserve(); !room) return room;
            clamp_row(values, row_.floats(), cols_, safe_magnitude<F>());
            if (done = write_row(row_.floats(), out); !done) return shifted(done, r * cols_);
        }
        return {};
    }

    /// One row whose scales are finite afterwards, or errc::out_of_range. Who clamps gets a row in any case: importance with which the
    /// search overflows is left out.
    status write_row(const float* values, std::byte* out) noexcept {
        const auto attempt = [&]() -> status {
            if (const status done = write(values, 1, out); !done) return done;
            return scales_are_finite<F>(out, padded_ / F::block_size) ? status() : status(errc::out_of_range);
        };
        status done = attempt();
        if (done.error() == errc::out_of_range && options_.on_nonfinite == nonfinite::clamp && !options_.importance.empty()) {
            weighted_ = false;
            done = attempt();
            weighted_ = true;
        }
        return done;
    }

    status write(const float* values, std::size_t rows, std::byte* out) noexcept {
        if (padded_ == cols_) {
            pack(values, rows, out);
            return {};
        }
        if (const status room = reserve(); !room) return room;
        for (std::size_t r = 0; r < rows; ++r) {
            float* row = row_.floats();
            if (values != row) std::memcpy(row, values + r * cols_, cols_ * sizeof(float));
            std::memset(row + cols_, 0, (padded_ - cols_) * sizeof(float));
            pack(row, 1, out + r * bytes_);
        }
        return {};
    }

    /// True if rows are nothing but blocks, each of which depends on its own values alone.
    bool blocks_stand_alone() const noexcept {
        if constexpr (!block_format<F>) return false;
        if constexpr (has_best_search<F>) {
            if (options_.how == search::best) return false;
        }
        return padded_ == cols_ && (options_.importance.empty() || ignores_importance<F>);
    }

    /// Looks at magnitudes and packs. False if the format may not hold one: not all was packed then.
    bool pack_checked(const float* values, std::size_t count, std::byte* out) noexcept {
        if constexpr (block_format<F>) {
            const auto both = find_kernel<op::quantize_checked, F>();
            if (both != nullptr && !from_memory_) return both(values, count, out);
            // In pieces so short that the processor goes on fetching floats while it encodes, with as many blocks as a search takes side by side.
            const std::size_t piece = F::block_size < 32 || both != nullptr ? 1024 : 32 * F::block_size;
            for (std::size_t i = 0; i < count; i += piece) {
                const std::size_t here = count - i < piece ? count - i : piece;
                std::byte* to = out + i / F::block_size * sizeof(typename F::block);
                if (both != nullptr) {
                    read_lines(values + i, here);
                    if (!both(values + i, here, to)) return false;
                    continue;
                }
                if (find_kernel<op::magnitude, F>()(values + i, here) > bit_cast<std::uint32_t>(safe_magnitude<F>())) return false;
                find_kernel<op::quantize, F>()(values + i, 1, here, nullptr, to);
            }
        }
        return true;
    }

    /// Brings floats into the cache, all at once: an encoder has only a few loads under way, between its instructions.
    static void read_lines(const float* values, std::size_t count) noexcept {
        const volatile float* line = values;
        for (std::size_t i = 0; i < count; i += 16) (void)line[i];
    }

    /// Rows that are padded already.
    void pack(const float* values, std::size_t rows, std::byte* out) noexcept {
        if constexpr (has_best_search<F>) {
            if (options_.how == search::best) {
                find_kernel<op::quantize_best, F>()(values, rows, padded_, cols_, importance(), out);
                return;
            }
        }
        find_kernel<op::quantize, F>()(values, rows, padded_, importance(), out);
    }

    /// Memory for one padded row and, behind it, padded importance.
    status reserve() noexcept {
        if (row_.size() != 0) return {};
        auto memory = aligned_buffer::make(2 * padded_ * sizeof(float));
        if (!memory) return memory.status();
        row_ = std::move(*memory);
        if (!options_.importance.empty()) {
            std::memcpy(row_.floats() + padded_, options_.importance.data(), cols_ * sizeof(float));
            std::memset(row_.floats() + padded_ + cols_, 0, (padded_ - cols_) * sizeof(float));
        }
        return {};
    }
    const float* importance() noexcept {
        if (options_.importance.empty() || !weighted_) return nullptr;
        return padded_ == cols_ ? options_.importance.data() : row_.floats() + padded_;
    }

    const quantize_options& options_;
    std::size_t cols_, bytes_, padded_;
    bool from_memory_;
    bool weighted_ = true;  // use the importance, if there is any
    aligned_buffer row_;
};

inline status check_importance(const quantize_options& options, std::size_t cols) noexcept {
    if (options.importance.empty()) return {};
    if (options.importance.size() != cols) return errc::bad_importance;
    if (!detail::is_usable(options.importance.data())) return errc::invalid_argument;
    for (std::size_t i = 0; i < cols; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, options.importance.data() + i, sizeof bits);
        if (bits != 0x80000000u && bits >= 0x7F800000u) return status(errc::bad_importance, {}, i);
    }
    return {};
}

}  // namespace internal

/// Quantizes with one set of options; holds no memory. See quantize() for the errors.
template <any_format F>
class quantizer {
public:
    /// Remembers the options. Importance and executor are referred to, not copied.
    quantizer(quantize_options options = {}) noexcept : options_(options) {}  // NOLINT(google-explicit-constructor)

    /// Allocates the packed tensor: x[rows][cols] to the same shape in format F.
    result<packed_tensor<F>> operator()(dense_view<const float> x) const noexcept {
        if (const status fine = x.check(); !fine) return fine;  // no memory for a shape that is wrong
        auto tensor = packed_tensor<F>::make(x.shape());
        if (!tensor) return tensor.status();
        if (const status done = (*this)(x, tensor->span()); !done) return done;
        return tensor;
    }

    /// Writes into the caller's memory, which must not overlap x. On an error the contents of `out` are unspecified; nothing is
    /// written at all when the arguments do not fit together.
    status operator()(dense_view<const float> x, packed_span<F> out) const noexcept;

private:
    quantize_options options_;
};

// Outside of the class, so that a program's `extern template` of it keeps all kernels out of a translation unit.
template <any_format F>
status quantizer<F>::operator()(dense_view<const float> x, packed_span<F> out) const noexcept {
    if (x.shape() != out.shape()) return errc::shape_mismatch;
    if (const status fine = x.check(); !fine) return fine;
    if (const status fine = out.check(); !fine) return fine;
    if (const status fine = internal::check_importance(options_, x.cols()); !fine) return fine;
    if (x.shape().elements() == 0) return {};
    if (detail::overlaps(x.bytes(), out.bytes())) return errc::overlap;

    std::atomic<bool> failed{false};
    status why;
    const status ran = detail::for_ranges(options_.threads, x.rows(), 1, [&](std::size_t first, std::size_t last) {
        if (failed.load(std::memory_order_relaxed)) return;
        const plain_float_mode mode;
        internal::row_quantizer<F> rows(x.rows(), x.cols(), options_);
        const status done = rows.run(x.data() + first * x.cols(), last - first, out.data() + first * out.stride());
        if (!done && !failed.exchange(true)) why = internal::shifted(done, first * x.cols());
    });
    return why ? ran : why;
}

/// Packs src[rows][cols] into dst.
/// @param src  exactly rows * cols floats
/// @param dst  exactly rows * row_bytes<F>(cols) bytes, at any address, not overlapping src
/// @return errc::size_mismatch, overflow, overlap, invalid_argument (null or unaligned floats), nonfinite, out_of_range, bad_importance,
///         out_of_memory, executor_failed. where() is an element of src: the NaN or infinity, or the first one of the row that is out of range.
template <any_format F>
status quantize(std::span<const float> src, std::span<std::byte> dst, shape s, quantize_options options = {}) noexcept {
    return quantizer<F>(options)(dense_view<const float>(src, s), packed_span<F>(dst, s));
}

/// Packs the floats of `buffer` into the front of the same memory; what lies behind the packed rows is unspecified afterwards.
/// The input is checked before anything is overwritten, so an error leaves the floats as they were, but for errc::executor_failed
/// and errc::out_of_memory.
/// @param buffer exactly rows * cols floats
/// @return a view into `buffer`; errc::invalid_argument if a packed row is longer than a row of floats (a few columns in a large block),
///         and the errors of quantize()
template <any_format F>
result<packed_view<F>> quantize_in_place(std::span<float> buffer, shape s, quantize_options options = {}) noexcept {
    if (const status fine = dense_view<const float>(buffer, s).check(); !fine) return fine;
    if (const auto size = packed_bytes<F>(s); !size) return size.status();
    if (s.elements() == 0) return packed_view<F>(reinterpret_cast<const std::byte*>(buffer.data()), s);
    const std::size_t bytes = row_bytes<F>(s.cols);
    if (bytes > s.cols * sizeof(float)) {
        return status(errc::invalid_argument, "a packed row is longer than its floats: use quantize() with separate memory");
    }
    if (const status fine = internal::check_importance(options, s.cols); !fine) return fine;

    // Stretches of rows go through a buffer, because a packed row may reach into the floats of its own stretch.
    const std::size_t stretch = (std::min<std::size_t>)(s.rows, 16 * options.threads.concurrency() + 65536 / s.cols);
    auto memory = aligned_buffer::make(stretch * bytes);
    if (!memory) return memory.status();
    const quantizer<F> pack(options);
    const auto rows_at = [&](std::size_t r, std::size_t count) {
        return dense_view<const float>(buffer.data() + r * s.cols, nibble::shape{count, s.cols});
    };
    // A dry run where something could fail, so that no float is lost.
    if (options.on_nonfinite == nonfinite::error) {
        for (std::size_t r = 0; r < s.rows; r += stretch) {
            const std::size_t here = (std::min)(stretch, s.rows - r);
            const auto view = rows_at(r, here);
            const std::uint32_t largest = find_kernel<op::magnitude, F>()(view.data(), here * s.cols);
            if (largest <= bit_cast<std::uint32_t>(internal::safe_magnitude<F>())) continue;
            if (const status done = pack(view, packed_span<F>(memory->data(), view.shape())); !done) return internal::shifted(done, r * s.cols);
        }
    }
    auto* out = reinterpret_cast<std::byte*>(buffer.data());
    for (std::size_t r = 0; r < s.rows; r += stretch) {
        const std::size_t here = (std::min)(stretch, s.rows - r);
        if (const status done = pack(rows_at(r, here), packed_span<F>(memory->data(), nibble::shape{here, s.cols})); !done) {
            return internal::shifted(done, r * s.cols);
        }
        std::memcpy(out + r * bytes, memory->data(), here * bytes);
    }
    return packed_view<F>(out, s);
}

NIBBLE_BASELINE_END
