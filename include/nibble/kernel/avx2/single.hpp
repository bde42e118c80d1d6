// Layouts that multiply a single float row in their own way; single/octets.hpp says how.
#pragma once

#include "nibble/kernel/avx2/single/nibble_levels.hpp"
#include "nibble/kernel/avx2/single/octets.hpp"
#include "nibble/kernel/avx2/single/shifted_points.hpp"
#include "nibble/kernel/avx2/single/signed_points.hpp"
#include "nibble/kernel/avx2/single/signed_quads.hpp"
#include "nibble/kernel/avx2/single/sub_blocks.hpp"
#include "nibble/kernel/avx2/single/ternary.hpp"
