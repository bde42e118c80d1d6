// Decoders give the very codes, scales and offsets of the formats' scalar `affine`.
#include "support/test.hpp"

#include <cstring>
#include <random>

#include "support/formats.hpp"

#if defined(NIBBLE_X86)

namespace {

template <class F>
struct decoded_run {
    std::uint8_t codes[8][32];
    std::uint8_t strips[8][32];
    alignas(32) float scale[F::parts][8], offset[F::parts][8];
};

}  // namespace

NIBBLE_TARGET_BEGIN_AVX2
namespace {

template <class F>
void decode(const std::byte* run, decoded_run<F>& out) {
    using decoder = nibble::avx2::decoder<F>;
    const auto scales = decoder::scales(run);
    for (std::size_t part = 0; part < F::parts; ++part) {
        _mm256_store_ps(out.scale[part], scales.scale[part]);
        _mm256_store_ps(out.offset[part], scales.offset[part]);
    }
    nibble::avx2::for_each_group([&]<int Group>() NIBBLE_LAMBDA_INLINE {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes[Group]), decoder::template codes<Group>(run));
    });
    __m256i v[8];
    nibble::avx2::load_strips<F>(run, v);
    // Back to the order of the elements.
    for (std::size_t j = 0; j < 8; ++j) {
        std::uint8_t strip[32];
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(strip), v[j]);
        for (std::size_t lane = 0; lane < 8; ++lane) {
            const auto from = nibble::avx2::strip_at(j, lane);
            for (std::size_t i = 0; i < 4; ++i) {  // codes of 8 bits are signed in strips
                out.strips[from.group][4 * from.dword + i] = static_cast<std::uint8_t>(strip[4 * lane + i] ^ (F::code_bits == 8 ? 0x80 : 0));
            }
        }
    }
}

}  // namespace
NIBBLE_TARGET_END

TEST_CASE("AVX2 decoders agree with the formats") {
    if (!nibble::is_supported(nibble::isa::avx2)) return nibble::test::skip("no AVX2");
    std::mt19937 random(1);
    support::for_each_format([&](auto format) {
        using F = decltype(format);
        if constexpr (nibble::affine_format<F>) {
            constexpr std::size_t bytes = nibble::avx2::run_bytes<F>;
            // Arbitrary bytes, in memory that ends with the run, so that a sanitizer sees what reads past it.
            for (int i = 0; i < 200; ++i) {
                std::vector<std::byte> run(bytes);
                for (auto& b : run) b = static_cast<std::byte>(random());
                decoded_run<F> found;
                decode<F>(run.data(), found);
                INFO(F::name);
                REQUIRE(std::memcmp(found.strips, found.codes, sizeof found.codes) == 0);
                for (std::size_t g = 0; g < 8; ++g) {
                    const auto* block = reinterpret_cast<const typename F::block*>(run.data()) + g * 32 / F::block_size;
                    std::uint8_t codes[32];
                    float scale[F::parts], offset[F::parts];
                    F::affine(*block, g * 32 % F::block_size / 32, codes, scale, offset);
                    REQUIRE(std::memcmp(codes, found.codes[g], 32) == 0);
                    for (std::size_t part = 0; part < F::parts; ++part) {
                        const auto same = [](float a, float b) { return a == b || (a != a && b != b); };
                        REQUIRE(same(scale[part], found.scale[part][g]));
                        REQUIRE(same(offset[part], found.offset[part][g]));
                    }
                    for (const std::uint8_t code : codes) REQUIRE(code >> F::code_bits == 0);
                }
            }
        }
    });
}

#endif
