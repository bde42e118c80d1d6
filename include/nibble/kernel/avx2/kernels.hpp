// The avx2 level: what exists in this folder.
#pragma once

#include "nibble/kernel/avx2/dequantize.hpp"
#include "nibble/kernel/avx2/dequantize_sums.hpp"
#include "nibble/kernel/avx2/float8.hpp"
#include "nibble/kernel/avx2/float_rows.hpp"
#include "nibble/kernel/avx2/linear.hpp"
#include "nibble/kernel/avx2/magnitude.hpp"
#include "nibble/kernel/avx2/panel.hpp"
#include "nibble/kernel/avx2/quantize.hpp"
#include "nibble/kernel/avx2/quantize_best.hpp"
#include "nibble/kernel/avx2/quantize_bytes.hpp"
#include "nibble/kernel/avx2/quantize_e2m1.hpp"
#include "nibble/kernel/avx2/quantize_signs.hpp"
#include "nibble/kernel/avx2/quantize_small.hpp"
#include "nibble/kernel/avx2/quantize_sums.hpp"
#include "nibble/kernel/avx2/quantize_ternary.hpp"
#include "nibble/kernel/avx2/short_floats.hpp"
