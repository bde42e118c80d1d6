// An array that grows and says so when it cannot: std::vector ends the program without exceptions when memory runs out.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"

NIBBLE_BASELINE_BEGIN
namespace file {

/// A move-only array of plain values. Every growth may fail, and then returns false and changes nothing.
template <class T>
class growing {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    NIBBLE_INLINE growing() noexcept = default;
    NIBBLE_INLINE growing(growing&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), capacity_(std::exchange(other.capacity_, 0)) {}
    NIBBLE_INLINE growing& operator=(growing&& other) noexcept {
        growing taken(std::move(other));
        std::swap(data_, taken.data_);
        std::swap(size_, taken.size_);
        std::swap(capacity_, taken.capacity_);
        return *this;
    }
    NIBBLE_INLINE ~growing() { ::operator delete(data_); }

    NIBBLE_INLINE std::size_t size() const noexcept { return size_; }
    NIBBLE_INLINE bool empty() const noexcept { return size_ == 0; }
    NIBBLE_INLINE T* data() noexcept { return data_; }
    NIBBLE_INLINE const T* data() const noexcept { return data_; }
    NIBBLE_INLINE T& operator[](std::size_t i) noexcept { return data_[i]; }
    NIBBLE_INLINE const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    NIBBLE_INLINE std::span<const T> view() const noexcept { return {data_, size_}; }

    /// Room for `capacity` elements in all.
    bool reserve(std::size_t capacity) noexcept {
        if (capacity <= capacity_) return true;
        std::size_t bytes = 0;
        if (!checked_multiply(capacity, sizeof(T), bytes)) return false;
        auto* moved = static_cast<T*>(::operator new(bytes, std::nothrow));
        if (moved == nullptr) return false;
        if (size_ != 0) std::memcpy(static_cast<void*>(moved), data_, size_ * sizeof(T));
        ::operator delete(data_);
        data_ = moved;
        capacity_ = capacity;
        return true;
    }
    /// Appends `count` elements, which must not lie in this array.
    bool append(const T* values, std::size_t count) noexcept {
        std::size_t wanted = 0;
        if (!checked_add(size_, count, wanted)) return false;
        if (wanted > capacity_ && !reserve(wanted > 2 * capacity_ ? wanted : 2 * capacity_)) return false;
        if (count != 0) std::memcpy(static_cast<void*>(data_ + size_), values, count * sizeof(T));
        size_ = wanted;
        return true;
    }
    NIBBLE_INLINE bool push(T value) noexcept { return append(&value, 1); }
    /// `count` copies of `value` and nothing else.
    bool assign(std::size_t count, T value) noexcept {
        if (!reserve(count)) return false;
        for (std::size_t i = 0; i < count; ++i) data_[i] = value;
        size_ = count;
        return true;
    }
    /// Forgets everything after the first `size` elements.
    NIBBLE_INLINE void shrink(std::size_t size) noexcept { size_ = size < size_ ? size : size_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace file
NIBBLE_BASELINE_END
