// The products of the avxvnni level for every format: odd sizes, tails, unaligned rows, 1 to 75 float rows, packed rows and panels, within the
// bound that gemm documents. Kernels are called directly, because vex_as_evex.sh runs them on machines that do not have the level.
// usage: products    exit codes: 0 passed, 1 failed, 77 this machine cannot run the program
#include <cstdio>
#include <nibble/nibble.hpp>
#include <vector>

#include "support/floats.hpp"
#include "support/product.hpp"

namespace {

using nibble::isa;
namespace op = nibble::op;

std::size_t failures = 0;

/// What a product is of, and the float rows that it may take.
struct operands {
    std::size_t rows, cols;
    std::vector<float> decoded, x;
    std::vector<support::product> expected;  // [float row][row]
};

template <class Op, class F>
void check(const operands& o, std::size_t count, const std::byte* weights) {
    const auto& entry = nibble::kernel<Op, F, isa::avxvnni>::entry;
    std::vector<std::byte> memory(entry.workspace(count, o.cols) + 64);
    std::byte* workspace = memory.data() + 64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64;
    const std::size_t first = count < op::linear::prepare_step ? count : op::linear::prepare_step;  // as two threads would
    entry.prepare(o.x.data(), 0, first, count, o.cols, workspace);
    if (first < count) entry.prepare(o.x.data(), first, count, count, o.cols, workspace);
    const std::size_t stride = o.rows + 3;
    std::vector<float> y(count * stride, -1.0f);
    entry.run(weights, o.rows, o.cols, workspace, count, y.data(), stride);
    for (std::size_t i = 0; i < count; ++i) {
        double worst = 0;
        for (std::size_t r = 0; r < o.rows; ++r) worst = support::larger(worst, support::error_of(o.expected[i * o.rows + r], y[i * stride + r]));
        bool kept = true;
        for (std::size_t r = o.rows; r < stride; ++r) kept = kept && y[i * stride + r] == -1.0f;
        if (worst <= 1.0 && kept) continue;
        ++failures;
        std::printf("FAILED: %s, %zu x %zu, float row %zu of %zu: %.2f of the bound%s\n", std::string(F::name).c_str(), o.rows, o.cols, i, count,
                    worst, kept ? "" : ", writes past the end");
    }
}

template <class F>
void check(std::size_t rows, std::size_t cols) {
    constexpr std::size_t most = 75;
    const std::size_t whole = nibble::divide_up(cols, F::block_size) * F::block_size, bytes = rows * nibble::row_bytes<F>(cols);
    std::vector<float> w = support::noise(rows * whole, 1);
    for (std::size_t i = 0; i < w.size(); ++i) {
        if (i % whole >= cols) w[i] = 0.0f;
    }
    std::vector<std::byte> memory(bytes + 1);
    std::byte* packed = memory.data() + 1;  // unaligned on purpose
    nibble::kernel<op::quantize, F, isa::reference>::entry(w.data(), rows, whole, nullptr, packed);

    operands o{rows, cols, std::vector<float>(rows * cols), support::noise(most * cols, 2, 1.0f), {}};
    nibble::kernel<op::dequantize, F, isa::reference>::entry(packed, rows, cols, o.decoded.data());
    for (std::size_t i = 0; i < most; ++i) {
        for (std::size_t r = 0; r < rows; ++r) o.expected.push_back(support::multiply<F>(&o.decoded[r * cols], &o.x[i * cols], cols));
    }

    std::vector<std::byte> panels(nibble::panel::bytes<F>(rows, cols) + 64);
    std::byte* first_panel = panels.data() + 64 - reinterpret_cast<std::uintptr_t>(panels.data()) % 64;
    for (std::size_t r = 0; r < rows; r += nibble::panel::rows) {
        const std::size_t here = rows - r < nibble::panel::rows ? rows - r : nibble::panel::rows;
        nibble::kernel<op::fill_panel, F, isa::reference>::entry(packed + r * nibble::row_bytes<F>(cols), here, cols,
                                                                first_panel + nibble::panel::bytes<F>(r, cols));
    }
    for (std::size_t count = 1; count <= most; count += count < 20 ? 1 : 11) {
        check<op::linear, F>(o, count, packed);
        check<op::panel_linear, F>(o, count, first_panel);
    }
}

template <class... F>
void check_formats(nibble::format_list<F...>) {
    const auto check_format = [](auto format) {
        using T = decltype(format);
        if constexpr (nibble::affine_format<T>) {
            for (const std::size_t cols : {32u, 256u, 300u, 1290u, 2336u}) {
                for (const std::size_t rows : {1u, 5u, 16u, 37u}) check<T>(rows, cols);
            }
        }
    };
    (check_format(F{}), ...);
}

}  // namespace

int main() {
    if (!nibble::is_supported(isa::avx512)) {
        std::printf("SKIP: without AVX-512 VNNI no processor runs this; one with AVX-VNNI tests the level itself, with algo/linear.avxvnni\n");
        return 77;
    }
    check_formats(nibble::all_formats{});
    std::printf("%zu products failed\n", failures);
    return failures == 0 ? 0 : 1;
}
