// The first bytes of a file, and what it probably is if it is no GGUF.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// Success if the bytes start like a GGUF file and its fixed header (24 bytes) is there; errc::truncated or errc::bad_magic otherwise.
/// The message names the usual mix-ups.
inline status check_signature(std::span<const std::byte> file) noexcept {
    constexpr std::size_t fixed_header = 24;
    if (file.empty()) return {errc::truncated, "the file is empty: fetch or write it again"};
    const auto starts = [&](std::string_view with, std::size_t at = 0) noexcept {
        if (file.size() < at + with.size()) return false;
        return std::string_view(reinterpret_cast<const char*>(file.data()) + at, with.size()) == with;
    };
    if (starts("GGUF")) {
        if (file.size() >= fixed_header) return {};
        return {errc::truncated, "the file ends within its first 24 bytes: it is truncated", file.size()};
    }
    if (starts("version https://git-lfs")) {
        return {errc::bad_magic, "a Git LFS pointer instead of the file: run `git lfs pull`, or download the file itself"};
    }
    if (starts("<")) return {errc::bad_magic, "a web page instead of a GGUF file: the download failed"};
    if (starts("{\"", 8)) return {errc::bad_magic, "a safetensors file, not GGUF: convert it first (convert_hf_to_gguf.py of llama.cpp)"};
    if (starts("{") || starts("[")) return {errc::bad_magic, "a JSON text, not a GGUF file"};
    if (starts("PK\x03\x04"))
        return {errc::bad_magic, "a zip archive (a PyTorch checkpoint is one), not GGUF: convert it first (convert_hf_to_gguf.py of llama.cpp)"};
    if (starts("tjgg") || starts("fmgg") || starts("lmgg")) {
        return {errc::bad_magic, "a model in one of GGUF's predecessors: convert it with a llama.cpp of 2023"};
    }
    if (file.size() < 4) return {errc::truncated, "the file ends within its first 24 bytes: it is truncated", file.size()};
    return {errc::bad_magic, "not a GGUF file: it does not start with the bytes 47 47 55 46"};
}

}  // namespace gguf
NIBBLE_BASELINE_END
