// Eigen in and out: the same memory, no copy, and what does not fit is refused by the compiler or by an error.
#include <nibble/eigen.hpp>
#include <nibble/nibble.hpp>

#include "support/test.hpp"

namespace {

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using column_major = Eigen::MatrixXf;

template <class M>
concept viewable = requires {
    nibble::as_view(std::declval<M>());
};
template <class M>
concept spannable = requires {
    nibble::as_span(std::declval<M>());
};

static_assert(viewable<row_major&> && viewable<const row_major&>);
static_assert(!viewable<row_major>, "a temporary matrix would be gone before its view is used");
static_assert(!viewable<column_major&>, "its rows are not contiguous");
static_assert(viewable<Eigen::Transpose<column_major>> && viewable<Eigen::Map<row_major>> && viewable<Eigen::Ref<const row_major>&>);
static_assert(viewable<Eigen::VectorXf&> && viewable<Eigen::RowVectorXf&>);
static_assert(!viewable<Eigen::MatrixXd&> && !viewable<Eigen::Matrix<double, 2, 2, Eigen::RowMajor>&>);
static_assert(!viewable<decltype(row_major() + row_major())>, "an expression has no memory");
static_assert(spannable<column_major&> && !spannable<column_major> && !spannable<decltype(row_major() * 2.0f)>);
static_assert(std::same_as<decltype(*nibble::as_view(std::declval<row_major&>())), nibble::dense_view<float>&&>);
static_assert(std::same_as<decltype(*nibble::as_view(std::declval<const row_major&>())), nibble::dense_view<const float>&&>);

}  // namespace

TEST_CASE("a row-major matrix is a view, and a view is a matrix") {
    row_major m(3, 5);
    for (Eigen::Index i = 0; i < 15; ++i) m.data()[i] = static_cast<float>(i);
    const auto view = nibble::as_view(m);
    REQUIRE(view);
    CHECK(view->data() == m.data());
    CHECK(view->shape() == nibble::shape{3, 5});
    view->row(2)[4] = -1.0f;
    CHECK(m(2, 4) == -1.0f);

    auto map = nibble::as_eigen(*view);
    CHECK(map.data() == m.data());
    CHECK(map(1, 2) == 7.0f);
    map(0, 0) = 9.0f;
    CHECK(m(0, 0) == 9.0f);
    const nibble::dense_view<const float> constant = *view;
    CHECK(nibble::as_eigen(constant).sum() == m.sum());

    std::vector<float> values = {1, 2, 3};
    CHECK(nibble::as_eigen(std::span(values)).sum() == 6.0f);
    CHECK(nibble::as_eigen(std::span<const float>(values))(2) == 3.0f);
    CHECK(nibble::as_eigen(nibble::dense_view<float>()).size() == 0);
}

TEST_CASE("column-major matrices by their transpose, blocks only without gaps") {
    column_major m = column_major::Random(4, 6);
    const auto turned = nibble::as_view(m.transpose());
    REQUIRE(turned);
    CHECK(turned->shape() == nibble::shape{6, 4});
    CHECK(turned->row(5)[3] == m(3, 5));

    row_major r = row_major::Random(4, 6);
    const auto top = nibble::as_view(r.middleRows(1, 2));
    REQUIRE(top);
    CHECK(top->shape() == nibble::shape{2, 6});
    CHECK(top->data() == r.data() + 6);
    CHECK(nibble::as_view(r.leftCols(3)).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_view(r.block(1, 2, 1, 3)).error() == nibble::errc::ok);  // one row has no gap
    CHECK(nibble::as_view(r.block(0, 2, 0, 3)).error() == nibble::errc::ok);
    CHECK(nibble::as_view(r.row(2)).error() == nibble::errc::ok);
    CHECK(nibble::as_span(r.row(2))->data() == r.data() + 12);
    CHECK(nibble::as_view(r.col(2)).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_span(r.col(2)).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_span(m.col(2))->data() == m.data() + 8);
    CHECK(nibble::as_span(r.leftCols(3)).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_span(m)->size() == 24);
    using gapped = Eigen::Map<row_major, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
    CHECK(nibble::as_view(gapped(r.data(), 2, 2, {6, 2})).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_view(gapped(r.data(), 2, 2, {4, 2})).error() == nibble::errc::invalid_argument);
    CHECK(nibble::as_view(gapped(r.data(), 2, 2, {2, 1})).error() == nibble::errc::ok);

    Eigen::VectorXf column = Eigen::VectorXf::Ones(7);
    CHECK(nibble::as_view(column)->shape() == nibble::shape{7, 1});
    CHECK(nibble::as_view(column.transpose())->shape() == nibble::shape{1, 7});
    row_major none(0, 5);
    CHECK(nibble::as_view(none)->shape() == nibble::shape{0, 5});
}

TEST_CASE("quantize, multiply and dequantize Eigen's matrices") {
    const row_major weights = 0.02f * row_major::Random(7, 96);
    const Eigen::VectorXf x = Eigen::VectorXf::Random(96);
    Eigen::VectorXf y(7);
    const auto packed = nibble::quantizer<nibble::q8_0>()(*nibble::as_view(weights));
    REQUIRE(packed);
    REQUIRE(nibble::gemv(*packed, *nibble::as_span(x), *nibble::as_span(y)));
    row_major decoded(7, 96);
    REQUIRE(nibble::dequantize(packed->view(), *nibble::as_span(decoded)));
    // Half a step, and the rounding of the scale to fp16 (2^-11 of the value).
    CHECK((decoded - weights).cwiseAbs().maxCoeff() <= 0.02f * (1.0f / 254 + 1.0f / 2048));
    const Eigen::VectorXf expected = decoded * x;
    CHECK((y - expected).cwiseAbs().maxCoeff() <= 96 * 0.02f / 254 + 1e-5f);
}
