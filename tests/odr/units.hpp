// What the three units of the link-order test share: plain data, no code of nibble.
#pragma once

#include <nibble/nibble.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

inline constexpr std::size_t odr_rows = 5;
inline constexpr std::size_t odr_cols = 768;
inline constexpr int odr_formats = 2;

struct odr_input {
    float weights[odr_rows * odr_cols];
    float x[odr_cols];
};

struct odr_output {
    std::byte packed[odr_rows * odr_cols];
    float decoded[odr_rows * odr_cols];
    float y[odr_rows];
};

bool odr_plain(const odr_input& in, odr_output (&out)[odr_formats]);
bool odr_avx2(const odr_input& in, odr_output (&out)[odr_formats]);
bool odr_avx512(const odr_input& in, odr_output (&out)[odr_formats]);

/// Prints; returns false.
bool odr_fail(const char* unit, const char* why);
