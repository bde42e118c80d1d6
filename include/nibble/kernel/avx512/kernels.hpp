// The avx512 level: what exists in this folder; the rest is inherited from avx2.
#pragma once

#include "nibble/kernel/avx512/dequantize.hpp"
#include "nibble/kernel/avx512/float_rows.hpp"
#include "nibble/kernel/avx512/linear.hpp"
#include "nibble/kernel/avx512/panel.hpp"
#include "nibble/kernel/avx512/quantize.hpp"
#include "nibble/kernel/avx512/quantize_best.hpp"
#include "nibble/kernel/avx512/quantize_bytes.hpp"
#include "nibble/kernel/avx512/quantize_small.hpp"
#include "nibble/kernel/avx512/quantize_streams.hpp"
#include "nibble/kernel/avx512/quantize_sums.hpp"
#include "nibble/kernel/avx512/short_floats.hpp"
