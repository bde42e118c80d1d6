// The avx2 level.
#pragma once
#include "nibble/kernel/op.hpp"
