// The avxvnni level: what exists in this folder; the rest is inherited from avx2.
#pragma once

#include "nibble/kernel/avxvnni/linear.hpp"
