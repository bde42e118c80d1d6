// The list of formats. Adding one to nibble is its own file, one #include and one line here; tests, benchmarks, the tool and the
// tables of the documentation iterate over this list.
#pragma once

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>

#include "nibble/format/bf16.hpp"
#include "nibble/format/concepts.hpp"
#include "nibble/format/f16.hpp"
#include "nibble/format/f32.hpp"
#include "nibble/format/iq1_m.hpp"
#include "nibble/format/iq1_s.hpp"
#include "nibble/format/iq2_s.hpp"
#include "nibble/format/iq2_xs.hpp"
#include "nibble/format/iq2_xxs.hpp"
#include "nibble/format/iq3_s.hpp"
#include "nibble/format/iq3_xxs.hpp"
#include "nibble/format/iq4_nl.hpp"
#include "nibble/format/iq4_xs.hpp"
#include "nibble/format/mxfp4.hpp"
#include "nibble/format/nvfp4.hpp"
#include "nibble/format/q1_0.hpp"
#include "nibble/format/q2_0.hpp"
#include "nibble/format/q2_k.hpp"
#include "nibble/format/q3_k.hpp"
#include "nibble/format/q4_0.hpp"
#include "nibble/format/q4_1.hpp"
#include "nibble/format/q4_k.hpp"
#include "nibble/format/q5_0.hpp"
#include "nibble/format/q5_1.hpp"
#include "nibble/format/q5_k.hpp"
#include "nibble/format/q6_k.hpp"
#include "nibble/format/q8_0.hpp"
#include "nibble/format/q8_1.hpp"
#include "nibble/format/q8_k.hpp"
#include "nibble/format/tq1_0.hpp"
#include "nibble/format/tq2_0.hpp"

#define NIBBLE_FORMATS(X) \
    X(f32)                \
    X(f16)                \
    X(q4_0)               \
    X(q4_1)               \
    X(q5_0)               \
    X(q5_1)               \
    X(q8_0)               \
    X(q8_1)               \
    X(q2_k)               \
    X(q3_k)               \
    X(q4_k)               \
    X(q5_k)               \
    X(q6_k)               \
    X(q8_k)               \
    X(iq2_xxs)            \
    X(iq2_xs)             \
    X(iq3_xxs)            \
    X(iq1_s)              \
    X(iq4_nl)             \
    X(iq3_s)              \
    X(iq2_s)              \
    X(iq4_xs)             \
    X(iq1_m)              \
    X(bf16)               \
    X(mxfp4)              \
    X(nvfp4)              \
    X(tq1_0)              \
    X(tq2_0)              \
    X(q1_0)               \
    X(q2_0)

NIBBLE_NAMESPACE_BEGIN

/// Run-time name of a format: the type number of GGUF files.
enum class format_id : std::uint32_t {
#define NIBBLE_X(format) format = format::gguf_type,
    NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
};

NIBBLE_INLINE constexpr bool operator==(format_id id, std::uint32_t gguf_type) noexcept { return static_cast<std::uint32_t>(id) == gguf_type; }

/// Types as a list.
template <class... F>
struct format_list {
    static constexpr std::size_t size = sizeof...(F);
};

namespace detail {
template <class List, class F>
struct append;
template <class... Fs, class F>
struct append<format_list<Fs...>, F> {
    using type = format_list<Fs..., F>;
};
template <class Ignored, class... Fs>
struct without_first {
    using type = format_list<Fs...>;
};
}  // namespace detail

/// Every format of nibble that GGUF numbers.
#define NIBBLE_X(format) , format
using all_formats = typename detail::without_first<void NIBBLE_FORMATS(NIBBLE_X)>::type;
#undef NIBBLE_X

/// What a reader of files must know of a tensor type.
struct format_traits {
    std::string_view name{};        ///< nibble's spelling, e.g. "q4_k"
    std::uint32_t block_size = 0;   ///< elements of a block; 0: unknown type
    std::uint32_t block_bytes = 0;  ///< bytes of a block
};

/// Tensor types that files may hold and that nibble carries through unchanged.
inline constexpr struct {
    std::uint32_t gguf_type;
    format_traits traits;
} carried_types[] = {{24, {"i8", 1, 1}}, {25, {"i16", 1, 2}}, {26, {"i32", 1, 4}}, {27, {"i64", 1, 8}}, {28, {"f64", 1, 8}}};

/// Name and sizes of a GGUF tensor type; block_size 0 if it is unknown.
NIBBLE_INLINE constexpr format_traits traits_of(std::uint32_t gguf_type) noexcept {
#define NIBBLE_X(format)                         \
    if (gguf_type == format::gguf_type)          \
        return {format::name, static_cast<std::uint32_t>(format::block_size), static_cast<std::uint32_t>(sizeof(format::block))};
    NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X
    for (const auto& carried : carried_types) {
        if (carried.gguf_type == gguf_type) return carried.traits;
    }
    return {};
}
NIBBLE_INLINE constexpr format_traits traits_of(format_id id) noexcept { return traits_of(static_cast<std::uint32_t>(id)); }

NIBBLE_NAMESPACE_END
