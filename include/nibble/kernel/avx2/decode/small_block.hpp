// Blocks of 32 with nibbles.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

template <class F, int Zero>
struct layout_decoder<F, layout::split_nibbles<Zero>> {
    static constexpr bool in_registers = true;
    static constexpr int zero = Zero;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<Zero>(load_halves<sizeof(typename F::block)>(run)); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        return split_nibbles(run + Group * sizeof(typename F::block) + 2);
    }
    NIBBLE_INLINE static void strips(const std::byte* run, __m256i (&v)[8]) noexcept {
        constexpr std::size_t block = sizeof(typename F::block);
        __m256i bytes[4];
        interleave_pieces<block, 0>(run + 2, bytes[0], bytes[1]);
        interleave_pieces<block, 1>(run + 2, bytes[2], bytes[3]);
        split_strips(bytes, v);
    }
};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
