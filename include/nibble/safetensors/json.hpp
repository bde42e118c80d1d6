// Strict JSON (RFC 8259) from front to back, without a tree: the caller asks for what the file format allows at this place, and
// everything else is an error with its position. No recursion, so nesting costs no stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/file/growing.hpp"
#include "nibble/file/utf8.hpp"

NIBBLE_BASELINE_BEGIN
namespace safetensors {

using file::growing;

/// A place in a JSON text.
class json_cursor {
public:
    /// Values that skip_value() may stand inside of, one in the other.
    static constexpr std::size_t deepest = 16;

    /// @param text      UTF-8 (check_utf8 says whether it is); must outlive what string() returns
    /// @param unescaped holds strings that had escapes; must outlive them too, and belong to this cursor alone
    /// @param where     byte offset of the text in its file, for error messages
    NIBBLE_INLINE json_cursor(std::string_view text, growing<char>& unescaped, std::uint64_t where = 0) noexcept
        : text_(text), unescaped_(unescaped), where_(where) {}

    /// errc::bad_utf8 at the first byte that is wrong.
    status check_utf8() const noexcept {
        const std::size_t good = file::utf8_prefix(text_);
        return good == text_.size() ? status() : status(errc::bad_utf8, "the JSON text is not UTF-8: the file is damaged", where_ + good);
    }

    /// Position in the file.
    NIBBLE_INLINE std::uint64_t where() const noexcept { return where_ + at_; }
    /// errc::bad_json here.
    NIBBLE_INLINE status error(std::string_view message) const noexcept { return {errc::bad_json, message, where()}; }

    /// Steps over white space and then over `c`, if it is there.
    bool take(char c) noexcept {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    /// Steps over white space and then over `c`, which must be there.
    status expect(char c, std::string_view message) noexcept { return take(c) ? status() : error(message); }

    /// Steps over one member of an object or element of an array and what separates it from the next: `more` says whether there is one.
    /// Call it first after the opening bracket with `first` set. @param close the closing bracket
    status next(char close, bool first, bool& more) noexcept {
        if (take(close)) {
            more = false;
            return {};
        }
        more = true;
        if (!first) {
            if (!take(',')) return error(close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
            skip_space();
            if (at_ < text_.size() && text_[at_] == close) return error("a comma without a value behind it");
        }
        return {};
    }

    /// A key and the colon behind it.
    status key(std::string_view& name) noexcept {
        if (const status s = string(name); !s) return s;
        return expect(':', "expected ':' after a key");
    }

    /// A string, its escapes resolved.
    status string(std::string_view& value) noexcept {
        if (!take('"')) return error("expected a string");
        const std::size_t start = at_;
        while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\') {
            if (static_cast<unsigned char>(text_[at_]) < 0x20) return error("a control character in a string");
            ++at_;
        }
        if (at_ == text_.size()) return error("a string without an end");
        if (text_[at_] == '"') {
            value = text_.substr(start, at_++ - start);
            return {};
        }
        return unescape(start, value);
    }

    /// A plain integer from 0 to 2^64 - 1: no sign, point, exponent or leading zero. Never goes through a float.
    status integer(std::uint64_t& value) noexcept {
        skip_space();
        const std::size_t start = at_;
        value = 0;
        while (at_ < text_.size() && is_digit(text_[at_])) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (~std::uint64_t{0} - digit) / 10) return error("a number over 2^64 - 1");
            value = 10 * value + digit;
            ++at_;
        }
        if (at_ == start) return error("expected a number without sign, point or exponent");
        if (text_[start] == '0' && at_ - start > 1) return error("a number with a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
            return error("expected a number without sign, point or exponent");
        }
        return {};
    }

    /// Steps over any value. @return errc::bad_json, errc::unsupported_nesting
    status skip_value() noexcept {
        bool in_object[deepest] = {};
        std::size_t depth = 0;
        bool opened = false;  // the last token was an opening bracket
        for (;;) {
            if (depth != 0) {
                bool more = false;
                if (const status s = next(in_object[depth - 1] ? '}' : ']', opened, more); !s) return s;
                opened = false;
                if (!more) {
                    if (--depth == 0) return {};
                    continue;
                }
                std::string_view ignored;
                if (in_object[depth - 1]) {
                    if (const status s = key(ignored); !s) return s;
                }
            }
            const bool object = take('{');
            if (object || take('[')) {
                if (depth == deepest) return {errc::unsupported_nesting, "JSON nested more than 16 deep", where()};
                in_object[depth++] = object;
                opened = true;
                continue;
            }
            if (const status s = skip_scalar(); !s) return s;
            if (depth == 0) return {};
        }
    }

