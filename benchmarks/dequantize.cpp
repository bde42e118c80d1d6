// Packed rows of 4096 to floats, in GB of floats a second, against libggml-base.so: a whole matrix into 64 MB of memory, and row after
// row into a buffer that stays in the cache, as a lookup of embeddings or a consumer that uses a row at once does it.
#include "suite.hpp"

namespace {

constexpr nibble::shape shape{4096, 4096};

template <class F>
double measure(benchmark::State& state, bool whole) {
    const auto weights = suite::packed_weights<F>(shape);
    const auto view = weights.view();
    std::vector<float> out(whole ? shape.elements() : shape.cols);
    peer::ggml::to_floats decode = nullptr;
    if (suite::peer_knows<F>()) decode = suite::settings::of_run().ggml.decoder(F::gguf_type);

    const std::function<void()> ours = [&] {
        if (whole) return void(nibble::dequantize<F>(view, out));
        for (std::size_t r = 0; r < shape.rows; ++r) (void)nibble::dequantize<F>(view.rows_from(r, 1), out);
    };
    std::function<void()> theirs;
    if (decode != nullptr) {
        theirs = [&] {
            for (std::size_t r = 0; r < shape.rows; ++r) decode(view.row(r).data(), out.data() + (whole ? r * shape.cols : 0), shape.cols);
        };
    }
    const auto seconds = suite::race({ours, theirs});
    const double work = static_cast<double>(shape.elements() * sizeof(float));
    suite::report(state, suite::rate(work, seconds[0]), suite::rate(work, seconds[1]));
    if (theirs) state.SetLabel(suite::same_results(out, ours, theirs) ? "same floats" : "OTHER FLOATS");
    return seconds[0];
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        const std::string name(F::name);
        suite::add("dequantize/" + name, [](benchmark::State& state) { return measure<F>(state, true); });
        suite::add("dequantize_rows/" + name, [](benchmark::State& state) { return measure<F>(state, false); });
    });
});

}  // namespace
