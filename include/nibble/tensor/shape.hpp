// Shapes and dense views. Floor 2: where the bits live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

NIBBLE_NAMESPACE_BEGIN

/// rows x cols, row-major; blocks run along a row. GGUF's dimensions are the other way round: cols is its first.
struct shape {
    std::size_t rows = 0;  ///< rows: outputs of a product
    std::size_t cols = 0;  ///< columns: elements of a row, inputs of a product

    /// rows * cols; 0 if that does not fit (no view of such a shape can be valid).
    NIBBLE_INLINE constexpr std::size_t elements() const noexcept {
        std::size_t product = 0;
        return checked_multiply(rows, cols, product) ? product : 0;
    }
    /// Same rows and columns.
    NIBBLE_INLINE friend constexpr bool operator==(shape, shape) noexcept = default;
};

namespace detail {
/// A pointer that elements may be read through: neither null nor between two of them.
template <class T>
NIBBLE_INLINE constexpr bool is_usable(const T* data) noexcept {
    if (std::is_constant_evaluated()) return data != nullptr;
    return data != nullptr && reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
}
/// True if two stretches of memory share a byte.
NIBBLE_INLINE bool overlaps(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
    const auto x = reinterpret_cast<std::uintptr_t>(a.data()), y = reinterpret_cast<std::uintptr_t>(b.data());
    return !a.empty() && !b.empty() && x < y + b.size() && y < x + a.size();
}
}  // namespace detail

/// Floats that lie row by row without gaps; T is `float` or `const float`. Owns nothing.
template <class T>
class dense_view {
public:
    NIBBLE_INLINE constexpr dense_view() noexcept = default;
    /// @param data rows * cols elements, which must outlive the view
    NIBBLE_INLINE constexpr dense_view(T* data, nibble::shape s) noexcept : data_(data), shape_(s) {}
    /// Remembers the length of the span; calls refuse a view whose length does not fit its shape.
    NIBBLE_INLINE constexpr dense_view(std::span<T> data, nibble::shape s) noexcept : data_(data.data()), shape_(s), size_(data.size()) {}
    /// A mutable view is also a const one.
    NIBBLE_INLINE constexpr operator dense_view<const T>() const noexcept {  // NOLINT(google-explicit-constructor)
        return size_ == unknown ? dense_view<const T>(data_, shape_) : dense_view<const T>(std::span<const T>(data_, size_), shape_);
    }

    /// Where the data starts; null in an empty view.
    NIBBLE_INLINE constexpr T* data() const noexcept { return data_; }
    /// Rows.
    NIBBLE_INLINE constexpr std::size_t rows() const noexcept { return shape_.rows; }
    /// Columns: elements of a row.
    NIBBLE_INLINE constexpr std::size_t cols() const noexcept { return shape_.cols; }
    /// Rows and columns.
    NIBBLE_INLINE constexpr nibble::shape shape() const noexcept { return shape_; }
    /// Row i, which must exist.
    NIBBLE_INLINE constexpr std::span<T> row(std::size_t i) const noexcept { return {data_ + i * shape_.cols, shape_.cols}; }
    /// All elements, row by row.
    NIBBLE_INLINE constexpr std::span<T> elements() const noexcept { return {data_, shape_.elements()}; }
    /// The same as bytes.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return std::as_bytes(elements()); }

    /// What calls say about this view: errc::overflow (the shape does not fit in memory), size_mismatch (the span that it was made of has
    /// another length than its shape), invalid_argument (it should hold elements, but its pointer is null or not aligned for them).
    NIBBLE_INLINE constexpr status check() const noexcept {
        std::size_t count = 0, size = 0;
        if (!checked_multiply(shape_.rows, shape_.cols, count) || !checked_multiply(count, sizeof(T), size)) return errc::overflow;
        if (size_ != unknown && size_ != count) return errc::size_mismatch;
        return count == 0 || detail::is_usable(data_) ? status() : status(errc::invalid_argument);
    }
    /// True if check() finds nothing.
    NIBBLE_INLINE constexpr bool valid() const noexcept { return static_cast<bool>(check()); }

private:
    static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
    T* data_ = nullptr;
    nibble::shape shape_{};
    std::size_t size_ = unknown;
};

template <class T>
dense_view(T*, shape) -> dense_view<T>;
template <class T, std::size_t Extent>
dense_view(std::span<T, Extent>, shape) -> dense_view<T>;

NIBBLE_NAMESPACE_END
