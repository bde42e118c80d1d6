// What a format is. Floor 1: what the bits mean; no memory, no machine.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "nibble/base/bits.hpp"
#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

/// How scales are chosen. It never changes how bytes decode.
enum class search : std::uint8_t {
    reference,  ///< the bytes of ggml's reference quantizer
    best,       ///< the same format with less error, at a cost in time; never worse than reference on any row
};

/// A format has a name and a number of elements that decode together.
template <class F>
concept has_name = requires {
    { F::name } -> std::convertible_to<std::string_view>;
    { F::block_size } -> std::convertible_to<std::size_t>;
};

/// Its block is plain bytes at any address.
template <class F>
concept has_block = requires { typename F::block; } && std::is_trivially_copyable_v<typename F::block> && alignof(typename F::block) == 1;

/// It decodes one block; decoding is unique.
template <class F>
concept has_decode = requires(const typename F::block& packed, std::span<float, F::block_size> values) {
    { F::decode(packed, values) } noexcept;
};

/// It encodes one block with the reference search and without importance.
template <class F>
concept has_encode = requires(std::span<const float, F::block_size> values, typename F::block& packed) {
    { F::encode(values, packed) } noexcept;
};

/// A format made of equal blocks that decode alone. This is all that a user's own format needs.
template <class F>
concept block_format = has_name<F> && has_block<F> && has_decode<F> && has_encode<F>;

/// A format that works on whole rows: bytes in front of a row, ragged groups. It computes its own row size.
/// decode_row writes elements first .. last - 1 of a packed row of `cols` elements; first is a multiple of block_size.
template <class F>
concept row_format = has_name<F> && requires(std::size_t n, const std::byte* packed, std::byte* target, const float* values, float* decoded) {
    { F::row_bytes(n) } noexcept -> std::same_as<std::size_t>;
    { F::decode_row(packed, n, n, n, decoded) } noexcept;
    { F::encode_row(values, n, target) } noexcept;
};

/// Anything that can be quantized and dequantized.
template <class F>
concept any_format = block_format<F> || row_format<F>;

/// A format that GGUF files know.
template <class F>
concept gguf_format = block_format<F> && requires {
    { F::gguf_type } -> std::convertible_to<std::uint32_t>;
};

/// A format whose values are scale * code + offset with codes of at most 8 bits: what integer kernels compute with. `affine` writes
/// the 32 codes of a group of a block and the scale and offset of each of its parts.
template <class F>
concept affine_format = block_format<F> &&
    requires(const typename F::block& packed, std::uint8_t (&codes)[32], float (&scale)[F::parts], float (&offset)[F::parts]) {
    { F::affine(packed, std::size_t{}, codes, scale, offset) } noexcept;
    { F::code_bits } -> std::convertible_to<int>;
} && F::block_size % 32 == 0;

/// A format that activations are quantized to: signed 8-bit codes and one scale. `signed_group` writes the 32 codes of a group of a block.
template <class F>
concept activation_format = block_format<F> && requires(const typename F::block& packed, std::int8_t (&codes)[32], float& scale) {
    { F::signed_group(packed, std::size_t{}, codes, scale) } noexcept;
} && F::block_size % 32 == 0;

/// A format with a companion: rows of both have a dot product.
template <class F>
concept has_companion = block_format<F> && block_format<typename F::companion>;

/// Bytes of one packed row of `cols` elements. The last block of a row is padded if `cols` is not a multiple of the block size.
template <any_format F>
NIBBLE_INLINE constexpr std::size_t row_bytes(std::size_t cols) noexcept {
    if constexpr (row_format<F>) {
        return F::row_bytes(cols);
    } else {
        return divide_up(cols, F::block_size) * sizeof(typename F::block);
    }
}

/// Bits that one weight takes, scales included: computed, never written by hand.
template <block_format F>
inline constexpr double bits_per_weight = 8.0 * static_cast<double>(sizeof(typename F::block)) / static_cast<double>(F::block_size);

NIBBLE_NAMESPACE_END
