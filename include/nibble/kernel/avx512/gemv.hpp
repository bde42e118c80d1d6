// Products with few float rows, with AVX-512: the text of kernel/vnni/gemv.hpp.
#pragma once

#include "nibble/kernel/avx512/activation.hpp"

#if defined(NIBBLE_X86)
#define NIBBLE_LEVEL avx512
#define NIBBLE_TARGET_BEGIN_LEVEL NIBBLE_TARGET_BEGIN_AVX512
#include "nibble/kernel/vnni/gemv.hpp"
#undef NIBBLE_LEVEL
#undef NIBBLE_TARGET_BEGIN_LEVEL
#endif
