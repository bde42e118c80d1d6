// What names and texts of a file may hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/file/utf8.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

using file::is_utf8;

inline constexpr std::size_t longest_key = 65535;       ///< bytes; the specification's limit
inline constexpr std::size_t longest_tensor_name = 63;  ///< bytes; ggml's limit, the specification says 64
inline constexpr std::uint32_t default_alignment = 32;  ///< bytes, where `general.alignment` is missing
inline constexpr std::string_view alignment_key = "general.alignment";

/// Only printable ASCII without spaces: what a portable key consists of.
inline bool is_plain_text(std::string_view text) noexcept {
    for (const char c : text) {
        if (c <= ' ' || c >= '\x7F') return false;
    }
    return true;
}

}  // namespace gguf
NIBBLE_BASELINE_END
