// The amx level: what exists in this folder; the rest is inherited from avx512.
#pragma once

#include "nibble/kernel/amx/linear.hpp"
