// Built with ThreadSanitizer: what several threads share in nibble, the pool, the active level, tables that are made on first use, the
// pieces of one call and several calls at once, without a race and with the results of one thread.
#include "support/test.hpp"

#include <chrono>
#include <nibble/algo/thread_pool.hpp>
#include <nibble/nibble.hpp>
#include <thread>

#include "support/floats.hpp"

using nibble::shape;
using support::noise;

namespace {

/// What a program computes with one matrix.
struct results {
    std::vector<std::byte> packed;
    std::vector<float> decoded, y, panels;

    bool operator==(const results&) const = default;
};
template <class F>
results compute(const std::vector<float>& w, shape s, const std::vector<float>& x, std::size_t count, nibble::executor threads) {
    results r;
    r.packed.resize(s.rows * nibble::row_bytes<F>(s.cols));
    r.decoded.resize(s.elements());
    r.y.resize(count * s.rows);
    r.panels.resize(count * s.rows);
    bool fine = static_cast<bool>(nibble::quantize<F>(w, r.packed, s, {.threads = threads}));
    const auto view = nibble::view<F>(r.packed, s);
    fine = fine && view && nibble::dequantizer<F>(threads)(*view, nibble::dense_view<float>(r.decoded.data(), s));
    const nibble::dense_view<const float> in(x.data(), shape{count, s.cols});
    const shape out{count, s.rows};
    fine = fine && nibble::gemm(*view, in, nibble::dense_view<float>(r.y.data(), out), threads);
    const auto panel = nibble::repack(*view, threads);
    fine = fine && panel && nibble::gemm(*panel, in, nibble::dense_view<float>(r.panels.data(), out), threads);
    if (!fine) r = {};
    return r;
}

}  // namespace

TEMPLATE_TEST_CASE("threads share a pool and the library without a race", "", nibble::q4_0, nibble::q4_k, nibble::iq3_xxs) {
    using F = TestType;
    const shape s{131, 512};
    const std::size_t count = 13;
    const auto w = noise(s.elements(), 1), x = noise(count * s.cols, 2);
    nibble::thread_pool pool(4);
    results found[3];
    {
        std::vector<std::thread> callers;  // the first of them makes the tables
        for (results& r : found) callers.emplace_back([&] { r = compute<F>(w, s, x, count, pool); });
        for (auto& caller : callers) caller.join();
    }
    const results expected = compute<F>(w, s, x, count, {});
    REQUIRE(!expected.packed.empty());
    for (const results& r : found) CHECK(r == expected);
}

TEST_CASE("pools come and go, work or none, few pieces or many") {
    for (std::size_t threads = 1; threads <= 5; ++threads) {
        nibble::thread_pool pool(threads);
        for (const std::size_t pieces : {0u, 1u, 20u, 1000u}) {
            std::vector<int> runs(pieces);
            auto once = [&](std::size_t i) {
                ++runs[i];
                if (pieces < 100) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // for the others to get pieces too
            };
            pool(pieces, nibble::task(once));
            CHECK(runs == std::vector<int>(pieces, 1));
        }
    }
}

TEST_CASE("threads of a pool get calls while they are awake and when they sleep") {
    nibble::thread_pool pool(3);
    for (const auto pause : {std::chrono::microseconds(0), std::chrono::microseconds(50), std::chrono::microseconds(2000)}) {
        for (int call = 0; call < 100; ++call) {
            std::vector<int> runs(6);
            auto once = [&](std::size_t i) { ++runs[i]; };
            pool(runs.size(), nibble::task(once));
            if (runs != std::vector<int>(6, 1)) FAIL("call " << call << " after pauses of " << pause.count());
            std::this_thread::sleep_for(pause);
        }
    }
}

TEST_CASE("one thread limits the level while others work") {
    const shape s{64, 256};
    const auto w = noise(s.elements(), 3), x = noise(s.cols, 4);
    const results expected = compute<nibble::q4_0>(w, s, x, 1, {});
    std::thread other([&] {
        for (int i = 0; i < 200; ++i) const nibble::scoped_isa limit(nibble::isa::reference);
    });
    std::size_t different = 0;
    for (int i = 0; i < 50; ++i) different += compute<nibble::q4_0>(w, s, x, 1, {}).packed != expected.packed;
    other.join();
    CHECK(different == 0);
}
