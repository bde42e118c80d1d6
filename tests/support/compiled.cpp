// What compiled.hpp promises, for the formats whose turn it is: NIBBLE_TEST_PART of NIBBLE_TEST_PARTS, so that several compilers work at once.
// NIBBLE_TEST_WITHOUT_PRODUCTS: without gemv, gemm and panels, half of the work.
#include <nibble/nibble.hpp>
#include <tuple>
#include <variant>

namespace {

using namespace nibble;

/// A function whose address is taken is compiled.
template <class F>
struct operations {
    status (quantizer<F>::*quantize)(dense_view<const float>, packed_span<F>) const noexcept = &quantizer<F>::operator();
    result<packed_view<F>> (*in_place)(std::span<float>, shape, quantize_options) noexcept = quantize_in_place<F>;
    status (dequantizer<F>::*dequantize)(packed_view<F>, dense_view<float>) const noexcept = &dequantizer<F>::operator();
    status (*check)(packed_view<F>, executor) noexcept = validate<F>;
#if !defined(NIBBLE_TEST_WITHOUT_PRODUCTS)
    status (*product)(packed_view<F>, dense_view<const float>, dense_view<float>, executor) noexcept = gemm<F>;
    status (*panel_product)(const panel_tensor<F>&, dense_view<const float>, dense_view<float>, executor) noexcept = gemm<F>;
    result<panel_tensor<F>> (*to_panels)(packed_view<F>, executor) noexcept = repack<F>;
#endif
};

template <class... F, std::size_t... I>
auto share(format_list<F...>, std::index_sequence<I...>) {
    return std::tuple<std::conditional_t<I % NIBBLE_TEST_PARTS == NIBBLE_TEST_PART, operations<F>, std::monostate>...>{};
}

[[gnu::used]] const auto compiled = share(all_formats{}, std::make_index_sequence<all_formats::size>{});

}  // namespace
