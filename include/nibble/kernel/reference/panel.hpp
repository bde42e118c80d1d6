// Panels at the reference level: fill them from the formats' scalar codes, and multiply with them as defined.
#pragma once

#include <cstring>

#include "nibble/kernel/op.hpp"
#include "nibble/kernel/panel_run.hpp"
#include "nibble/kernel/reference/linear.hpp"

NIBBLE_BASELINE_BEGIN

template <class F>
struct kernel<op::fill_panel, F, isa::reference> {
    static void run(const std::byte* packed, std::size_t rows, std::size_t cols, std::byte* out) noexcept {
        if constexpr (affine_format<F>) {
            for (std::size_t c = 0; c < cols; c += panel::run, out += panel::order<F>::run_bytes) {
                std::byte wide[panel::wide_run_bytes<F>] = {};
                for (std::size_t g = 0; g < panel::groups; ++g) {
                    const std::size_t block = (c + g * panel::group) / F::block_size;
                    if (block >= divide_up(cols, F::block_size)) break;
                    fill_group(packed, rows, cols, block, (c + g * panel::group) % F::block_size / panel::group,
                               wide + g * panel::wide_group_bytes(F::parts));
                }
                panel::keep_run<F>(wide, out);
            }
        }
    }
    static constexpr op::fill_panel::entry entry = &run;

private:
    /// Group `g` of block `block` of each row, in wide form.
    static void fill_group(const std::byte* packed, std::size_t rows, std::size_t cols, std::size_t block, std::size_t g, std::byte* wide) noexcept {
        constexpr std::size_t parts = F::parts;
        for (std::size_t r = 0; r < rows; ++r) {
            std::uint8_t codes[panel::group];
            float factors[2][parts];
            F::affine(*(reinterpret_cast<const typename F::block*>(packed + r * row_bytes<F>(cols)) + block), g, codes, factors[0], factors[1]);
            for (std::size_t i = 0; i < panel::group; ++i) wide[i / 4 * 64 + r * 4 + i % 4] = static_cast<std::byte>(codes[i]);
            for (std::size_t i = 0; i < 2 * parts; ++i) {
                std::memcpy(wide + panel::wide_code_bytes + (i * panel::rows + r) * sizeof(float), &factors[i / parts][i % parts], sizeof(float));
            }
        }
    }
};

template <class F>
struct kernel<op::panel_linear, F, isa::reference> {
    static void run(const std::byte* panels, std::size_t rows, std::size_t cols, const std::byte* workspace, std::size_t count, float* y,
                    std::size_t stride) noexcept {
        if constexpr (affine_format<F>) {
            constexpr std::size_t size = panel::order<F>::run_bytes;
            const auto* x = reinterpret_cast<const float*>(workspace);
            for (std::size_t r = 0; r < rows; ++r) {
                const std::byte* run = panels + r / panel::rows * divide_up(cols, panel::run) * size;
                for (std::size_t i = 0; i < count; ++i) y[i * stride + r] = 0.0f;
                for (std::size_t c = 0; c < cols; c += panel::group) {
                    float values[panel::group];
                    decode_group(run + c / panel::run * size, c % panel::run / panel::group, r % panel::rows, values);
                    const std::size_t here = cols - c < panel::group ? cols - c : panel::group;
                    for (std::size_t i = 0; i < count; ++i) y[i * stride + r] += internal::dot(values, x + i * cols + c, here);
                }
            }
        }
    }
    static constexpr op::panel_linear::entry entry{&internal::reference_workspace, &internal::reference_prepare, &run};

private:
    static void decode_group(const std::byte* run, std::size_t g, std::size_t row, float (&values)[panel::group]) noexcept {
        constexpr std::size_t parts = F::parts, length = panel::group / parts;
        for (std::size_t part = 0; part < parts; ++part) {
            const float scale = panel::factor_at<F>(run, 0, g, part, row);
            float offset = 0.0f;
            if constexpr (panel::order<F>::has_offsets) offset = panel::factor_at<F>(run, 1, g, part, row);
            constexpr int zero = panels_of<F>.zero < 0 ? 0 : panels_of<F>.zero;
            for (std::size_t k = part * length; k < (part + 1) * length; ++k) {
                values[k] = scale * static_cast<float>(panel::code_at<F>(run, g, k, row) - zero) + offset;
            }
        }
    }
};

NIBBLE_BASELINE_END
