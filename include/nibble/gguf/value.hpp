// Values of GGUF metadata as views into the bytes of the file.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"

NIBBLE_BASELINE_BEGIN
namespace gguf {

/// The 13 types of metadata values, with the numbers that files store.
enum class value_type : std::uint32_t {
    uint8 = 0,
    int8 = 1,
    uint16 = 2,
    int16 = 3,
    uint32 = 4,
    int32 = 5,
    float32 = 6,
    boolean = 7,  ///< one byte
    string = 8,   ///< u64 length, bytes
    array = 9,    ///< u32 element type, u64 count, elements
    uint64 = 10,
    int64 = 11,
    float64 = 12,
};

inline constexpr std::uint32_t value_types = 13;

/// The type's name, e.g. "uint32"; "unknown" for a number that is no type.
NIBBLE_INLINE constexpr std::string_view name_of(value_type type) noexcept {
    constexpr std::string_view names[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                          "bool",  "string", "array",  "uint64", "int64",  "float64"};
    return static_cast<std::uint32_t>(type) < value_types ? names[static_cast<std::uint32_t>(type)] : "unknown";
}

/// Bytes of a number or bool; 0 for strings, arrays and numbers that are no type.
NIBBLE_INLINE constexpr std::size_t width_of(value_type type) noexcept {
    constexpr std::uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return static_cast<std::uint32_t>(type) < value_types ? widths[static_cast<std::uint32_t>(type)] : 0;
}

/// The number that starts at an address, which need not be aligned.
template <class T>
NIBBLE_INLINE T load(const std::byte* from) noexcept {
    stored<T> bytes;
    std::memcpy(bytes.bytes, from, sizeof(bytes));
    return bytes.get();
}

/// One value of any type. Owns nothing: the bytes that it was parsed from must outlive it. Typed accessors answer std::nullopt where
/// the type does not fit; a default-constructed view has no bytes and answers that always.
class value_view {
public:
    class iterator;

    NIBBLE_INLINE constexpr value_view() noexcept = default;

    /// Reads the value at the front of `from`; raw() tells how long it is. Linear in its length, allocates nothing.
    /// @param type  the number of its type, as the file stores it
    /// @param where byte offset of `from` in the file, for error messages
    /// @return errc::bad_type, errc::truncated, errc::bad_string (longer than `from`), errc::count_too_large (an array longer than
    ///         `from`), errc::unsupported_nesting (an array of arrays)
    static result<value_view> parse(std::uint32_t type, std::span<const std::byte> from, std::uint64_t where = 0) noexcept;

    /// The type that the file gives.
    NIBBLE_INLINE value_type type() const noexcept { return type_; }
    /// The bytes of the value exactly as they stand in the file, after its type: a string with its length, an array with its element
    /// type and count.
    NIBBLE_INLINE std::span<const std::byte> raw() const noexcept { return raw_; }
    /// True for an array.
    NIBBLE_INLINE bool is_array() const noexcept { return type_ == value_type::array && raw_.size() >= array_head; }
    /// Type of an array's elements; type() for everything else.
    NIBBLE_INLINE value_type element_type() const noexcept {
        return is_array() ? static_cast<value_type>(load<std::uint32_t>(raw_.data())) : type_;
    }
    /// Number of an array's elements; 0 for everything else.
    NIBBLE_INLINE std::uint64_t size() const noexcept { return is_array() ? load<std::uint64_t>(raw_.data() + 4) : 0; }

    /// Any integer type, if the value is not negative.
    NIBBLE_INLINE std::optional<std::uint64_t> as_u64() const noexcept {
        if (raw_.size() != width_of(type_)) return std::nullopt;
        switch (type_) {
            case value_type::uint8: return load<std::uint8_t>(raw_.data());
            case value_type::uint16: return load<std::uint16_t>(raw_.data());
            case value_type::uint32: return load<std::uint32_t>(raw_.data());
            case value_type::uint64: return load<std::uint64_t>(raw_.data());
            case value_type::int8: return not_negative(load<std::int8_t>(raw_.data()));
            case value_type::int16: return not_negative(load<std::int16_t>(raw_.data()));
            case value_type::int32: return not_negative(load<std::int32_t>(raw_.data()));
            case value_type::int64: return not_negative(load<std::int64_t>(raw_.data()));
            default: return std::nullopt;
        }
    }
    /// Any integer type, if the value is below 2^63.
    NIBBLE_INLINE std::optional<std::int64_t> as_i64() const noexcept {
        if (raw_.size() != width_of(type_)) return std::nullopt;
        switch (type_) {
            case value_type::int8: return load<std::int8_t>(raw_.data());
            case value_type::int16: return load<std::int16_t>(raw_.data());
            case value_type::int32: return load<std::int32_t>(raw_.data());
            case value_type::int64: return load<std::int64_t>(raw_.data());
            default: break;
        }
        const auto value = as_u64();
        if (!value || *value >> 63 != 0) return std::nullopt;
        return static_cast<std::int64_t>(*value);
    }
    /// Both float types, and integers of magnitude up to 2^53, which a double holds exactly.
    NIBBLE_INLINE std::optional<double> as_f64() const noexcept {
        if (raw_.size() != width_of(type_)) return std::nullopt;
        if (type_ == value_type::float32) return static_cast<double>(load<float>(raw_.data()));
        if (type_ == value_type::float64) return load<double>(raw_.data());
        constexpr std::int64_t exact = std::int64_t{1} << 53;
        const auto value = as_i64();
        if (!value || *value > exact || *value < -exact) return std::nullopt;
        return static_cast<double>(*value);
    }
    /// A bool; every byte but 0 is true.
    NIBBLE_INLINE std::optional<bool> as_bool() const noexcept {
        if (type_ != value_type::boolean || raw_.size() != 1) return std::nullopt;
        return raw_[0] != std::byte{0};
    }
    /// The bytes of a string. They may hold anything: escape them before they reach a terminal.
    NIBBLE_INLINE std::optional<std::string_view> as_string() const noexcept {
        if (type_ != value_type::string || raw_.size() < string_head) return std::nullopt;
        return std::string_view(reinterpret_cast<const char*>(raw_.data()) + string_head, raw_.size() - string_head);
    }

