// Eigen in and out: row-major matrices are passed as views, results are written into Eigen's memory.
#include <Eigen/Core>
#include <nibble/nibble.hpp>

#include <cstdio>

int main() {
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const matrix weights = 0.1f * matrix::Random(64, 256), x = matrix::Random(8, 256);

    const nibble::shape shape{static_cast<std::size_t>(weights.rows()), static_cast<std::size_t>(weights.cols())};
    const auto packed = nibble::quantizer<nibble::q6_k>{}({weights.data(), shape});
    if (!packed) return 1;

    matrix y(8, 64);
    if (!nibble::gemm(*packed, {x.data(), nibble::shape{8, 256}}, nibble::dense_view<float>{y.data(), nibble::shape{8, 64}})) return 1;

    const matrix exact = x * weights.transpose();
    std::printf("relative error of the product: %.4f\n", static_cast<double>((y - exact).norm() / exact.norm()));
    return (y - exact).norm() < 0.02f * exact.norm() ? 0 : 1;
}
