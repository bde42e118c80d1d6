// y = x W^T with 1, 4, 16 and 512 rows of x, in Gmac/s, through the public functions: the quantization of x is part of it, on both
// sides. Ours on packed rows as files hold them and on panels; ggml's on plain, interleaved and, at level amx, tiled weights. The better
// of ours is compared with the better of theirs. For one row of x the read bandwidth over the same bytes is measured in between, for
// many the multiply-accumulate peak.
#include <cmath>
#include <memory>

#include "limits.hpp"
#include "suite.hpp"

namespace {

/// Relative difference of two results, in the root mean square. Both sides round x to 8 bits, in different ways.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
    double error = 0, total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
        total += static_cast<double>(b[i]) * b[i];
    }
    return std::sqrt(error / total);
}

template <class F>
nibble::shape weight_shape() {
    constexpr std::size_t cols = 4096, large = std::size_t{512} << 20;
    if (!suite::settings::of_run().dram) return {4096, cols};
    return {large / nibble::row_bytes<F>(cols) / 16 * 16, cols};
}

template <class F>
double measure(benchmark::State& state, std::size_t count) {
    auto& ggml = suite::settings::of_run().ggml;
    const auto shape = weight_shape<F>();
    const auto weights = suite::packed_weights<F>(shape);
    const auto panels = nibble::repack(weights);
    const auto x = suite::gaussian(count * shape.cols, 5);
    std::vector<float> y(count * shape.rows), other(y.size());
    const nibble::dense_view<const float> in(x, {count, shape.cols});
    const nibble::dense_view<float> out(y.data(), {count, shape.rows});

    std::vector<std::function<void()>> contestants(2);
    if (count == 1) {
        contestants[0] = [&] { (void)nibble::gemv(weights, x, y); };
        contestants[1] = [&] { (void)nibble::gemv(*panels, x, y); };
    } else {
        contestants[0] = [&] { (void)nibble::gemm(weights, in, out); };
        contestants[1] = [&] { (void)nibble::gemm(*panels, in, out); };
    }
    std::vector<std::unique_ptr<peer::ggml::product>> theirs;
    bool same = true;
    for (const auto where : {peer::weights::plain, peer::weights::repacked, peer::weights::amx}) {
        contestants.emplace_back();
        const bool amx = where == peer::weights::amx;
        if (!suite::peer_knows<F>() || (amx && nibble::active_isa() != nibble::isa::amx)) continue;
        theirs.push_back(std::make_unique<peer::ggml::product>(ggml, F::gguf_type, weights.data(), weights.bytes().size(),
                                                               static_cast<std::int64_t>(shape.rows), static_cast<std::int64_t>(shape.cols),
                                                               static_cast<std::int64_t>(count), x.data(), where));
        auto* product = theirs.back().get();
        if (!*product) continue;
        contestants.back() = [product] { product->run(); };
        product->run();
        product->read(other.data(), other.size() * sizeof(float));
        for (std::size_t ours = 0; ours < 2; ++ours) {
            contestants[ours]();
            same = same && difference(y, other) < 0.03;
        }
    }
    const auto peak = limits::multiply_peak(nibble::active_isa());
    contestants.emplace_back([&] { limits::read(weights.bytes()); });  // at any count: the limit of few columns
    contestants.emplace_back(peak.run);
    const auto seconds = suite::race(contestants);

    const double work = static_cast<double>(shape.elements() * count);
    const auto gmacs = [&](std::size_t i) { return suite::rate(work, seconds[i]); };
    suite::report(state, std::max(gmacs(0), gmacs(1)), std::max({gmacs(2), gmacs(3), gmacs(4)}));
    const char* names[] = {"ours_plain", "ours_panel", "ggml_plain", "ggml_repacked", "ggml_amx"};
    for (std::size_t i = 0; i < 5; ++i) suite::report(state, names[i], gmacs(i));
    // The limits in the same unit: all weights read once, and the multiplier of the core never idle.
    const double multiply = suite::rate(peak.work, seconds[6]);
    if (count == 1) suite::report(state, "limit_read", gmacs(5));
    suite::report(state, "limit_multiply", multiply);
    const double limit = multiply > 0 ? std::min(multiply, gmacs(5)) : gmacs(5);
    suite::report(state, "share_of_limit", std::max(gmacs(0), gmacs(1)) / limit);
    if (!theirs.empty() && !same) state.SetLabel("OTHER RESULT");
    return std::min(seconds[0], seconds[1]);
}

const suite::registration added([] {
    suite::for_formats([](auto format) {
        using F = decltype(format);
        for (const std::size_t count : {1, 4, 16, 512}) {
            if (count > 16 && suite::settings::of_run().dram) continue;
            suite::add("product/" + std::string(F::name) + "/columns:" + std::to_string(count),
                       [count](benchmark::State& state) { return measure<F>(state, count); });
        }
    });
});

}  // namespace
