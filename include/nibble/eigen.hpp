// Eigen matrices in and out, without a copy: Eigen::Map over our views, and our views over Eigen's memory.
//
//     Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> weights(rows, cols);
//     auto packed = nibble::quantizer<F>()(*nibble::as_view(weights));
//     nibble::gemv(*packed, *nibble::as_span(x), *nibble::as_span(y));      // x and y: Eigen::VectorXf
//
// Our rows are contiguous, so a matrix has to be row-major. One that is column-major (Eigen's default) is the row-major view of its
// transpose: as_view(m.transpose()) works, m itself does not compile.
#pragma once

#include <Eigen/Core>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "nibble/base/config.hpp"
#include "nibble/base/result.hpp"
#include "nibble/tensor/shape.hpp"

NIBBLE_NAMESPACE_BEGIN

/// A row-major matrix of floats of any size; T is `float` or `const float`.
template <class T>
using eigen_matrix = std::conditional_t<std::is_const_v<T>, const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                                        Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
/// A column vector of floats of any length.
template <class T>
using eigen_vector = std::conditional_t<std::is_const_v<T>, const Eigen::VectorXf, Eigen::VectorXf>;

/// Floats in memory: a matrix, Map, Ref or block of float, but not an expression that has yet to be computed.
template <class M>
concept eigen_memory = std::same_as<typename M::Scalar, float> &&(M::Flags& Eigen::DirectAccessBit) != 0;

/// Its rows are contiguous, or it is a vector.
template <class M>
concept eigen_rows = eigen_memory<M> &&(static_cast<bool>(M::IsRowMajor) || static_cast<bool>(M::IsVectorAtCompileTime));

namespace detail {
/// What a view of this memory may do with it: const if the matrix is, or cannot be written.
template <class M>
using eigen_scalar = std::conditional_t<std::is_const_v<M> || (M::Flags & Eigen::LvalueBit) == 0, const float, float>;
}  // namespace detail

/// The memory of a view as an Eigen matrix. Nothing is copied; the view's memory must outlive the map.
/// @param view a valid one (dense_view::valid)
template <class T>
requires std::same_as < std::remove_const_t<T>,
float > NIBBLE_INLINE Eigen::Map<eigen_matrix<T>> as_eigen(dense_view<T> view) noexcept {
    return {view.data(), static_cast<Eigen::Index>(view.rows()), static_cast<Eigen::Index>(view.cols())};
}
/// The memory of a span as an Eigen vector.
template <class T, std::size_t Extent>
requires std::same_as < std::remove_const_t<T>,
float > NIBBLE_INLINE Eigen::Map<eigen_vector<T>> as_eigen(std::span<T, Extent> span) noexcept {
    return {span.data(), static_cast<Eigen::Index>(span.size())};
}

/// The memory of a row-major matrix as a dense_view: matrices, Maps, Refs, blocks of whole rows, transposes of column-major matrices. A
/// column vector is a matrix of one column. Nothing is copied; the matrix must outlive the view and keep its size.
/// @return errc::invalid_argument if there are gaps between its rows or its elements
template <class M>
requires eigen_rows<std::remove_const_t<M>> NIBBLE_INLINE result<dense_view<detail::eigen_scalar<M>>> as_view(M& m)
noexcept {
    const bool one_row = m.rows() <= 1, one_col = m.cols() <= 1;
    const auto next_row = M::IsRowMajor ? m.outerStride() : m.innerStride(), next_col = M::IsRowMajor ? m.innerStride() : m.outerStride();
    if ((!one_col && next_col != 1) || (!one_row && next_row != m.cols())) {
        return status(errc::invalid_argument, "the rows of the Eigen matrix do not follow one another without a gap");
    }
    return dense_view<detail::eigen_scalar<M>>(m.data(),
                                               nibble::shape{static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())});
}
/// Temporaries that refer to memory of others, such as m.transpose() and m.topRows(8).
template <class M>
requires(eigen_rows<M> && !std::is_base_of_v<Eigen::PlainObjectBase<M>, M>) NIBBLE_INLINE auto as_view(M&& m) noexcept {
    return as_view(m);
}

/// The elements of a matrix or vector as a span, in the order of memory.
/// @return errc::invalid_argument if there are gaps
template <class M>
requires eigen_memory<std::remove_const_t<M>> NIBBLE_INLINE result<std::span<detail::eigen_scalar<M>>> as_span(M& m)
noexcept {
    const bool gaps = (m.innerSize() > 1 && m.innerStride() != 1) || (m.outerSize() > 1 && m.outerStride() != m.innerSize());
    if (gaps) return status(errc::invalid_argument, "the elements of the Eigen matrix do not follow one another without a gap");
    return std::span<detail::eigen_scalar<M>>(m.data(), static_cast<std::size_t>(m.size()));
}
template <class M>
requires(eigen_memory<M> && !std::is_base_of_v<Eigen::PlainObjectBase<M>, M>) NIBBLE_INLINE auto as_span(M&& m) noexcept {
    return as_span(m);
}

NIBBLE_NAMESPACE_END
