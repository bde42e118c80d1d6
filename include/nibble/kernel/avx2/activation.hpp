// Float rows in the form that the integer products of AVX2 read. How a row is laid out depends on how many there are.
//
// One row, or few, run by run:
//   codes  [256]        int8 in the order of the elements or in octets (single/octets.hpp) for a single row, else in strips (decode/strips.hpp)
//   scales [8] fp32     largest magnitude of a group / largest code
//   sums   [parts][8]   scale * sum of the codes of a part; times -zero if is_centered
// Many rows: tiles (tiled_activation.hpp).
// Rows are padded to whole runs with zeros.
#pragma once

#include "nibble/kernel/avx2/decode/strips.hpp"
#include "nibble/kernel/avx2/single.hpp"
#include "nibble/kernel/avx2/tiled_activation.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// A single row stays in the order of the elements if that saves the decoder a shuffle.
template <class F>
inline constexpr bool single_in_order = !gives_strips<F> || multiplies_octets<F>;

/// Rows from which on gemm unpacks the weights into panels. Decoders with strips of their own are quick, and may well work twice.
template <class F>
inline constexpr std::size_t panel_threshold = gives_strips<F> ? 12 : 6;

/// How many of few float rows meet packed rows or panels together: at most four, and one only if it is the only one.
NIBBLE_INLINE constexpr std::size_t rows_together(std::size_t count) noexcept {
    return count < 4 ? count : count == 5 || count == 6 || count == 9 ? 3 : 4;
}

/// A run of one of few rows.
template <class F>
using row_run = activation_run<std::int8_t, F::parts>;

/// The same in octets, of a single float row.
template <class F>
using octets = typename run_product_of<F>::template activations<F::parts>;

/// Which numbers of float rows meet octets.
template <class F>
NIBBLE_INLINE constexpr bool takes_octets(std::size_t count) noexcept {
    return multiplies_octets<F> && (count == 1 || (shares_octets<F> && count < panel_threshold<F>));
}

/// Bytes of one float row of few.
template <class F>
NIBBLE_INLINE constexpr std::size_t row_workspace(std::size_t cols) noexcept {
    if constexpr (shares_octets<F>) return runs_of(cols) * sizeof(octets<F>);
    return runs_of(cols) * sizeof(row_run<F>);
}

/// op::linear's workspace and prepare.
template <class F>
struct activation {
    static std::size_t workspace(std::size_t count, std::size_t cols) noexcept {
        if constexpr (multiplies_octets<F>) {
            if (count == 1) return runs_of(cols) * sizeof(octets<F>);
        }
        return count < panel_threshold<F> ? count * row_workspace<F>(cols) : tiled_activation<F>::workspace(count, cols);
    }

    static void prepare(const float* x, std::size_t first, std::size_t last, std::size_t count, std::size_t cols, std::byte* out) noexcept {
        if constexpr (multiplies_octets<F>) {
            if (takes_octets<F>(count)) {
                for (std::size_t i = first; i < last; ++i) prepare_in_octets(x + i * cols, cols, out + i * row_workspace<F>(cols));
                return;
            }
        }
        if (count < panel_threshold<F>) {
            for (std::size_t i = first; i < last; ++i) prepare_alone(x + i * cols, cols, count == 1, out + i * row_workspace<F>(cols));
            return;
        }
        tiled_activation<F>::prepare(x, first, last, count, cols, out);
    }

private:
    static constexpr int zero = is_centered<F> ? decoder<F>::zero : 0;

    static void prepare_in_octets(const float* row, std::size_t cols, std::byte* out) noexcept {
        for (std::size_t r = 0; r < runs_of(cols); ++r) {
            float padded[run_size];
            row_run<F> run;
            quantize_run<run_product_of<F>::one_scale>(floats_at(row, cols, r, padded), zero, run);
            keep_in_octets(run, reinterpret_cast<octets<F>*>(out)[r]);
        }
    }
    static void prepare_alone(const float* row, std::size_t cols, bool single, std::byte* out) noexcept {
        for (std::size_t r = 0; r < runs_of(cols); ++r) {
            float padded[run_size];
            const float* from = floats_at(row, cols, r, padded);
            row_run<F> run;
            quantize_run(from, zero, run);
            auto& to = reinterpret_cast<row_run<F>*>(out)[r];
            if (single && single_in_order<F>) to = run;
            else keep_in_strips(run, to);
        }
    }

    static void keep_in_strips(const row_run<F>& run, row_run<F>& to) noexcept {
        to = run;
        for (std::size_t j = 0; j < 8; ++j) {
            for (std::size_t lane = 0; lane < 8; ++lane) {
                const strip_source from = strip_at(j, lane);
                __builtin_memcpy(to.codes + 32 * j + 4 * lane, run.codes + 32 * from.group + 4 * from.dword, 4);
            }
        }
    }
    static void keep_in_octets(const row_run<F>& run, auto& to) noexcept {
        using order = run_product_of<F>;
        for (std::size_t j = 0; j < 8; ++j) {
            for (std::size_t lane = 0; lane < 4; ++lane) {
                const octet_source at = order::octet_at(j, lane);
                __builtin_memcpy(to.codes + 32 * j + 8 * lane, run.codes + 32 * at.group + 8 * at.octet, 8);
            }
        }
        for (std::size_t lane = 0; lane < 8; ++lane) {
            to.scales[lane] = run.scales[order::group_at(lane)];
            for (std::size_t part = 0; part < F::parts; ++part) to.sums[part][lane] = run.sums[part][order::group_at(lane)];
        }
        if constexpr (requires { to.octet_sums; }) {
            for (std::size_t k = 0; k < run_size / 8; ++k) {
                int sum = 0;
                for (std::size_t i = 0; i < 8; ++i) sum += run.codes[8 * k + i];
                to.octet_sums[k] = static_cast<std::int16_t>(sum);
            }
        }
        if constexpr (requires { to.half_sums; }) {
            for (std::size_t lane = 0; lane < run_size / 16; ++lane) {
                int sum = 0;
                for (std::size_t i = 0; i < 16; ++i) sum += run.codes[16 * order::half_at(lane) + i];
                to.half_sums[lane] = static_cast<std::int16_t>(sum);
            }
        }
        if constexpr (requires { to.magnitudes; }) {
            for (std::size_t i = 0; i < run_size; ++i) to.magnitudes[i] = static_cast<std::uint8_t>(to.codes[i] < 0 ? -to.codes[i] : to.codes[i]);
        }
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
