// Threads are yours: nibble starts none by itself. Its pool, your pool, OpenMP and oneTBB all plug in as a callable.
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>

#include <cstdio>
#include <thread>
#include <vector>
#if defined(NIBBLE_EXAMPLE_TBB)
#include <tbb/parallel_for.h>
#endif

int main() {
    constexpr nibble::shape shape{512, 512};
    const std::vector<float> weights(shape.elements(), 0.5f), x(shape.cols, 1.0f);
    std::vector<float> y(shape.rows);

    nibble::thread_pool pool(2);  // an application makes one and shares it
    const auto packed = nibble::quantizer<nibble::q4_0>({.threads = pool})({weights.data(), shape});
    if (!packed || !nibble::gemv(*packed, x, y, pool)) return 1;
    std::printf("nibble's pool: %.1f\n", static_cast<double>(y[0]));

    // Anything that calls piece(i) for i in 0 .. n - 1 and returns when all are done.
    auto two_threads = [](std::size_t n, nibble::task piece) {
        std::thread other([&] { for (std::size_t i = 1; i < n; i += 2) piece(i); });
        for (std::size_t i = 0; i < n; i += 2) piece(i);
        other.join();
    };
    if (!nibble::gemv(*packed, x, y, two_threads)) return 1;
    std::printf("two threads: %.1f\n", static_cast<double>(y[0]));

    auto openmp = [](std::size_t n, nibble::task piece) {
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic)
#endif
        for (std::size_t i = 0; i < n; ++i) piece(i);
    };
    if (!nibble::gemv(*packed, x, y, openmp)) return 1;
    std::printf("OpenMP: %.1f\n", static_cast<double>(y[0]));

#if defined(NIBBLE_EXAMPLE_TBB)
    auto tbb = [](std::size_t n, nibble::task piece) { tbb::parallel_for(std::size_t{0}, n, piece); };
    if (!nibble::gemv(*packed, x, y, tbb)) return 1;
    std::printf("oneTBB: %.1f\n", static_cast<double>(y[0]));
#endif
}
