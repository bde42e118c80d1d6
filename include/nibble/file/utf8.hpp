// Where text stops being UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nibble/base/config.hpp"

NIBBLE_BASELINE_BEGIN
namespace file {

/// Bytes at the front of a text that are well-formed UTF-8 (Unicode 15, table 3-7): no overlong form, no surrogate, nothing over
/// U+10FFFF, nothing cut.
inline std::size_t utf8_prefix(std::string_view text) noexcept {
    const auto byte = [&](std::size_t at) noexcept { return static_cast<std::uint8_t>(text[at]); };
    std::size_t i = 0;
    while (i < text.size()) {
        const std::uint8_t first = byte(i);
        if (first < 0x80) {
            ++i;
            continue;
        }
        if (first < 0xC2 || first > 0xF4) return i;
        const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        if (text.size() - i < length) return i;
        // Only the second byte has a narrower range, and only after these four.
        const std::uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        const std::uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (byte(i + 1) < low || byte(i + 1) > high) return i;
        for (std::size_t j = 2; j < length; ++j) {
            if ((byte(i + j) & 0xC0u) != 0x80) return i;
        }
        i += length;
    }
    return i;
}

/// The whole text is.
NIBBLE_INLINE bool is_utf8(std::string_view text) noexcept { return utf8_prefix(text) == text.size(); }

}  // namespace file
NIBBLE_BASELINE_END
