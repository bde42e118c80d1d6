// The neon level.
#pragma once
#include "nibble/kernel/op.hpp"
