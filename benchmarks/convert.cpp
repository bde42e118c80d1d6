// Conversions between f32 and shorter floats, in GB of f32 a second: 64 K elements, which stay in the cache. ggml: the better of its
// base and its CPU library.
#include "suite.hpp"

namespace {

constexpr std::size_t count = 65536;

template <class Function>
std::vector<Function> functions_of(const std::string& base, const std::string& cpu) {
    const auto& ggml = suite::settings::of_run().ggml;
    std::vector<Function> found;
    for (const auto& name : {base, cpu}) {
        if (void* symbol = ggml.symbol(name)) found.push_back(reinterpret_cast<Function>(symbol));
    }
    return found;
}

template <class T>
double measure(benchmark::State& state, std::vector<T>& out, const std::function<void()>& ours, const std::vector<std::function<void()>>& theirs,
               const std::string& what) {
    std::vector<std::function<void()>> contestants{ours};
    contestants.insert(contestants.end(), theirs.begin(), theirs.end());
    const auto seconds = suite::race(contestants);
    double best = 0;
    for (std::size_t i = 1; i < seconds.size(); ++i) best = std::max(best, suite::rate(count * sizeof(float), seconds[i]));
    suite::report(state, suite::rate(count * sizeof(float), seconds[0]), best);
    bool same = true;
    for (const auto& peer : theirs) same = same && suite::same_results(out, ours, peer);
    if (!theirs.empty()) state.SetLabel((same ? "same " : "OTHER ") + what);
    return seconds[0];
}

/// ggml spells f16 "fp16" and bf16 "bf16".
template <class F>
std::string peer_name() {
    const std::string name(F::name);
    return name[0] == 'f' ? "fp" + name.substr(1) : name;
}

template <class F>
double measure_from_f32(benchmark::State& state) {
    const auto x = suite::gaussian(count, 1);
    std::vector<std::byte> out(nibble::row_bytes<F>(count));
    std::vector<std::function<void()>> theirs;
    const std::string base = "ggml_fp32_to_" + peer_name<F>() + "_row", cpu = "ggml_cpu_fp32_to_" + peer_name<F>();
    for (const auto convert : functions_of<peer::ggml::from_floats>(base, cpu)) {
        theirs.push_back([&, convert] { convert(x.data(), out.data(), count); });
    }
    return measure(state, out, [&] { (void)nibble::quantize<F>(x, out, {1, count}); }, theirs, "bytes");
}

template <class F>
double measure_to_f32(benchmark::State& state) {
    const auto x = suite::packed_weights<F>({1, count});
    std::vector<float> out(count);
    std::vector<std::function<void()>> theirs;
    const std::string base = "ggml_" + peer_name<F>() + "_to_fp32_row", cpu = "ggml_cpu_" + peer_name<F>() + "_to_fp32";
    for (const auto convert : functions_of<peer::ggml::to_floats>(base, cpu)) {
        theirs.push_back([&, convert] { convert(x.data(), out.data(), count); });
    }
    return measure(state, out, [&] { (void)nibble::dequantize<F>(x.view(), out); }, theirs, "floats");
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        if constexpr (F::block_size == 1 && sizeof(typename F::block) < sizeof(float)) {
            const std::string name(F::name);
            suite::add("convert/f32_to_" + name, [](benchmark::State& state) { return measure_from_f32<F>(state); });
            suite::add("convert/" + name + "_to_f32", [](benchmark::State& state) { return measure_to_f32<F>(state); });
        }
    });
});

}  // namespace
