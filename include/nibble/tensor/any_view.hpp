// A packed tensor whose format is known at run time only.
#pragma once

#include <cstddef>
#include <span>

#include "nibble/format/list.hpp"
#include "nibble/tensor/packed.hpp"

NIBBLE_NAMESPACE_BEGIN

/// Passes a value of the format type to `fn`: visit(id, [](auto format) { using F = decltype(format); ... return status; }).
/// @param fn called with an empty instance of the format struct; all instances must return the same type R
/// @return what `fn` returned, as a result<R> (status stays status); errc::unsupported_type for an id that is not in the list
template <class Fn>
NIBBLE_INLINE auto visit(format_id id, Fn&& fn) {
    using returned = decltype(fn(f32{}));
    constexpr bool is_status = std::is_same_v<returned, status>;
    if constexpr (std::is_void_v<returned>) {
#define NIBBLE_X(format) \
    if (id == format_id::format) return (fn(format{}), status());
        NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
        return status(errc::unsupported_type);
    } else if constexpr (is_status || requires(returned r) { typename returned::value_type; r.status(); }) {
#define NIBBLE_X(format) \
    if (id == format_id::format) return fn(format{});
        NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
        return returned(errc::unsupported_type);
    } else {
#define NIBBLE_X(format) \
    if (id == format_id::format) return result<returned>(fn(format{}));
        NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
        return result<returned>(errc::unsupported_type);
    }
}
template <class Fn>
NIBBLE_INLINE auto visit(std::uint32_t gguf_type, Fn&& fn) {
    return nibble::visit(static_cast<format_id>(gguf_type), static_cast<Fn&&>(fn));
}

/// Format number, bytes and shape: what a file reader hands out. Owns nothing.
class any_view {
public:
    NIBBLE_INLINE constexpr any_view() noexcept = default;
    /// Checked: errc::unsupported_type, errc::size_mismatch, errc::overflow, errc::invalid_argument (null pointer).
    NIBBLE_INLINE static result<any_view> make(format_id id, std::span<const std::byte> bytes, shape s) noexcept {
        const auto checked = nibble::visit(id, [&](auto format) -> status { return packed_view<decltype(format)>(bytes, s).check(); });
        if (!checked) return checked;
        any_view v;
        v.id_ = id;
        v.bytes_ = bytes;
        v.shape_ = s;
        return v;
    }
    /// The format.
    NIBBLE_INLINE constexpr format_id id() const noexcept { return id_; }
    /// All packed rows.
    NIBBLE_INLINE constexpr std::span<const std::byte> bytes() const noexcept { return bytes_; }
    /// Where the packed rows start.
    NIBBLE_INLINE constexpr const std::byte* data() const noexcept { return bytes_.data(); }
    /// Rows and columns.
    NIBBLE_INLINE constexpr nibble::shape shape() const noexcept { return shape_; }
    /// Rows.
    NIBBLE_INLINE constexpr std::size_t rows() const noexcept { return shape_.rows; }
    /// Columns: elements of a row.
    NIBBLE_INLINE constexpr std::size_t cols() const noexcept { return shape_.cols; }
    /// The typed view; only for the format that id() names.
    template <any_format F>
    NIBBLE_INLINE constexpr packed_view<F> as() const noexcept {
        return {bytes_, shape_};
    }

private:
    std::span<const std::byte> bytes_{};
    nibble::shape shape_{};
    format_id id_{};
};

NIBBLE_NAMESPACE_END
