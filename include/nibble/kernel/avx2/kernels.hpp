// The avx2 level: what exists in this folder.
#pragma once

#include "nibble/kernel/avx2/quantize.hpp"
