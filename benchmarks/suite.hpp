// What all benchmarks share: the level of a run and the peer that belongs to it, the loop over formats, test data, and races.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ggml_peer.hpp"
#include "nibble/nibble.hpp"

// A benchmark is compiled in parts, each with a share of the formats; developers may compile only the formats that they work on.
#if !defined(NIBBLE_BENCHMARK_PARTS)
#define NIBBLE_BENCHMARK_PART 0
#define NIBBLE_BENCHMARK_PARTS 1
#endif
#if !defined(NIBBLE_BENCHMARK_FORMATS)
#define NIBBLE_BENCHMARK_FORMATS ""
#endif

namespace suite {

/// One run measures one level against one build of ggml.
struct settings {
    peer::ggml ggml;
    bool quick = false;  ///< figures in seconds, good to about ten percent
    bool dram = false;   ///< weights that no cache holds
    /// The run's settings; main() fills them in before benchmarks are registered.
    static settings& of_run() {
        static settings run;
        return run;
    }
};

template <class F>
bool peer_knows() {
    return settings::of_run().ggml.knows(F::gguf_type, F::block_size, sizeof(typename F::block));
}

// --- registration -----------------------------------------------------------------------------------------------------------

/// Registers benchmarks once main() knows the settings: a global of this type in each operation's file.
struct registration {
    explicit registration(void (*add)()) { all().push_back(add); }
    static std::vector<void (*)()>& all() {
        static std::vector<void (*)()> list;
        return list;
    }
};

/// One benchmark whose body measures everything itself and returns the seconds of one call of ours.
template <class Body>
void add(const std::string& name, Body body) {
    benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
        for (auto _ : state) state.SetIterationTime(body(state));
    })->UseManualTime()->Unit(benchmark::kMicrosecond);
}

namespace detail {
/// True if the list "a,b,c" is empty or contains the word.
constexpr bool listed(std::string_view list, std::string_view word) {
    if (list.empty()) return true;
    for (;;) {
        const std::size_t end = list.find(',');
        if (list.substr(0, end) == word) return true;
        if (end == std::string_view::npos) return false;
        list.remove_prefix(end + 1);
    }
}

template <std::size_t I, class F, class Fn>
void visit_if_here(std::size_t, Fn& fn) {
    constexpr std::size_t part = I * NIBBLE_BENCHMARK_PARTS / nibble::all_formats::size;
    if constexpr (part == NIBBLE_BENCHMARK_PART && listed(NIBBLE_BENCHMARK_FORMATS, F::name)) fn(F{});
}
template <class... Fs, std::size_t... I, class Fn>
void for_formats(nibble::format_list<Fs...>, std::index_sequence<I...>, Fn& fn) {
    (visit_if_here<I, Fs>(I, fn), ...);
}
}  // namespace detail

/// Calls fn(format) for each format of this part.
template <class Fn>
void for_formats(Fn fn) {
    detail::for_formats(nibble::all_formats{}, std::make_index_sequence<nibble::all_formats::size>{}, fn);
}

// --- data -------------------------------------------------------------------------------------------------------------------

inline std::vector<float> gaussian(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> next(0.0f, 1.0f);
    std::vector<float> values(count);
    for (auto& value : values) value = next(random);
    return values;
}

/// A weight for each column, as an importance matrix has them: positive, over two orders of magnitude.
inline std::vector<float> importance_of(std::size_t cols) {
    auto values = gaussian(cols, 7);
    for (auto& value : values) value = value * value + 0.01f;
    return values;
}

/// A packed matrix. Few rows are really quantized and the others copies of them: the speed of a product does not depend on values.
template <class F>
nibble::packed_tensor<F> packed_weights(nibble::shape s) {
    const std::size_t distinct = std::min<std::size_t>(s.rows, 32);
    auto tensor = std::move(*nibble::packed_tensor<F>::make(s));
    const auto values = gaussian(distinct * s.cols, 3);
    nibble::quantize_options options;
    const auto importance = importance_of(s.cols);
    options.importance = importance;
    const std::size_t bytes = distinct * nibble::row_bytes<F>(s.cols);
    if (!nibble::quantize<F>(values, {tensor.data(), bytes}, {distinct, s.cols}, options)) std::abort();
    for (std::size_t at = bytes; at < tensor.bytes().size(); at += bytes) {
        std::copy_n(tensor.data(), std::min(bytes, tensor.bytes().size() - at), tensor.data() + at);
    }
    return tensor;
}

// --- races ------------------------------------------------------------------------------------------------------------------

using clock = std::chrono::steady_clock;

inline double seconds_of(const std::function<void()>& run, std::size_t calls) {
    const auto start = clock::now();
    for (std::size_t i = 0; i < calls; ++i) run();
    return std::chrono::duration<double>(clock::now() - start).count() / static_cast<double>(calls);
}

/// Whether two contestants leave the same bytes in `out`. Contestants write to one place: where two buffers lie makes up to a sixth of the speed of
/// conversions, for either side.
template <class T>
bool same_results(std::vector<T>& out, const std::function<void()>& ours, const std::function<void()>& theirs) {
    ours();
    const std::vector<T> written = out;
    std::memset(out.data(), 0xA5, out.size() * sizeof(T));
    theirs();
    return std::memcmp(written.data(), out.data(), out.size() * sizeof(T)) == 0;
}

/// Runs the contestants in turn (A B C A B C ...), so that a slow moment of the machine meets all of them, and returns the seconds
/// of a call of each: the minimum over all samples. An empty contestant does not run and gets 0.
inline std::vector<double> race(const std::vector<std::function<void()>>& contestants) {
    constexpr double sample = 50e-6, burst = 4e-3, long_call = 20e-3;
    const bool quick = settings::of_run().quick;
    const double budget = quick ? 0.02 : 0.1;
    const int least = quick ? 2 : 3;
    std::vector<double> best(contestants.size(), 0.0), spent(contestants.size(), 0.0);
    std::vector<std::size_t> calls(contestants.size(), 1);
    for (int round = 0;; ++round) {
        bool again = false;
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            const auto& run = contestants[i];
            if (!run || (round >= least && spent[i] > budget)) continue;
            again = true;
            // The first call of a burst brings the data back into the cache; calls of many milliseconds need no such thing.
            if (round == 0 || best[i] < long_call) {
                const double once = seconds_of(run, 1);
                if (round == 0) {
                    best[i] = once;
                    calls[i] = std::max<std::size_t>(1, static_cast<std::size_t>(sample / (once + 1e-9)));
                    if (once >= long_call) {
                        spent[i] += once;
                        continue;
                    }
                }
            }
            double here = 0;
            do {
                const double once = seconds_of(run, calls[i]);
                here += once * static_cast<double>(calls[i]);
                best[i] = std::min(best[i], once);
                calls[i] = std::max<std::size_t>(1, static_cast<std::size_t>(sample / (best[i] + 1e-9)));
            } while (here < burst);
            spent[i] += here;
        }
        if (!again) return best;
    }
}

/// work / seconds in billions a second; 0 for a contestant that did not run.
inline double rate(double work, double seconds) { return seconds > 0 ? work / seconds * 1e-9 : 0; }

/// Writes a counter unless it is 0: "did not run".
inline void report(benchmark::State& state, const char* name, double value) {
    if (value > 0) state.counters[name] = value;
}

/// Our rate, ggml's, and the ratio.
inline void report(benchmark::State& state, double ours, double ggml) {
    report(state, "ours", ours);
    report(state, "ggml", ggml);
    if (ggml > 0) report(state, "ratio", ours / ggml);
}

}  // namespace suite
