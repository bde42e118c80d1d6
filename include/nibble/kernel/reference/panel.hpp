// Panels at the reference level: fill them from the formats' scalar codes, and multiply with them as defined.
#pragma once

#include <cstring>

#include "nibble/kernel/op.hpp"
#include "nibble/kernel/panel.hpp"
#include "nibble/kernel/reference/linear.hpp"

NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::fill_panel, F, isa::reference> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t first, std::size_t last, std::byte* out) noexcept {
        if constexpr (affine_format<F>) {
            constexpr std::size_t parts = F::parts, size = panel::group_bytes(parts);
            for (std::size_t c = first; c < last; c += panel::group, out += size) {
                std::memset(out, 0, size);
                auto* scales = reinterpret_cast<float*>(out + panel::code_bytes);
                if (c / F::block_size >= divide_up(cols, F::block_size)) continue;
                for (std::size_t r = 0; r < rows; ++r) {
                    const auto* block = reinterpret_cast<const typename F::block*>(packed + r * row_bytes<F>(cols)) + c / F::block_size;
                    std::uint8_t codes[32];
                    float scale[parts], offset[parts];
                    F::affine(*block, c % F::block_size / 32, codes, scale, offset);
                    for (std::size_t i = 0; i < 32; ++i) out[i / 4 * 64 + r * 4 + i % 4] = static_cast<std::byte>(codes[i]);
                    for (std::size_t part = 0; part < parts; ++part) {
                        scales[part * panel::rows + r] = scale[part];
                        scales[(parts + part) * panel::rows + r] = offset[part];
                    }
                }
            }
        }
    }
    static constexpr op::fill_panel::entry entry = &run;
};

template <class F>
struct kernel<op::panel_linear, F, isa::reference> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if constexpr (affine_format<F>) {
            constexpr std::size_t parts = F::parts, length = 32 / parts, size = panel::group_bytes(parts);
            const auto* x = reinterpret_cast<const float*>(workspace);
            const std::size_t groups = divide_up(cols, panel::run) * (panel::run / panel::group);
            for (std::size_t r = 0; r < rows; ++r) {
                const std::byte* group = panels + r / panel::rows * groups * size;
                const std::size_t lane = r % panel::rows;
                for (std::size_t i = 0; i < count; ++i) y[i * stride + r] = 0.0f;
                for (std::size_t c = 0; c < cols; c += panel::group, group += size) {
                    const auto* scales = reinterpret_cast<const float*>(group + panel::code_bytes);
                    float values[32];
                    for (std::size_t k = 0; k < 32; ++k) {
                        const auto code = static_cast<float>(std::to_integer<int>(group[k / 4 * 64 + lane * 4 + k % 4]));
                        const std::size_t part = k / length;
                        values[k] = scales[part * panel::rows + lane] * code + scales[(parts + part) * panel::rows + lane];
                    }
                    const std::size_t here = cols - c < 32 ? cols - c : 32;
                    for (std::size_t i = 0; i < count; ++i) y[i * stride + r] += internal::dot(values, x + i * cols + c, here);
                }
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&run};
};

NIBBLE_BASELINE_END
