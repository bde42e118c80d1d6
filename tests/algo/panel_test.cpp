// Repacking: that it loses nothing, and shapes at the edge. That panels multiply like packed rows is checked in linear_test.cpp.
#include "support/test.hpp"

#include <bit>
#include <nibble/nibble.hpp>
#include <random>

#include "support/floats.hpp"
#include "support/formats.hpp"

namespace {

/// A format that says nothing about its codes and scales.
struct unknown_form {
    static constexpr std::string_view name = "unknown_form";
    static constexpr std::size_t block_size = 32, parts = 1;
    static constexpr int code_bits = 7;
    using layout = void;  // none that a decoder is written for
    struct block {
        std::uint8_t codes[32];
        std::byte factors[8];
    };
    static void affine(const block& packed, std::size_t, std::uint8_t (&codes)[32], float (&scale)[1], float (&offset)[1]) noexcept {
        std::memcpy(codes, packed.codes, 32);
        std::memcpy(scale, packed.factors, 4);
        std::memcpy(offset, packed.factors + 4, 4);
    }
    static void decode(const block& packed, std::span<float, 32> values) noexcept {
        float scale[1], offset[1];
        std::uint8_t codes[32];
        affine(packed, 0, codes, scale, offset);
        for (std::size_t i = 0; i < 32; ++i) values[i] = scale[0] * static_cast<float>(codes[i]) + offset[0];
    }
    static void encode(std::span<const float, 32> values, block& packed) noexcept {
        const float factors[2] = {0.7f, values[0]};
        for (std::size_t i = 0; i < 32; ++i) packed.codes[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(values[i]) % 128);
        std::memcpy(packed.factors, factors, 8);
    }
};

/// A format whose layout has a decoder that knows of a zero, of which the format says nothing.
struct silent_q4_0 : nibble::q4_0 {
    static constexpr std::string_view name = "silent_q4_0";
    static constexpr nibble::panel_form panels{};
};
/// One that says so, of a layout without a decoder.
struct zero_without_decoder : nibble::q4_0 {
    static constexpr std::string_view name = "zero_without_decoder";
    using layout = void;
};

/// How many codes, scales and offsets of packed rows are not in their panels.
template <class F>
std::size_t count_losses(nibble::packed_view<F> w) {
    constexpr std::size_t parts = F::parts;
    const auto panels = nibble::repack(w);
    REQUIRE(panels);
    const auto same = [](float a, float b) { return a == b || (a != a && b != b) || !(a - a == 0.0f); };
    std::size_t losses = 0;
    for (std::size_t r = 0; r < w.rows(); ++r) {
        const std::byte* panel = panels->data() + r / nibble::panel::rows * panels->panel_bytes();
        for (std::size_t c = 0; c < w.cols(); c += nibble::panel::group) {
            const std::byte* run = panel + c / nibble::panel::run * nibble::panel::order<F>::run_bytes;
            const std::size_t g = c % nibble::panel::run / nibble::panel::group, lane = r % nibble::panel::rows;
            const auto* block = reinterpret_cast<const typename F::block*>(w.row(r).data()) + c / F::block_size;
            std::uint8_t codes[32];
            float scale[parts], offset[parts];
            F::affine(*block, c % F::block_size / 32, codes, scale, offset);
            for (std::size_t k = 0; k < 32; ++k) losses += nibble::panel::code_at<F>(run, g, k, lane) != codes[k];
            for (std::size_t p = 0; p < parts; ++p) {
                const float found = nibble::panel::factor_at<F>(run, 0, g, p, lane);
                losses += !same(found, scale[p]);
                if constexpr (nibble::panel::order<F>::has_offsets) losses += !same(nibble::panel::factor_at<F>(run, 1, g, p, lane), offset[p]);
                else losses += !same(-static_cast<float>(nibble::panels_of<F>.zero) * found, offset[p]);
            }
        }
    }
    return losses;
}

}  // namespace

TEST_CASE("panels hold the codes, scales and offsets of packed rows, of any bytes") {
    support::for_each_format([](auto format) {
        using F = decltype(format);
        if constexpr (nibble::affine_format<F>) {
            const std::size_t rows = 37, cols = 1024;
            std::vector<std::byte> memory(rows * nibble::row_bytes<F>(cols));
            support::for_each_level([&](nibble::isa level) {
                INFO(F::name << " at " << nibble::name_of(level));
                const auto w = support::noise(rows * cols, 1);
                REQUIRE(nibble::quantize<F>(w, memory, {rows, cols}));
                CHECK(count_losses(*nibble::view<F>(memory, {rows, cols})) == 0);
                std::mt19937 generator(2);
                for (std::byte& b : memory) b = static_cast<std::byte>(generator());
                CHECK(count_losses(*nibble::view<F>(memory, {rows, cols})) == 0);
            });
        }
    });
}

template <class F>
void check_products() {
    const std::size_t rows = 20, cols = 320;
    const auto w = support::noise(rows * cols, 3);
    const auto packed = nibble::quantizer<F>{}({w.data(), nibble::shape{rows, cols}});
    REQUIRE(packed);
    for (const std::size_t count : {1u, 4u, 13u, 30u, 40u}) {
        const auto x = support::noise(count * cols, 4, 1.0f);
        const nibble::dense_view<const float> in(x.data(), nibble::shape{count, cols});
        support::for_each_level([&](nibble::isa level) {
            INFO(F::name << " at " << nibble::name_of(level) << ", " << count << " columns");
            CHECK(count_losses(packed->view()) == 0);
            const auto panels = nibble::repack(*packed);
            std::vector<float> y(count * rows), z(count * rows);
            REQUIRE(nibble::gemm(*packed, in, nibble::dense_view<float>(y.data(), nibble::shape{count, rows})));
            REQUIRE(nibble::gemm(*panels, in, nibble::dense_view<float>(z.data(), nibble::shape{count, rows})));
            float largest = 0, apart = 0;
            for (std::size_t i = 0; i < y.size(); ++i) {
                largest = std::fabs(y[i]) > largest ? std::fabs(y[i]) : largest;
                apart = std::fabs(y[i] - z[i]) > apart ? std::fabs(y[i] - z[i]) : apart;
            }
            CHECK(largest > 0.0f);
            CHECK(apart <= 0.02f * largest);
        });
    }
}

TEST_CASE("formats that say nothing about their codes, or less or more than their layout's decoder, have panels") {
    static_assert(nibble::affine_format<unknown_form>);
    check_products<unknown_form>();
    check_products<silent_q4_0>();
    check_products<zero_without_decoder>();
}

TEST_CASE("rows without columns, and columns without rows, repack to nothing") {
    for (const nibble::shape s : {nibble::shape{std::size_t{1} << 40, 0}, nibble::shape{0, 4096}, nibble::shape{0, 0}}) {
        const auto panels = nibble::repack(nibble::packed_view<nibble::q4_0>(static_cast<const std::byte*>(nullptr), s));
        REQUIRE(panels);
        CHECK(panels->shape() == s);
        CHECK(panels->valid());
        CHECK(panels->bytes().empty());
    }
}
