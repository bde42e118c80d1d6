// Tests of all formats find the operations compiled in a library of theirs (compiled.cpp) instead of compiling every kernel again.
#pragma once

#include <nibble/nibble.hpp>

namespace nibble {

#define NIBBLE_X(F)                                                                                                                         \
    extern template status quantizer<F>::operator()(dense_view<const float>, packed_span<F>) const noexcept;                                \
    extern template result<packed_view<F>> quantize_in_place<F>(std::span<float>, shape, quantize_options) noexcept;                        \
    extern template status dequantizer<F>::operator()(packed_view<F>, dense_view<float>) const noexcept;                                    \
    extern template status gemm<F>(packed_view<F>, dense_view<const float>, dense_view<float>, executor) noexcept;                          \
    extern template status gemm<F>(const panel_tensor<F>&, dense_view<const float>, dense_view<float>, executor) noexcept;                  \
    extern template result<panel_tensor<F>> repack<F>(packed_view<F>, executor) noexcept;                                                   \
    extern template status validate<F>(packed_view<F>, executor) noexcept;
NIBBLE_FORMATS(NIBBLE_X)
#undef NIBBLE_X

}  // namespace nibble
