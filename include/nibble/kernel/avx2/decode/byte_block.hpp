// Blocks of 32 signed bytes.
#pragma once

#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/tools.hpp"

#if defined(NIBBLE_X86)
NIBBLE_TARGET_BEGIN_AVX2
NIBBLE_BASELINE_BEGIN
namespace avx2 {

/// At: where the bytes of a block start.
template <class F, std::size_t At>
struct byte_block_decoder {
    static constexpr bool in_registers = true;
    static constexpr int zero = 128;

    NIBBLE_INLINE static run_scales<1> scales(const std::byte* run) noexcept { return centered<zero>(load_halves<sizeof(typename F::block)>(run)); }
    template <int Group>
    NIBBLE_INLINE static __m256i codes(const std::byte* run) noexcept {
        const auto* from = reinterpret_cast<const __m256i*>(run + Group * sizeof(typename F::block) + At);
        return _mm256_xor_si256(_mm256_loadu_si256(from), _mm256_set1_epi8(-128));
    }
};

template <class F>
struct layout_decoder<F, layout::signed_bytes> : byte_block_decoder<F, 2> {};
template <class F>
struct layout_decoder<F, layout::signed_bytes_with_sum> : byte_block_decoder<F, 4> {};

}  // namespace avx2
NIBBLE_BASELINE_END
NIBBLE_TARGET_END
#endif
