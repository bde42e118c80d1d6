// The executors that docs/engine.md shows, OpenMP and oneTBB: the results of one thread.
#include "support/test.hpp"

#include <nibble/nibble.hpp>
#if defined(NIBBLE_TEST_TBB)
#include <oneapi/tbb/parallel_for.h>
#endif

#include "support/floats.hpp"

#if defined(_OPENMP) || defined(NIBBLE_TEST_TBB)
using nibble::shape;
using support::noise;

namespace {

template <class F>
void check(nibble::executor threads) {
    const shape s{211, 512};
    const std::size_t count = 9;
    const auto w = noise(s.elements(), 1), x = noise(count * s.cols, 2);
    const auto one = nibble::quantizer<F>()({w.data(), s}), many = nibble::quantizer<F>({.threads = threads})({w.data(), s});
    REQUIRE((one && many));
    CHECK(std::ranges::equal(one->bytes(), many->bytes()));
    std::vector<float> y_of_one(count * s.rows), y_of_many(count * s.rows);
    const nibble::dense_view<const float> in(x.data(), shape{count, s.cols});
    const shape out{count, s.rows};
    REQUIRE(static_cast<bool>(nibble::gemm(*one, in, nibble::dense_view<float>(y_of_one.data(), out))));
    REQUIRE(static_cast<bool>(nibble::gemm(*one, in, nibble::dense_view<float>(y_of_many.data(), out), threads)));
    CHECK(y_of_one == y_of_many);
}

}  // namespace

#if defined(_OPENMP)
TEMPLATE_TEST_CASE("OpenMP", "", nibble::q4_0, nibble::q6_k) {
    auto openmp = [](std::size_t n, nibble::task piece) {
#pragma omp parallel for schedule(dynamic)
        for (long long i = 0; i < static_cast<long long>(n); ++i) piece(static_cast<std::size_t>(i));
    };
    check<TestType>(openmp);
}
#endif

#if defined(NIBBLE_TEST_TBB)
TEMPLATE_TEST_CASE("oneTBB", "", nibble::q4_0, nibble::q6_k) {
    auto tbb = [](std::size_t n, nibble::task piece) { oneapi::tbb::parallel_for(std::size_t{0}, n, piece); };
    check<TestType>(tbb);
}
#endif

#else
TEST_CASE("neither OpenMP nor oneTBB") { nibble::test::skip("this build has neither OpenMP nor oneTBB"); }
#endif
