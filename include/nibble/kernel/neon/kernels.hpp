// The neon level: what exists in this folder. Quantize is inherited: the reference level's four lanes are NEON code here.
#pragma once

#include "nibble/kernel/neon/dequantize.hpp"
#include "nibble/kernel/neon/linear.hpp"
