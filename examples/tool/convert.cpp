#include "convert.hpp"

#include <nibble/nibble.hpp>

namespace tool {

bool can_decode(std::uint32_t type) {
    return static_cast<bool>(nibble::visit(type, [](auto) -> nibble::status { return {}; }));
}

std::size_t row_bytes(std::uint32_t type, std::size_t cols) {
    const nibble::format_traits traits = nibble::traits_of(type);
    return traits.block_size == 0 ? 0 : nibble::divide_up(cols, traits.block_size) * traits.block_bytes;
}

nibble::status decode(std::uint32_t type, std::span<const std::byte> packed, nibble::shape shape, std::span<float> values,
                      nibble::executor threads) {
    return nibble::visit(type, [&](auto format) -> nibble::status {
        using F = decltype(format);
        return nibble::dequantizer<F>(threads)(nibble::packed_view<F>(packed, shape), nibble::dense_view<float>(values, shape));
    });
}

nibble::status validate(std::uint32_t type, std::span<const std::byte> packed, nibble::shape shape, nibble::executor threads) {
    return nibble::visit(type, [&](auto format) -> nibble::status {
        return nibble::validate(nibble::packed_view<decltype(format)>(packed, shape), threads);
    });
}

nibble::status encode(std::uint32_t type, std::span<const float> values, nibble::shape shape, std::span<std::byte> packed,
                      const nibble::quantize_options& options) {
    return nibble::visit(type,
                         [&](auto format) -> nibble::status { return nibble::quantize<decltype(format)>(values, packed, shape, options); });
}

}  // namespace tool
