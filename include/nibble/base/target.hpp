// Regions: the only file with target and floating-point pragmas.
//
// Templates defined between NIBBLE_TARGET_BEGIN_X and NIBBLE_TARGET_END may use the instructions of X wherever they are
// instantiated. A region adds features to those of the translation unit and never takes any away. Inside a region it is
// forbidden to #include anything, to test __AVX2__ and its like, to call std:: algorithms (they stay baseline code), to define
// a vector at namespace scope, and to let a vector type cross the region's border.
//
// Between NIBBLE_EXACT_BEGIN and NIBBLE_EXACT_END a * b + c is two roundings, whatever the flags say: the bytes that a
// quantizer writes depend on it. GCC decides this for the function that a product ends up in, Clang where it is written, so both
// the formats' NIBBLE_INLINE searches and the kernels that call them stand between these macros.
#pragma once

#include "nibble/base/config.hpp"

#if defined(__CUDACC__) || (defined(__MINGW32__) && !defined(__clang__))
// The reference level only. nvcc's front end drops the attributes of lambdas, which then stay out of line and out of their region; GCC for
// Windows aligns the stack to 16 bytes only, and its AVX code then crashes (GCC bug 54412).
#elif defined(__x86_64__) || defined(_M_X64)
#define NIBBLE_X86 1
#include <immintrin.h>
#elif defined(__aarch64__)
#define NIBBLE_ARM64 1
#include <arm_neon.h>
#endif

#define NIBBLE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define NIBBLE_TARGET_BEGIN(features) NIBBLE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define NIBBLE_TARGET_END _Pragma("clang attribute pop")
#if defined(NIBBLE_X86)
#if defined(__FAST_MATH__)
// contract(off) alone is not enough: the code generator fuses and estimates all the same, but not where operations may trap.
#define NIBBLE_EXACT_BEGIN \
    _Pragma("float_control(push)") _Pragma("float_control(precise, on)") _Pragma("clang fp contract(off)") _Pragma("clang fp exceptions(maytrap)")
#else
#define NIBBLE_EXACT_BEGIN \
    _Pragma("float_control(push)") _Pragma("float_control(precise, on)") _Pragma("clang fp contract(off)")
#endif
#define NIBBLE_EXACT_END _Pragma("float_control(pop)")
#else
// Clang knows float_control on few targets; without it the rest of the translation unit loses contraction, which is only speed.
#define NIBBLE_EXACT_BEGIN _Pragma("clang fp contract(off)")
#define NIBBLE_EXACT_END
#endif
#else
// -Wpsabi: vectors are passed by value, but never out of line. -Wuninitialized, -Wmaybe-uninitialized: GCC 12 warns of
// its own AVX-512 intrinsics.
#define NIBBLE_TARGET_BEGIN(features) \
    _Pragma("GCC push_options") NIBBLE_PRAGMA(GCC target(features)) \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpsabi\"") \
    _Pragma("GCC diagnostic ignored \"-Wuninitialized\"") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define NIBBLE_TARGET_END _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")
#define NIBBLE_EXACT_BEGIN \
    _Pragma("GCC push_options") _Pragma("GCC optimize(\"fp-contract=off\", \"no-fast-math\")") \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpsabi\"")
#define NIBBLE_EXACT_END _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")
#endif

// Feature lists, never arch=: that breaks always-inline helpers.
#define NIBBLE_TARGET_BEGIN_AVX2 NIBBLE_TARGET_BEGIN("avx2,fma,f16c,bmi,bmi2")
#define NIBBLE_TARGET_BEGIN_AVXVNNI NIBBLE_TARGET_BEGIN("avx2,fma,f16c,bmi,bmi2,avxvnni")
#define NIBBLE_TARGET_BEGIN_AVX512 \
    NIBBLE_TARGET_BEGIN("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni,avx512vbmi")
#define NIBBLE_TARGET_BEGIN_AVX512BF16 \
    NIBBLE_TARGET_BEGIN("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni,avx512vbmi,avx512bf16")
#define NIBBLE_TARGET_BEGIN_AMX \
    NIBBLE_TARGET_BEGIN("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni,avx512vbmi,avx512bf16,amx-tile,amx-bf16")
