// Bytes for tests of readers: numbers as files store them, spans, and copies that a sanitizer guards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace support {

/// Bytes as a string: easy to compare, to cut and to patch.
using bytes = std::string;

template <class T>
bytes number(T value) {
    bytes out(sizeof(T), '\0');
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(bits >> (8 * i));
    return out;
}

/// A copy on the heap without a spare byte, so that a sanitizer sees every read behind its end.
class exact_copy {
public:
    explicit exact_copy(std::string_view from) : data_(new std::byte[from.size()]), size_(from.size()) {
        if (size_ != 0) std::memcpy(data_.get(), from.data(), size_);
    }
    std::span<const std::byte> span() const { return {data_.get(), size_}; }

private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_;
};

inline std::string_view chars(std::span<const std::byte> from) { return {reinterpret_cast<const char*>(from.data()), from.size()}; }
inline std::span<const std::byte> as_span(std::string_view from) { return {reinterpret_cast<const std::byte*>(from.data()), from.size()}; }

}  // namespace support
