// Quantization of activations: the formats that are the companion of others, in GB of floats a second, against the CPU library of ggml.
// One row of 4096 floats, and 512 of them.
#include "suite.hpp"

namespace {

constexpr std::size_t cols = 4096;

template <class F>
double measure(benchmark::State& state, std::size_t rows) {
    const auto x = suite::gaussian(rows * cols, 1);
    std::vector<std::byte> out(rows * nibble::row_bytes<F>(cols));
    peer::ggml::from_floats encode = nullptr;
    if (suite::peer_knows<F>()) encode = suite::settings::of_run().ggml.fast_encoder(F::gguf_type);
    const std::function<void()> ours = [&] { (void)nibble::quantize<F>(x, out, {rows, cols}); };
    std::function<void()> theirs;
    if (encode != nullptr) theirs = [&] { encode(x.data(), out.data(), static_cast<std::int64_t>(x.size())); };
    const auto seconds = suite::race({ours, theirs});
    const double work = static_cast<double>(x.size() * sizeof(float));
    suite::report(state, suite::rate(work, seconds[0]), suite::rate(work, seconds[1]));
    if (theirs) state.SetLabel(suite::same_results(out, ours, theirs) ? "same bytes" : "other bytes");
    return seconds[0];
}

template <class A, class... Fs>
constexpr bool is_companion(nibble::format_list<Fs...>) {
    const auto names = []<class F>(F) {
        if constexpr (requires { typename F::companion; }) return std::is_same_v<typename F::companion, A>;
        else return false;
    };
    return (names(Fs{}) || ...);
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        if constexpr (F::block_size > 1 && is_companion<F>(nibble::all_formats{})) {
            for (const std::size_t rows : {1, 512}) {
                suite::add("activation/" + std::string(F::name) + "/rows:" + std::to_string(rows),
                           [rows](benchmark::State& state) { return measure<F>(state, rows); });
            }
        }
    });
});

}  // namespace
