// The rules of the house as functions: the text of a header in, findings out. rules_test.cpp shows that each of them can find
// something, and then applies them to include/nibble.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

struct header {
    std::string path;  ///< relative to include/nibble, e.g. "format/q4_0.hpp"
    std::string text;
};

using findings = std::vector<std::string>;

inline void report(findings& found, const header& h, std::size_t line, const std::string& what) {
    found.push_back("include/nibble/" + h.path + ":" + std::to_string(line) + ": " + what);
}

inline std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines(1);
    for (char c : text) {
        if (c == '\n') lines.emplace_back();
        else lines.back() += c;
    }
    if (lines.back().empty()) lines.pop_back();
    return lines;
}

/// The text with its comments blanked, and on request also what stands between quotes. Line numbers stay.
inline std::string code_of(std::string_view text, bool keep_strings) {
    enum { code, line_comment, block_comment, string, character } state = code;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        switch (state) {
            case code:
                if (c == '/' && next == '/') state = line_comment;
                else if (c == '/' && next == '*') state = block_comment, ++i;
                else if (c == '"') state = string;
                else if (c == '\'' && (i == 0 || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0)) state = character;
                out += state == code || state == string ? c : ' ';
                if (state == block_comment) out += ' ';
                break;
            case line_comment:
                if (c == '\n') state = code;
                out += c == '\n' ? c : ' ';
                break;
            case block_comment:
                if (c == '*' && next == '/') state = code, ++i, out += ' ';
                out += c == '\n' ? c : ' ';
                break;
            case string:
            case character: {
                const char quote = state == string ? '"' : '\'';
                if (c == '\\' && next != '\0') {
                    out += keep_strings ? std::string{c, next} : "  ";
                    ++i;
                    break;
                }
                if (c == quote || c == '\n') state = code;
                out += keep_strings || c == '\n' || (c == '"' && quote == '"') ? c : ' ';
                break;
            }
        }
    }
    return out;
}

/// Top folder of a header; version.hpp and fwd.hpp belong to base/, other files at the top stand alone.
inline std::string folder_of(std::string_view path) {
    if (path == "version.hpp" || path == "fwd.hpp") return "base";
    return std::string(path.substr(0, path.find('/')));
}

/// Floor of a folder, or -1 if the house has no such room.
inline int floor_of(const std::string& folder) {
    static const std::map<std::string, int> floors = {
        {"base", 0}, {"format", 1}, {"tensor", 2}, {"cpu", 2},         {"file", 2},      {"kernel", 3},
        {"algo", 4}, {"gguf", 5},   {"safetensors", 5},  {"eigen.hpp", 5}, {"nibble.hpp", 5},
    };
    const auto found = floors.find(folder);
    return found == floors.end() ? -1 : found->second;
}

/// A header includes lower floors and its own folder; Eigen from floor 3; nothing heavy below the files.
inline findings floors(const header& h) {
    static const std::regex include(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"])re");
    static const std::array heavy = {"iostream", "filesystem", "functional", "regex", "ranges", "execution"};
    findings found;
    const std::string folder = folder_of(h.path);
    const int floor = floor_of(folder);
    if (floor < 0) report(found, h, 1, "no floor is known for " + folder + ": add it to floor_of in tests/structure/rules.hpp");
    const auto lines = lines_of(code_of(h.text, true));
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::smatch match;
        if (!std::regex_search(lines[i], match, include)) continue;
        const std::string name = match[2];
        if (name.rfind("nibble/", 0) == 0) {
            const std::string other = folder_of(name.substr(7));
            if (other != folder && floor_of(other) >= floor)
                report(found, h, i + 1, folder + " must not include " + name + ": not a lower floor");
        } else if (match[1] == "\"") {
            report(found, h, i + 1, "write the path of our own headers from nibble/ on: " + name);
        } else if (name.rfind("Eigen/", 0) == 0 || name.rfind("unsupported/Eigen/", 0) == 0) {
            if (floor <= 2) report(found, h, i + 1, "floors 0 to 2 do not include Eigen");
        } else if (std::find(heavy.begin(), heavy.end(), name) != heavy.end() && (floor <= 4 || folder == "nibble.hpp")) {
            report(found, h, i + 1, "floors 0 to 4 do not include <" + name + ">: everybody would pay for it");
        }
    }
    return found;
}

