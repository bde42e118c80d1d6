// Dot products of packed rows with one packed row of the companion, in Gmac/s, against the row function of ggml's CPU library: the keys of a cache,
// whose heads have 128 elements, where blocks allow it, and rows of 4096. All rows lie in the L2 cache.
#include <cmath>

#include "suite.hpp"

namespace {

template <class F>
double measure(benchmark::State& state, std::size_t cols) {
    using companion = typename F::companion;
    const nibble::shape shape{32768 / cols, cols};
    const auto keys = suite::packed_weights<F>(shape);
    const auto query = suite::packed_weights<companion>({1, cols});
    const auto view = keys.view();
    std::vector<float> products(shape.rows);
    peer::ggml::dot_product dot = nullptr;
    if (suite::peer_knows<F>()) dot = suite::settings::of_run().ggml.dot(F::gguf_type, companion::gguf_type);

    const std::function<void()> ours = [&] {
        for (std::size_t r = 0; r < shape.rows; ++r) products[r] = *nibble::dot(view.rows_from(r, 1), query.view());
    };
    std::function<void()> theirs;
    if (dot != nullptr) {
        theirs = [&] {
            for (std::size_t r = 0; r < shape.rows; ++r) dot(static_cast<int>(cols), &products[r], 0, view.row(r).data(), 0, query.data(), 0, 1);
        };
    }
    const auto seconds = suite::race({ours, theirs});
    const double work = static_cast<double>(shape.elements());
    suite::report(state, suite::rate(work, seconds[0]), suite::rate(work, seconds[1]));
    if (theirs) {
        ours();
        const std::vector<float> own = products;
        theirs();
        bool close = true;
        for (std::size_t r = 0; r < shape.rows; ++r) close = close && std::fabs(own[r] - products[r]) <= 1e-3f * std::sqrt(static_cast<float>(cols));
        state.SetLabel(close ? "same products" : "OTHER PRODUCTS");
    }
    return seconds[0];
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::has_companion<F>) {
            for (const std::size_t cols : {128, 4096}) {
                if (cols % F::block_size != 0) continue;
                suite::add("dot/" + std::string(F::name) + "/length:" + std::to_string(cols),
                           [cols](benchmark::State& state) { return measure<F>(state, cols); });
            }
        }
    });
});

}  // namespace
