// Errors are values. Nothing here throws, prints, allocates or aborts.
#pragma once

#include <cstdint>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

/// What went wrong. The names are stable; a program may switch on them.
enum class errc : std::uint8_t {
    ok = 0,  ///< nothing went wrong
    // calls
    invalid_argument,  ///< null pointer with a size, floats at an odd address, a call out of turn
    size_mismatch,     ///< a span is not as long as the shape says
    shape_mismatch,    ///< two shapes that must agree do not
    overflow,          ///< rows * cols or a byte count does not fit in std::size_t
    overlap,           ///< source and destination share memory in a way that the call does not support
    nonfinite,         ///< a NaN or an infinity in the input, and the policy is nonfinite::error
    out_of_range,      ///< finite input whose scale fp16 cannot hold, and the policy is nonfinite::error
    bad_importance,    ///< importance of the wrong length, negative, NaN or infinite
    out_of_memory,     ///< an allocation failed
    unsupported_type,  ///< a format id that this build does not know, or one that cannot do what was asked
    executor_failed,   ///< the executor threw an exception, or did not run every piece exactly once
    // files
    truncated,            ///< the file ends before the data that it announces
    bad_magic,            ///< not a file of this kind
    unsupported_version,  ///< a version that this reader does not know
    endianness_mismatch,  ///< written on a machine of the other byte order
    count_too_large,      ///< more entries than the file has room for
    bad_string,           ///< a string longer than the file, empty or too long where that is forbidden
    bad_utf8,             ///< text that is not UTF-8
    duplicate_key,        ///< a key or tensor name occurs twice
    bad_type,             ///< a value type that does not exist or is wrong for its key
    unsupported_nesting,  ///< arrays of arrays, or nesting beyond the limit
    bad_alignment,        ///< an alignment that is not a power of two, or is out of bounds
    bad_shape,            ///< a tensor shape that its type forbids
    shape_overflow,       ///< the product of the dimensions overflows
    bad_offset,           ///< tensor data outside the file, unaligned or overlapping
    bad_json,             ///< text that is not JSON as the format wants it
    not_found,            ///< no tensor, key or file of that name
    io_error,             ///< the operating system refused to read
    cannot_write,         ///< the operating system refused to write, or the target is the source
};

/// The sentence for an error code: what it means and what to do.
NIBBLE_INLINE constexpr std::string_view describe(errc code) noexcept {
    switch (code) {
        case errc::ok: return "success";
        case errc::invalid_argument: return "invalid argument: check the pointers of the call, and that floats are aligned";
        case errc::size_mismatch: return "a span does not have the length that the shape asks for: see row_bytes<F>(cols) and shape";
        case errc::shape_mismatch: return "shapes do not agree: compare rows and cols of the arguments";
        case errc::overflow: return "the size overflows: rows * cols must fit in memory";
        case errc::overlap: return "source and destination overlap: use quantize_in_place or separate memory";
        case errc::nonfinite: return "the input holds NaN or infinity: clean it, or set quantize_options::on_nonfinite = nonfinite::clamp";
        case errc::out_of_range: return "the input is too large for the format's fp16 scale: rescale it, or set nonfinite::clamp";
        case errc::bad_importance: return "importance must hold one finite, non-negative weight a column";
        case errc::out_of_memory: return "out of memory: pass your own memory or smaller pieces";
        case errc::unsupported_type: return "unsupported tensor type: see the list of formats in the README";
        case errc::executor_failed: return "the executor failed: it must call each piece once and return when all are done";
        case errc::truncated: return "the file is truncated: fetch or write it again";
        case errc::bad_magic: return "not a file of the expected kind: check the path";
        case errc::unsupported_version: return "unsupported file version: convert the file with a current tool";
        case errc::endianness_mismatch: return "the file was written for the other byte order: convert it on its own machine";
        case errc::count_too_large: return "the file announces more entries than it has room for: it is damaged";
        case errc::bad_string: return "a string in the file has an impossible length: it is damaged";
        case errc::bad_utf8: return "text in the file is not UTF-8: it is damaged";
        case errc::duplicate_key: return "a key or tensor name occurs twice in the file";
        case errc::bad_type: return "a value in the file has an unknown or wrong type";
        case errc::unsupported_nesting: return "nested arrays are not supported";
        case errc::bad_alignment: return "general.alignment must be a power of two of type uint32";
        case errc::bad_shape: return "a tensor shape is not allowed for its type";
        case errc::shape_overflow: return "the dimensions of a tensor overflow: the file is damaged";
        case errc::bad_offset: return "tensor data lies outside the file or overlaps: the file is damaged";
        case errc::bad_json: return "malformed JSON header: the file is damaged";
        case errc::not_found: return "not found";
        case errc::io_error: return "reading failed: check path and permissions";
        case errc::cannot_write: return "writing failed: check path, permissions and free space";
    }
    return "unknown error";
}

