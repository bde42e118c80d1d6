// Packed tensors in canonical order, the order of files: packed_tensor owns, packed_span may be written, packed_view only read.
// Conversions go that way only.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

#include "nibble/base/aligned_buffer.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Bytes of a packed tensor; errc::overflow if they do not fit in std::size_t.
template <any_format F>
NIBBLE_INLINE result<std::size_t> packed_bytes(shape s) noexcept {
    std::size_t total = 0, elements = 0, floats = 0;
    // The floats of such a tensor must be addressable too: a shape that overflows is refused as soon as it is seen.
    if (!checked_multiply(s.rows, s.cols, elements) || !checked_multiply(elements, sizeof(float), floats)) return errc::overflow;
    if (s.cols > static_cast<std::size_t>(-1) / 2 - 512 || !checked_multiply(s.rows, row_bytes<F>(s.cols), total)) return errc::overflow;
    return total;
}

namespace detail {
/// What packed_span and packed_view share; Byte is std::byte or const std::byte.
template <class F, class Byte>
class packed_rows {
public:
    using format = F;

    NIBBLE_INLINE constexpr packed_rows() noexcept = default;
    /// Unchecked: prefer nibble::view<F>(bytes, shape). `data` holds rows * row_bytes<F>(cols) bytes.
    NIBBLE_INLINE constexpr packed_rows(Byte* data, nibble::shape s) noexcept : data_(data), shape_(s) {}
    /// Remembers the length of the span; calls refuse a view whose length does not fit its shape.
    NIBBLE_INLINE constexpr packed_rows(std::span<Byte> data, nibble::shape s) noexcept : data_(data.data()), shape_(s), size_(data.size()) {}

    NIBBLE_INLINE constexpr Byte* data() const noexcept { return data_; }
    NIBBLE_INLINE constexpr std::size_t rows() const noexcept { return shape_.rows; }
    NIBBLE_INLINE constexpr std::size_t cols() const noexcept { return shape_.cols; }
    NIBBLE_INLINE constexpr nibble::shape shape() const noexcept { return shape_; }
    /// Bytes from one row to the next.
    NIBBLE_INLINE constexpr std::size_t stride() const noexcept { return row_bytes<F>(shape_.cols); }
    NIBBLE_INLINE constexpr std::span<Byte> row(std::size_t i) const noexcept { return {data_ + i * stride(), stride()}; }
    NIBBLE_INLINE constexpr std::span<Byte> bytes() const noexcept { return {data_, shape_.rows * stride()}; }
    /// What calls say about these rows: errc::overflow (the shape does not fit in memory), size_mismatch (the span that they were made of has
    /// another length than the shape asks for), invalid_argument (a null pointer where there should be bytes).
    NIBBLE_INLINE status check() const noexcept {
        const auto size = packed_bytes<F>(shape_);
        if (!size) return size.status();
        if (size_ != unknown && size_ != *size) return errc::size_mismatch;
        return *size == 0 || data_ != nullptr ? status() : status(errc::invalid_argument);
    }
    /// True if check() finds nothing.
    NIBBLE_INLINE bool valid() const noexcept { return static_cast<bool>(check()); }

protected:
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
    Byte* data_ = nullptr;
    nibble::shape shape_{};
    std::size_t size_ = unknown;
};
}  // namespace detail

/// Read-only packed rows; owns nothing. F is any format; rows are contiguous.
template <any_format F>
class packed_view : public detail::packed_rows<F, const std::byte> {
public:
    using detail::packed_rows<F, const std::byte>::packed_rows;
    /// Rows first .. first + count - 1.
    NIBBLE_INLINE constexpr packed_view rows_from(std::size_t first, std::size_t count) const noexcept {
        return {this->data_ + first * this->stride(), nibble::shape{count, this->shape_.cols}};
    }
};

/// Packed rows in somebody's memory that may be written; owns nothing.
template <any_format F>
class packed_span : public detail::packed_rows<F, std::byte> {
public:
    using detail::packed_rows<F, std::byte>::packed_rows;
    /// What may be written may be read.
    NIBBLE_INLINE constexpr operator packed_view<F>() const noexcept {  // NOLINT(google-explicit-constructor)
        return this->size_ == this->unknown ? packed_view<F>(this->data_, this->shape_)
                                            : packed_view<F>(std::span<const std::byte>(this->data_, this->size_), this->shape_);
    }
};

/// Owns packed rows: 64-byte aligned, move-only.
template <any_format F>
class packed_tensor {
public:
    using format = F;  ///< of the rows

    NIBBLE_INLINE packed_tensor() noexcept = default;
    /// Allocates; the bytes are uninitialised. errc::overflow, errc::out_of_memory.
    NIBBLE_INLINE static result<packed_tensor> make(nibble::shape s) noexcept {
        const auto size = packed_bytes<F>(s);
        if (!size) return size.status();
        auto memory = aligned_buffer::make(*size);
        if (!memory) return memory.status();
        packed_tensor tensor;
        tensor.memory_ = std::move(*memory);
        tensor.shape_ = s;
        return result<packed_tensor>(std::move(tensor));
    }

    /// The rows, to be written.
    NIBBLE_INLINE packed_span<F> span() noexcept { return {memory_.data(), shape_}; }
    /// The rows, to be read.
    NIBBLE_INLINE packed_view<F> view() const noexcept { return {memory_.data(), shape_}; }
    /// The same as span().
    NIBBLE_INLINE operator packed_span<F>() noexcept { return span(); }        // NOLINT(google-explicit-constructor)
    /// The same as view().
    NIBBLE_INLINE operator packed_view<F>() const noexcept { return view(); }  // NOLINT(google-explicit-constructor)

    /// The first row, 64-byte aligned.
    NIBBLE_INLINE std::byte* data() noexcept { return memory_.data(); }
    /// The first row, 64-byte aligned.
    NIBBLE_INLINE const std::byte* data() const noexcept { return memory_.data(); }
    /// Rows.
    NIBBLE_INLINE std::size_t rows() const noexcept { return shape_.rows; }
    /// Columns: elements of a row.
    NIBBLE_INLINE std::size_t cols() const noexcept { return shape_.cols; }
    /// Rows and columns.
    NIBBLE_INLINE nibble::shape shape() const noexcept { return shape_; }
    /// The bytes of row i, which must exist.
    NIBBLE_INLINE std::span<const std::byte> row(std::size_t i) const noexcept { return view().row(i); }
    /// All rows.
    NIBBLE_INLINE std::span<std::byte> bytes() noexcept { return memory_.bytes(); }
    /// All rows.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return memory_.bytes(); }

private:
    aligned_buffer memory_;
    nibble::shape shape_{};
};

/// What is no packed_view but gives one: packed_tensor and packed_span. Templates do not convert their arguments, so calls that take a
/// packed_view take these as well.
template <class W>
concept gives_packed_view = std::convertible_to<const W&, packed_view<typename W::format>> && !std::same_as<W, packed_view<typename W::format>>;

/// Bytes as a packed tensor, checked and without a copy; the bytes must outlive the view.
/// @param bytes exactly rows * row_bytes<F>(cols) bytes, at any address
/// @return errc::size_mismatch, errc::overflow or errc::invalid_argument (null pointer)
template <any_format F>
NIBBLE_INLINE result<packed_view<F>> view(std::span<const std::byte> bytes, shape s) noexcept {
    const packed_view<F> rows(bytes, s);
    if (const status fine = rows.check(); !fine) return fine;
    return rows;
}

NIBBLE_NAMESPACE_END
