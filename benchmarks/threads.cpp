// Two threads against one, both ours: products with one and 512 columns on panels, and quantize. Needs two idle cores.
#include "nibble/algo/thread_pool.hpp"
#include "suite.hpp"

namespace {

double measure(benchmark::State& state, double work, const std::function<void(nibble::executor)>& run) {
    nibble::thread_pool pool(2);
    const auto seconds = suite::race({[&] { run({}); }, [&] { run(pool); }});
    suite::report(state, "one_thread", suite::rate(work, seconds[0]));
    suite::report(state, "two_threads", suite::rate(work, seconds[1]));
    suite::report(state, "speedup", seconds[0] / seconds[1]);
    return seconds[1];
}

template <class F, std::size_t count>
double measure_product(benchmark::State& state) {
    constexpr nibble::shape shape{4096, 4096};
    const auto panels = nibble::repack(suite::packed_weights<F>(shape));
    const auto x = suite::gaussian(count * shape.cols, 5);
    std::vector<float> y(count * shape.rows);
    return measure(state, static_cast<double>(shape.elements() * count), [&](nibble::executor threads) {
        (void)nibble::gemm(*panels, {x.data(), nibble::shape{count, shape.cols}}, {y.data(), nibble::shape{count, shape.rows}}, threads);
    });
}

template <class F>
double measure_quantize(benchmark::State& state) {
    constexpr nibble::shape shape{512, 4096};
    const auto x = suite::gaussian(shape.elements(), 1);
    std::vector<std::byte> packed(shape.rows * nibble::row_bytes<F>(shape.cols));
    return measure(state, static_cast<double>(x.size() * sizeof(float)), [&](nibble::executor threads) {
        nibble::quantize_options options;
        options.threads = threads;
        (void)nibble::quantize<F>(x, packed, shape, options);
    });
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        const std::string name(F::name);
        suite::add("threads/" + name + "/gemv", measure_product<F, 1>);
        suite::add("threads/" + name + "/product", measure_product<F, 512>);
        suite::add("threads/" + name + "/quantize", measure_quantize<F>);
    });
});

}  // namespace