/// Success, or an error with a sentence. Converts explicitly to bool: true is success.
class [[nodiscard]] status {
public:
    NIBBLE_INLINE constexpr status() noexcept = default;
    /// What happened, in its general words.
    NIBBLE_INLINE constexpr status(errc code) noexcept : code_(code) {}  // NOLINT(google-explicit-constructor)
    /// @param detail a string literal (or text that outlives the status) that replaces the general sentence of the code
    /// @param where  a position that helps to find the cause: byte offset in a file, or element index in a call
    NIBBLE_INLINE constexpr status(errc code, std::string_view detail, std::uint64_t where = 0) noexcept
        : detail_(detail), where_(where), code_(code) {}

    /// True: nothing went wrong.
    NIBBLE_INLINE constexpr explicit operator bool() const noexcept { return code_ == errc::ok; }
    /// errc::ok, or what went wrong.
    NIBBLE_INLINE constexpr errc error() const noexcept { return code_; }
    /// A sentence that says what to do; "success" after one. The library's own sentences end with a zero byte, so data() is a C string.
    NIBBLE_INLINE constexpr std::string_view message() const noexcept { return detail_.empty() ? describe(code_) : detail_; }
    /// Byte offset in a file or element index in a call; 0 where it means nothing.
    NIBBLE_INLINE constexpr std::uint64_t where() const noexcept { return where_; }

private:
    std::string_view detail_{};
    std::uint64_t where_ = 0;
    errc code_ = errc::ok;
};

/// A value, or the reason why there is none. Reading the value of a failed result is forbidden (undefined, as with an empty
/// std::optional); test it first.
template <class T>
class [[nodiscard]] result {
public:
    using value_type = T;  ///< what a success holds

    /// Success.
    NIBBLE_INLINE result(T value) noexcept : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
    /// Failure; a status without an error becomes errc::invalid_argument.
    NIBBLE_INLINE result(nibble::status why) noexcept : why_(why ? nibble::status(errc::invalid_argument) : why) {}  // NOLINT
    /// Failure.
    NIBBLE_INLINE result(errc code) noexcept : result(nibble::status(code)) {}                               // NOLINT

    /// Copies.
    NIBBLE_INLINE result(const result& other) noexcept requires std::is_copy_constructible_v<T> : why_(other.why_) {
        if (other) create(other.value_);
    }
    /// Moves the value.
    NIBBLE_INLINE result(result&& other) noexcept : why_(other.why_) {
        if (other) create(std::move(other.value_));
    }
    /// Replaces value and outcome.
    NIBBLE_INLINE result& operator=(result other) noexcept {
        if (*this) value_.~T();
        why_ = other.why_;
        if (other) create(std::move(other.value_));
        return *this;
    }
    NIBBLE_INLINE ~result() {
        if (*this) value_.~T();
    }

    /// True: there is a value.
    NIBBLE_INLINE explicit operator bool() const noexcept { return static_cast<bool>(why_); }
    /// errc::ok, or what went wrong.
    NIBBLE_INLINE errc error() const noexcept { return why_.error(); }
    /// See status::message().
    NIBBLE_INLINE std::string_view message() const noexcept { return why_.message(); }
    /// See status::where().
    NIBBLE_INLINE std::uint64_t where() const noexcept { return why_.where(); }
    /// The outcome without the value.
    NIBBLE_INLINE nibble::status status() const noexcept { return why_; }

    /// The value; only after a success.
    NIBBLE_INLINE T& operator*() & noexcept { return value_; }
    /// The value; only after a success.
    NIBBLE_INLINE const T& operator*() const& noexcept { return value_; }
    /// The value, to be moved from; only after a success.
    NIBBLE_INLINE T&& operator*() && noexcept { return std::move(value_); }
    /// Member of the value; only after a success.
    NIBBLE_INLINE T* operator->() noexcept { return &value_; }
    /// Member of the value; only after a success.
    NIBBLE_INLINE const T* operator->() const noexcept { return &value_; }
    /// The value; only after a success.
    NIBBLE_INLINE T& value() & noexcept { return value_; }
    /// The value; only after a success.
    NIBBLE_INLINE const T& value() const& noexcept { return value_; }
    /// The value, to be moved from; only after a success.
    NIBBLE_INLINE T&& value() && noexcept { return std::move(value_); }

private:
    // Not std::construct_at: all of <memory> would come with it.
    template <class From>
    NIBBLE_INLINE void create(From&& from) noexcept {
        ::new (static_cast<void*>(&value_)) T(static_cast<From&&>(from));
    }

    union {
        T value_;
    };
    nibble::status why_{};
};

NIBBLE_NAMESPACE_END