    /// Nothing but spaces may follow. @param white_space tabs and line ends too
    status end(bool white_space) noexcept {
        if (white_space) skip_space();
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
        return at_ == text_.size() ? status() : error("something follows the end of the JSON text");
    }

private:
    NIBBLE_INLINE static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    void skip_space() noexcept {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
    }

    status skip_scalar() noexcept {
        if (at_ < text_.size() && text_[at_] == '"') {
            std::string_view ignored;
            return string(ignored);
        }
        for (const std::string_view word : {"true", "false", "null"}) {
            if (text_.substr(at_, word.size()) == word) {
                at_ += word.size();
                return {};
            }
        }
        if (at_ < text_.size() && text_[at_] == '-') ++at_;
        if (at_ < text_.size() && text_[at_] == '0') ++at_;
        else if (!skip_digits()) return error("expected a value");
        if (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            if (!skip_digits()) return error("a point without digits behind it");
        }
        if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
            ++at_;
            if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
            if (!skip_digits()) return error("an exponent without digits");
        }
        return {};
    }
    bool skip_digits() noexcept {
        const std::size_t start = at_;
        while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
        return at_ != start;
    }

    /// The rest of a string from its first escape on; `start` is where the string starts.
    status unescape(std::size_t start, std::string_view& value) noexcept {
        // All strings together are never longer than the text, so the memory never moves.
        if (!unescaped_.reserve(text_.size())) return {errc::out_of_memory, "no memory for the names of the file", where()};
        const std::size_t begin = unescaped_.size();
        unescaped_.append(text_.data() + start, at_ - start);
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                value = {unescaped_.data() + begin, unescaped_.size() - begin};
                return {};
            }
            if (static_cast<unsigned char>(c) < 0x20) return error("a control character in a string");
            if (c != '\\') {
                unescaped_.push(c);
                ++at_;
                continue;
            }
            if (const status s = escape(); !s) return s;
        }
        return error("a string without an end");
    }

    status escape() noexcept {
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (++at_ == text_.size()) return error("a string without an end");
        const char letter = text_[at_];
        if (const std::size_t known = letters.find(letter); known != std::string_view::npos) {
            unescaped_.push(meanings[known]);
            ++at_;
            return {};
        }
        std::uint32_t code = 0, low = 0;
        if (letter != 'u') return error("an unknown escape in a string");
        if (!code_unit(code)) return error("an escape \\u without four hexadecimal digits");
        if (code >= 0xD800 && code < 0xE000) {
            const bool paired = code < 0xDC00 && text_.substr(at_, 2) == "\\u" && (++at_, code_unit(low)) && low >= 0xDC00 && low < 0xE000;
            if (!paired) return error("half of a surrogate pair");
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        push_utf8(code);
        return {};
    }
    /// The four digits behind the letter u.
    bool code_unit(std::uint32_t& code) noexcept {
        if (text_.size() - at_ < 5) return false;
        code = 0;
        for (std::size_t i = 1; i <= 4; ++i) {
            const char c = text_[at_ + i];
            const int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
            if (digit < 0) return false;
            code = 16 * code + static_cast<std::uint32_t>(digit);
        }
        at_ += 5;
        return true;
    }
    void push_utf8(std::uint32_t code) noexcept {
        const auto push = [&](std::uint32_t byte) noexcept { unescaped_.push(static_cast<char>(static_cast<unsigned char>(byte))); };
        if (code < 0x80) {
            push(code);
            return;
        }
        if (code < 0x800) {
            push(0xC0 | (code >> 6));
        } else {
            if (code < 0x10000) {
                push(0xE0 | (code >> 12));
            } else {
                push(0xF0 | (code >> 18));
                push(0x80 | ((code >> 12) & 0x3F));
            }
            push(0x80 | ((code >> 6) & 0x3F));
        }
        push(0x80 | (code & 0x3F));
    }

    std::string_view text_;
    growing<char>& unescaped_;
    std::uint64_t where_;
    std::size_t at_ = 0;
};

}  // namespace safetensors
NIBBLE_BASELINE_END