    /// Element `i` of an array; std::nullopt behind its end. Constant time for numbers, walks over the elements before it for
    /// strings: use begin() and end() to see them all.
    std::optional<value_view> at(std::uint64_t i) const noexcept;
    /// The elements of an array, one after the other; an empty range for everything else.
    NIBBLE_INLINE iterator begin() const noexcept;
    /// The end of every array.
    NIBBLE_INLINE static std::default_sentinel_t end() noexcept { return {}; }

private:
    static constexpr std::size_t string_head = 8;
    static constexpr std::size_t array_head = 12;

    NIBBLE_INLINE value_view(value_type type, std::span<const std::byte> raw) noexcept : raw_(raw), type_(type) {}

    template <std::signed_integral T>
    NIBBLE_INLINE static std::optional<std::uint64_t> not_negative(T value) noexcept {
        if (value < 0) return std::nullopt;
        return static_cast<std::uint64_t>(value);
    }

    std::span<const std::byte> raw_{};
    value_type type_ = value_type::uint8;
};

/// Walks over the elements of an array that parse() has checked.
class value_view::iterator {
public:
    using value_type = value_view;           ///< elements are values too
    using difference_type = std::ptrdiff_t;  ///< as iterators have it

    NIBBLE_INLINE iterator() noexcept = default;
    /// The element.
    NIBBLE_INLINE value_view operator*() const noexcept { return {type_, {at_, bytes()}}; }
    /// To the next element.
    NIBBLE_INLINE iterator& operator++() noexcept {
        at_ += bytes();
        --left_;
        return *this;
    }
    /// To the next element.
    NIBBLE_INLINE void operator++(int) noexcept { ++*this; }
    /// True behind the last element.
    NIBBLE_INLINE bool operator==(std::default_sentinel_t) const noexcept { return left_ == 0; }

private:
    friend class value_view;
    NIBBLE_INLINE iterator(gguf::value_type type, const std::byte* at, std::uint64_t left) noexcept : at_(at), left_(left), type_(type) {}
    NIBBLE_INLINE std::size_t bytes() const noexcept {
        return type_ == gguf::value_type::string ? string_head + static_cast<std::size_t>(load<std::uint64_t>(at_)) : width_of(type_);
    }

    const std::byte* at_ = nullptr;
    std::uint64_t left_ = 0;
    gguf::value_type type_ = gguf::value_type::uint8;
};

NIBBLE_INLINE value_view::iterator value_view::begin() const noexcept {
    return is_array() ? iterator(element_type(), raw_.data() + array_head, size()) : iterator();
}

inline std::optional<value_view> value_view::at(std::uint64_t i) const noexcept {
    if (i >= size()) return std::nullopt;
    if (const std::size_t width = width_of(element_type()); width != 0) {
        return value_view(element_type(), raw_.subspan(array_head + static_cast<std::size_t>(i) * width, width));
    }
    iterator element = begin();
    while (i-- != 0) ++element;
    return *element;
}

inline result<value_view> value_view::parse(std::uint32_t type, std::span<const std::byte> from, std::uint64_t where) noexcept {
    constexpr std::string_view cut = "the file ends within a metadata value: it is truncated";
    if (type >= value_types)
        return status(errc::bad_type, "a metadata value has an unknown type: the file is damaged or newer than this reader", where);
    const auto kind = static_cast<value_type>(type);
    if (const std::size_t width = width_of(kind); width != 0) {
        if (from.size() < width) return status(errc::truncated, cut, where);
        return value_view(kind, from.first(width));
    }
    if (kind == value_type::string) {
        if (from.size() < string_head) return status(errc::truncated, cut, where);
        const auto length = load<std::uint64_t>(from.data());
        if (length > from.size() - string_head) {
            return status(errc::bad_string, "a string is longer than the rest of the file: it is damaged or truncated", where);
        }
        return value_view(kind, from.first(string_head + static_cast<std::size_t>(length)));
    }

    if (from.size() < array_head) return status(errc::truncated, cut, where);
    const auto element = load<std::uint32_t>(from.data());
    const auto count = load<std::uint64_t>(from.data() + 4);
    if (element >= value_types) return status(errc::bad_type, "an array has elements of an unknown type: the file is damaged", where);
    const auto element_kind = static_cast<value_type>(element);
    if (element_kind == value_type::array) return status(errc::unsupported_nesting, "an array of arrays: no program reads those", where);
    const std::size_t smallest = element_kind == value_type::string ? string_head : width_of(element_kind);
    if (count > (from.size() - array_head) / smallest) {
        return status(errc::count_too_large, "an array is longer than the rest of the file: it is damaged or truncated", where);
    }
    if (element_kind != value_type::string) return value_view(kind, from.first(array_head + static_cast<std::size_t>(count) * smallest));

    std::size_t at = array_head;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (from.size() - at < string_head) return status(errc::truncated, cut, where + at);
        const auto length = load<std::uint64_t>(from.data() + at);
        if (length > from.size() - at - string_head) {
            return status(errc::bad_string, "a string in an array is longer than the rest of the file: it is damaged or truncated",
                          where + at);
        }
        at += string_head + static_cast<std::size_t>(length);
    }
    return value_view(kind, from.first(at));
}

}  // namespace gguf
NIBBLE_BASELINE_END