/// Target regions hold kernels and nothing that changes meaning inside one.
inline findings regions(const header& h) {
    if (h.path == "base/target.hpp") return {};
    static const std::regex begin(R"(^\s*NIBBLE_TARGET_BEGIN)");
    static const std::regex end(R"(^\s*NIBBLE_TARGET_END)");
    static const std::regex include(R"(^\s*#\s*include)");
    static const std::regex feature(R"(\b__(SSE|SSSE|AVX|FMA|F16C|BMI|AMX|ARM_FEATURE)\w*)");
    static const std::regex algorithm(
        R"(\bstd::(ranges::\w+|min|max|minmax|clamp|sort|stable_sort|partial_sort|nth_element|copy|copy_n|copy_if|move_backward|fill|fill_n|generate|transform|accumulate|reduce|inner_product|iota|find|find_if|count|count_if|any_of|all_of|none_of|for_each|swap|swap_ranges|reverse|rotate|lower_bound|upper_bound|min_element|max_element|equal|abs|fabs|round|nearbyint|lround|sqrt)\s*\)?\s*[(<])");
    static const std::regex vector_constant(
        R"(^(inline |static |constexpr |const |constinit )*(__m(128|256|512)[di]?|u?int\d+x\d+_t|float\d+x\d+_t)\s+\w+\s*[={;\[])");
    static const std::regex pragma(
        R"((#\s*pragma|_Pragma\s*\().*(GCC\s+(target|push_options|pop_options|optimize)|clang\s+attribute|clang\s+fp|float_control|STDC\s+FP_CONTRACT|NIBBLE_PRAGMA))");
    findings found;
    std::size_t open = 0;
    const auto lines = lines_of(code_of(h.text, false));
    const auto lines_with_strings = lines_of(code_of(h.text, true));
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string& line = lines[i];
        if (std::regex_search(lines_with_strings[i], pragma)) {
            report(found, h, i + 1, "pragmas for targets and floating point stand in base/target.hpp only");
        }
        if (std::regex_search(line, vector_constant))
            report(found, h, i + 1, "a vector at namespace scope is set up before the CPU is known");
        if (std::regex_search(line, begin)) {
            if (open != 0) report(found, h, i + 1, "a target region inside the one of line " + std::to_string(open));
            open = i + 1;
            continue;
        }
        if (std::regex_search(line, end)) {
            if (open == 0) report(found, h, i + 1, "NIBBLE_TARGET_END without a region");
            open = 0;
            continue;
        }
        if (open == 0) continue;
        if (std::regex_search(line, include))
            report(found, h, i + 1, "#include inside a target region: std templates would carry its instructions");
        std::smatch match;
        if (std::regex_search(line, match, feature))
            report(found, h, i + 1, match.str() + " inside a target region does not mean what it says");
        if (std::regex_search(line, match, algorithm)) {
            report(found, h, i + 1, match.str() + "...) inside a target region stays baseline code: write the loop or use a builtin");
        }
    }
    if (open != 0) report(found, h, open, "a target region without NIBBLE_TARGET_END");
    return found;
}

/// Errors are values: headers neither print nor end the program nor throw.
inline findings manners(const header& h) {
    static const std::regex rude(
        R"((^|[^\w])(abort|exit|_exit|_Exit|quick_exit|terminate|assert|printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|cout|cerr|clog|throw)\b)");
    findings found;
    const auto lines = lines_of(code_of(h.text, false));
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::smatch match;
        if (std::regex_search(lines[i], match, rude)) report(found, h, i + 1, "`" + match.str(2) + "` in a header: errors are values");
    }
    return found;
}

/// What stays out of line is NIBBLE_NOINLINE, which also keeps GCC 12 from dropping the call (base/config.hpp).
inline findings calls_that_stay(const header& h) {
    static const std::regex own(R"(\bnoinline\b)");
    findings found;
    if (h.path == "base/config.hpp") return found;
    const auto lines = lines_of(code_of(h.text, false));
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (std::regex_search(lines[i], own)) report(found, h, i + 1, "`noinline`: NIBBLE_NOINLINE says it in a way that GCC 12 does not get wrong");
    }
    return found;
}

inline constexpr std::size_t long_file = 400;
inline constexpr std::size_t too_long_file = 450;

/// A file holds one idea.
inline findings lengths(const header& h, std::size_t limit) {
    findings found;
    const std::size_t count = lines_of(h.text).size();
    if (count > limit) report(found, h, count, std::to_string(count) + " lines: does it hold one idea?");
    return found;
}

/// .clang-format has the same number.
inline constexpr std::size_t wide_line = 150;

/// Lines that no window shows as a whole.
inline findings widths(const header& h, std::size_t limit) {
    findings found;
    const auto lines = lines_of(h.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].size() > limit) report(found, h, i + 1, std::to_string(lines[i].size()) + " characters: break the line");
    }
    return found;
}

/// Names of the formats: the X(...) lines of format/list.hpp.
inline std::vector<std::string> format_names(const std::string& list) {
    static const std::regex entry(R"(\bX\((\w+)\))");
    std::vector<std::string> names;
    const std::string code = code_of(list, true);
    for (std::sregex_iterator i(code.begin(), code.end(), entry), end; i != end; ++i) names.push_back((*i)[1]);
    return names;
}

/// A file that may name a format although it is neither the format's own nor a list of all.
struct exception {
    std::string path;    ///< a header, or a folder with a slash at its end
    std::string format;  ///< "" for all of them
    std::string reason;
};

/// A format is named in its own file (the one in format/ that defines its struct), in list.hpp and in fwd.hpp. Other formats may name
/// it as their companion.
inline findings format_words(const header& h, const std::vector<std::string>& names, const std::vector<exception>& exceptions) {
    if (h.path == "format/list.hpp" || h.path == "fwd.hpp") return {};
    findings found;
    const bool is_format = h.path.rfind("format/", 0) == 0;
    const std::string code = code_of(h.text, true);
    const auto lines = lines_of(code);
    for (const auto& name : names) {
        if (is_format && std::regex_search(code, std::regex("\\bstruct\\s+" + name + "\\b"))) continue;
        const bool excepted = std::any_of(exceptions.begin(), exceptions.end(), [&](const exception& e) {
            const bool matches = !e.path.empty() && e.path.back() == '/' ? h.path.rfind(e.path, 0) == 0 : h.path == e.path;
            return matches && (e.format.empty() || e.format == name);
        });
        if (excepted) continue;
        const std::regex word("\\b" + name + "\\b");
        const std::regex companion("using\\s+companion\\s*=\\s*(\\w+::)*" + name + "\\s*;|^\\s*#\\s*include\\b");
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (!std::regex_search(lines[i], word) || (is_format && std::regex_search(lines[i], companion))) continue;
            report(found, h, i + 1, "names the format " + name + ": a format lives in its own file and one line of format/list.hpp");
        }
    }
    return found;
}

}  // namespace rules
