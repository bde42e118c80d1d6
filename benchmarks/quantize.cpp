// Floats to packed rows of 4096, in GB of floats a second, against libggml-base.so. Both write the same bytes, or the row says so.
#include "suite.hpp"

namespace {

constexpr std::size_t cols = 4096, most_rows = 4096;

/// The first rows of one matrix. No row comes twice: branches that depend on values would be predicted as no user's are.
std::span<const float> fresh_rows(std::size_t rows) {
    static const auto matrix = suite::gaussian(most_rows * cols, 1);
    return std::span(matrix).first(rows * cols);
}

template <class F>
double measure(benchmark::State& state, bool weighted) {
    auto& ggml = suite::settings::of_run().ggml;
    const auto importance = suite::importance_of(cols);
    nibble::quantize_options options;
    if (weighted) options.importance = importance;

    std::function<void(const float*, std::byte*, std::size_t)> theirs;
    if (suite::peer_knows<F>() && F::gguf_type != nibble::f32::gguf_type) {
        constexpr auto type = static_cast<std::uint32_t>(F::gguf_type);
        if constexpr (requires { typename F::companion; }) {
            if (weighted || !ggml.needs_importance(type)) {
                theirs = [&ggml, weights = weighted ? importance.data() : nullptr](const float* x, std::byte* out, std::size_t rows) {
                    ggml.quantize(type, x, out, static_cast<std::int64_t>(rows), cols, weights);
                };
            }
        } else if (const auto encode = ggml.reference_encoder(type); encode != nullptr && !weighted) {
            theirs = [encode](const float* x, std::byte* out, std::size_t rows) { encode(x, out, static_cast<std::int64_t>(rows * cols)); };
        }
    }

    // Slow searches get fewer rows: what they do from one row to the next is the same.
    const auto probe = fresh_rows(4);
    std::vector<std::byte> packed(4 * nibble::row_bytes<F>(cols));
    const double slowest = suite::seconds_of(
        [&] {
            if (theirs) theirs(probe.data(), packed.data(), 4);
            else (void)nibble::quantize<F>(probe, packed, {4, cols}, options);
        },
        1);
    const double budget = suite::settings::of_run().quick ? 0.03 : 0.1;
    const std::size_t rows = std::clamp<std::size_t>(static_cast<std::size_t>(4 * budget / slowest), 64, most_rows);

    const auto x = fresh_rows(rows);
    const nibble::shape shape{rows, cols};
    std::vector<std::byte> out(rows * nibble::row_bytes<F>(cols));
    const std::function<void()> ours = [&] { (void)nibble::quantize<F>(x, out, shape, options); };
    std::function<void()> peer;
    if (theirs) peer = [&] { theirs(x.data(), out.data(), rows); };
    const auto seconds = suite::race({ours, peer});
    const double work = static_cast<double>(x.size() * sizeof(float));
    suite::report(state, suite::rate(work, seconds[0]), suite::rate(work, seconds[1]));
    if (theirs) state.SetLabel(suite::same_results(out, ours, peer) ? "same bytes" : "OTHER BYTES");
    return seconds[0];
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        const std::string name(F::name);
        suite::add("quantize/" + name, [](benchmark::State& state) { return measure<F>(state, false); });
        suite::add("quantize_with_importance/" + name, [](benchmark::State& state) { return measure<F>(state, true); });
    });
});

}  // namespace
