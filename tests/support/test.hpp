// The one header that knows Catch2: 2.13 (Debian 12) or 3.x. Tests include this and nothing of Catch2.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <string>
#include <string_view>

namespace nibble::test {

/// Path of a file below tests/, e.g. data_path("golden/q4_0.safetensors").
inline std::string data_path(std::string_view relative) { return std::string(NIBBLE_TESTS_DIR "/").append(relative); }

/// Says aloud that a check could not be made here; the caller returns. A program whose tests all skip counts as skipped.
void skip(std::string_view reason);

}  // namespace nibble::test
