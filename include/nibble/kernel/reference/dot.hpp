// Dot products with the companion at the reference level: codes are multiplied as integers, sums are scaled. This defines the product.
#pragma once

#include "nibble/kernel/op.hpp"

NIBBLE_BASELINE_BEGIN

template <has_companion F>
struct kernel<op::dot, F, isa::reference> {
    using companion = typename F::companion;

    static double run(const std::byte* weights, const std::byte* x, std::size_t cols) noexcept {
        const auto* w = reinterpret_cast<const typename F::block*>(weights);
        const auto* v = reinterpret_cast<const typename companion::block*>(x);
        double sum = 0.0;
        if constexpr (affine_format<F> && activation_format<companion>) {
            // The padding of a last block counts as zeros, whatever its bytes say.
            for (std::size_t c = 0; c < cols; c += 32) {
                sum += group(w[c / F::block_size], c % F::block_size / 32, v[c / companion::block_size], c % companion::block_size / 32,
                             cols - c < 32 ? cols - c : 32);
            }
        } else {
            static_assert(F::block_size == 1 && companion::block_size == 1, "a companion with scales needs signed_group, its weights affine");
            for (std::size_t c = 0; c < cols; ++c) {
                float a, b;
                F::decode(w[c], std::span<float, 1>(&a, 1));
                companion::decode(v[c], std::span<float, 1>(&b, 1));
                sum += static_cast<double>(a) * static_cast<double>(b);
            }
        }
        return sum;
    }
    static constexpr op::dot::entry entry = &run;

private:
    /// One group of 32: for each of its parts, sum of w * x = scale * (sum of code * code) + offset * (sum of codes of x), times the scale of x.
    static double group(const typename F::block& w, std::size_t w_group, const typename companion::block& x, std::size_t x_group,
                        std::size_t used) noexcept {
        constexpr std::size_t length = 32 / F::parts;
        std::uint8_t codes[32];
        std::int8_t x_codes[32];
        float scale[F::parts], offset[F::parts], x_scale;
        F::affine(w, w_group, codes, scale, offset);
        companion::signed_group(x, x_group, x_codes, x_scale);
        double sum = 0.0;
        for (std::size_t part = 0; part < F::parts; ++part) {
            int products = 0, total = 0;
            for (std::size_t i = part * length; i < (part + 1) * length && i < used; ++i) {
                products += codes[i] * x_codes[i];
                total += x_codes[i];
            }
            sum += static_cast<double>(scale[part]) * products + static_cast<double>(offset[part]) * total;
        }
        return sum * static_cast<double>(x_scale);
    }
};

NIBBLE_BASELINE_END
