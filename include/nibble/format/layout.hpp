// Layouts: the structure of a block in memory, as types. Kernels are written for layouts, not for names of formats: two formats of
// one layout share their machine code, a user's own format among them.
#pragma once

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN
namespace layout {

/// One float, half or bfloat16 an element, no scale.
struct float32 {};
struct float16 {};
struct bfloat16 {};
/// The same with one byte.
template <int MantissaBits>
struct float8 {};

/// 32 elements: fp16 scale, 16 bytes of codes; the low nibbles are elements 0..15, the high ones 16..31.
/// value = scale * (code - Zero)
template <int Zero>
struct split_nibbles {};

/// 32 elements: fp16 scale, fp16 offset, nibbles as in split_nibbles. value = scale * code + offset
struct split_nibbles_with_offset {};

/// 32 elements: fp16 scale, 4 bytes whose bit i is the fifth bit of element i, nibbles as in split_nibbles.
/// value = scale * (code - Zero)
template <int Zero>
struct split_nibbles_and_bits {};

/// 32 elements: fp16 scale, fp16 offset, fifth bits and nibbles as in split_nibbles_and_bits. value = scale * code + offset
struct split_nibbles_and_bits_with_offset {};

/// 32 elements: fp16 scale, 32 signed bytes. value = scale * code
struct signed_bytes {};

/// 32 elements: fp16 scale, fp16 product of scale and sum of the codes, 32 signed bytes. value = scale * code
struct signed_bytes_with_sum {};

/// 128 elements: fp16 scale, 16 bytes of bits. value = bit ? scale : -scale
struct sign_bits {};

/// 64 elements: fp16 scale, 16 bytes of four consecutive 2-bit codes. value = scale * (code - 1)
struct consecutive_pairs {};

/// 256 elements: 64 bytes of 2-bit codes in 2 runs, fp16 scale. value = scale * (code - 1)
struct ternary_super_block {};

/// 256 elements: 52 bytes of up to five ternary codes, fp16 scale. value = scale * (code - 1)
struct trit_super_block {};

/// 256 elements: fp32 scale, 256 signed bytes, 16 int16 sums of 16 codes. value = scale * code
struct signed_bytes_with_sums {};

/// 256 elements in 8 sub-blocks of 32: fp16 scale, fp16 offset, 12 bytes with 8 pairs of 6-bit sub-scales and sub-offsets,
/// (Bits == 5: 32 bytes of high bits,) 128 bytes of nibbles in 4 runs, low nibbles first.
/// Bits == 2: 16 sub-blocks of 16: 16 bytes of 4-bit sub-scales and sub-offsets, 64 bytes of codes in 2 runs, fp16 scale, fp16 offset.
/// value = scale * sub_scale * code - offset * sub_offset
template <int Bits>
struct offset_super_block {};

/// 256 elements in 16 sub-blocks of 16: 32 bytes of high bits, 64 bytes of low pairs, 12 bytes of 6-bit sub-scales, fp16 scale.
/// value = scale * (sub_scale - 32) * (code - 4)
struct three_bit_super_block {};

/// 256 elements in 16 sub-blocks of 16: 128 bytes of low nibbles, 64 bytes of high pairs, 16 signed sub-scales, fp16 scale.
/// value = scale * sub_scale * (code - 32)
struct six_bit_super_block {};

/// 32 elements: fp16 scale, nibbles as in split_nibbles. value = scale * Levels::values[code]
template <class Levels>
struct split_nibble_levels {};

/// 256 elements in 8 sub-blocks of 32: fp16 scale, 2 bytes with the upper 2 and 4 bytes with the lower 4 bits of 8 sub-scales, and 8 times
/// 16 bytes of nibbles as in split_nibbles. value = scale * (sub_scale - 32) * Levels::values[code]
template <class Levels>
struct nibble_levels_super_block {};

/// 32 elements: one byte e, nibbles as in split_nibbles. value = 2^(e - 128) * Levels::values[code]
template <class Levels>
struct nibble_levels_with_exponent {};

/// 64 elements in 4 sub-blocks of 16: 4 scales E4M3, 4 times 8 bytes whose low nibbles are elements 0..7, the high ones 8..15.
/// value = scale / 2 * Levels::values[code]
template <class Levels>
struct nibble_levels_with_float8_scales {};

}  // namespace layout
NIBBLE_NAMESPACE_END
