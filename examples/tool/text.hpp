// Text for people: names from files made harmless, numbers made short, tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

/// Makes text from a file fit for a terminal and one line: control characters, bytes that are not UTF-8, and characters that reorder or
/// hide text appear as escapes.
std::string escape(std::string_view text);

/// "1.90 MiB"; the exact number below one KiB.
std::string human_bytes(std::uint64_t bytes);

/// With so many digits after the point; "inf" and "-" (for NaN) are possible.
std::string fixed(double value, int digits);
/// Three significant digits, for numbers of any size.
std::string short_number(double value);

/// Rows of cells as aligned columns; the first row is the head. A column is aligned to the right if `right` holds its letter 'r'.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment);

/// Writes to standard output at once; throws failure{cannot_write} if that fails.
void print(std::string_view text);

}  // namespace tool
