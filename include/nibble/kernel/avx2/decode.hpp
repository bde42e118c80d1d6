// The decoders for AVX2; decode/decoder.hpp says what a decoder is. A family of layouts has a file of its own.
#pragma once

#include "nibble/kernel/avx2/decode/byte_block.hpp"
#include "nibble/kernel/avx2/decode/decoder.hpp"
#include "nibble/kernel/avx2/decode/nibble_levels.hpp"
#include "nibble/kernel/avx2/decode/offset_super_block.hpp"
#include "nibble/kernel/avx2/decode/shifted_points.hpp"
#include "nibble/kernel/avx2/decode/signed_points.hpp"
#include "nibble/kernel/avx2/decode/six_bit_super_block.hpp"
#include "nibble/kernel/avx2/decode/small_block.hpp"
#include "nibble/kernel/avx2/decode/ternary.hpp"
