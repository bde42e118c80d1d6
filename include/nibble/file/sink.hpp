// Where writers send their bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"

NIBBLE_BASELINE_BEGIN
namespace file {

/// Anything that takes bytes in order: `status write(std::span<const std::byte>)`.
template <class S>
concept sink = requires(S& s, std::span<const std::byte> bytes) {
    { s.write(bytes) } -> std::same_as<status>;
};

/// Bytes in memory as a sink.
class memory_sink {
public:
    /// Appends; errc::out_of_memory.
    status write(std::span<const std::byte> bytes) noexcept {
        return bytes_.append(bytes.data(), bytes.size()) ? status() : status(errc::out_of_memory, "no memory for the bytes of the file");
    }
    /// All that was written.
    NIBBLE_INLINE std::span<const std::byte> bytes() const noexcept { return bytes_.view(); }

private:
    growing<std::byte> bytes_;
};

}  // namespace file
NIBBLE_BASELINE_END
