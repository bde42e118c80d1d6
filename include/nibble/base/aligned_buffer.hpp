// Memory that kernels like: 64-byte aligned, move-only, and a failed allocation is a value.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Owns `size()` uninitialised bytes, aligned to a cache line.
class aligned_buffer {
public:
    static constexpr std::size_t alignment = 64;  ///< of data(), in bytes: a cache line

    NIBBLE_INLINE aligned_buffer() noexcept = default;
    /// Leaves `other` empty.
    NIBBLE_INLINE aligned_buffer(aligned_buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    /// Frees what this one had and leaves `other` empty.
    NIBBLE_INLINE aligned_buffer& operator=(aligned_buffer&& other) noexcept {
        aligned_buffer taken(std::move(other));
        std::swap(data_, taken.data_);
        std::swap(size_, taken.size_);
        return *this;
    }
    NIBBLE_INLINE ~aligned_buffer() { ::operator delete(data_, std::align_val_t(alignment)); }

    /// @return errc::out_of_memory if there is none; 0 bytes always succeed.
    NIBBLE_INLINE static result<aligned_buffer> make(std::size_t size) noexcept {
        aligned_buffer buffer;
        if (size == 0) return result<aligned_buffer>(std::move(buffer));
        if (size > static_cast<std::size_t>(-1) - alignment) return errc::overflow;
        buffer.data_ = static_cast<std::byte*>(::operator new(size, std::align_val_t(alignment), std::nothrow));
        if (buffer.data_ == nullptr) return errc::out_of_memory;
        buffer.size_ = size;
        prefer_large_pages(buffer.data_, size);
        return result<aligned_buffer>(std::move(buffer));
    }

    /// The bytes; null if there are none.
    NIBBLE_INLINE std::byte* data() noexcept { return data_; }
    /// The bytes; null if there are none.
    NIBBLE_INLINE const std::byte* data() const noexcept { return data_; }
    /// Bytes that were asked for.
    NIBBLE_INLINE std::size_t size() const noexcept { return size_; }
    /// All bytes.
    NIBBLE_INLINE std::span<std::byte> bytes() noexcept { return {data_, size_}; }
    /// All bytes.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    /// The start of the memory as floats.
    NIBBLE_INLINE float* floats() noexcept { return reinterpret_cast<float*>(data_); }

private:
    /// A hint, for what no cache holds: weights in pages of 4 kB are read 1.2 to 1.5 times as slowly, and written for the first time too.
    NIBBLE_INLINE static void prefer_large_pages([[maybe_unused]] std::byte* data, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MADV_HUGEPAGE)
        constexpr std::size_t page = std::size_t{1} << 21;
        const std::size_t skipped = (page - reinterpret_cast<std::uintptr_t>(data) % page) % page;
        if (size < skipped + page) return;
        const int before = errno;
        (void)::madvise(data + skipped, (size - skipped) / page * page, MADV_HUGEPAGE);  // a system without large pages refuses, which is fine
        errno = before;
#endif
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

NIBBLE_NAMESPACE_END
