#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nibble/gguf/text.hpp>

#include "failure.hpp"

namespace tool {

namespace {

std::string format(const char* pattern, int digits, double value) {
    char buffer[400];
    std::snprintf(buffer, sizeof buffer, pattern, digits, value);
    return buffer;
}

/// The code point of a well-formed UTF-8 sequence.
std::uint32_t code_point(std::string_view sequence) {
    const auto first = static_cast<std::uint8_t>(sequence[0]);
    std::uint32_t code = sequence.size() == 1 ? first : first & (0x7Fu >> sequence.size());
    for (const char c : sequence.substr(1)) code = code << 6 | (static_cast<std::uint8_t>(c) & 0x3Fu);
    return code;
}

/// Controls, and format characters that change how the text around them looks.
bool is_invisible(std::uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x61C || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
           (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE007F);
}

}  // namespace

std::string escape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t length = 1;
        while (length <= 4 && i + length <= text.size() && !nibble::gguf::is_utf8(text.substr(i, length))) ++length;
        const bool valid = length <= 4 && i + length <= text.size();
        const std::string_view sequence = text.substr(i, valid ? length : 1);
        i += sequence.size();
        char code[16];
        if (!valid) std::snprintf(code, sizeof code, "\\x%02X", static_cast<unsigned>(static_cast<std::uint8_t>(sequence[0])));
        else if (sequence == "\\") std::snprintf(code, sizeof code, "\\\\");
        else if (sequence == "\n") std::snprintf(code, sizeof code, "\\n");
        else if (sequence == "\t") std::snprintf(code, sizeof code, "\\t");
        else if (is_invisible(code_point(sequence))) std::snprintf(code, sizeof code, "\\u{%X}", code_point(sequence));
        else {
            out += sequence;
            continue;
        }
        out += code;
    }
    return out;
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1000 && unit + 1 < std::size(units); ++unit) value /= 1024;
    return fixed(value, 2) + ' ' + units[unit];
}

std::string fixed(double value, int digits) {
    if (std::isnan(value)) return "-";
    return format("%.*f", digits, value);
}

std::string short_number(double value) {
    if (std::isnan(value)) return "-";
    return format("%.*g", 3, value);
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment) {
    // Columns are counted in code points, which is right for the names that models use.
    const auto width = [](const std::string& s) {
        return static_cast<std::size_t>(
            std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0u) != 0x80; }));
    };
    std::vector<std::size_t> widths(alignment.size());
    for (const auto& row : rows) {
        for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string padding(widths[c] - width(row[c]), ' ');
            if (c != 0) line += "  ";
            line += alignment[c] == 'r' ? padding + row[c] : row[c] + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out;
}

void print(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (written && std::fflush(stdout) == 0) return;
    throw failure{cannot_write, std::string("standard output: ") + std::strerror(errno)};
}

}  // namespace tool
