// Namespaces, inlining and the name of the translation unit's baseline. Floor 0; includes nothing of ours but the version.
#pragma once

#include "nibble/version.hpp"

#if !defined(__cplusplus) || (__cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L))
#error "nibble needs C++20: compile with -std=c++20 or newer"
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#error "nibble needs GCC 12, Clang 14 or newer (clang-cl works); its lane arithmetic uses their vector extensions"
#endif

/// Small functions that every translation unit may contain. They must vanish into their callers: an out-of-line copy compiled
/// with AVX-512 flags would be merged by the linker with the one of a plain translation unit, and then crash on an older CPU.
#define NIBBLE_INLINE __attribute__((always_inline)) inline

/// The same for a lambda: [..](..) NIBBLE_LAMBDA_INLINE { .. }
#define NIBBLE_LAMBDA_INLINE __attribute__((always_inline))

/// A large function whose calls stay calls. GCC must not learn its effects from its body either: release 12 takes an address that it wrote as a
/// sum without a base for a null pointer, believes that nothing is read or written from there on, and drops the call (-fipa-modref).
#if defined(__clang__)
#define NIBBLE_NOINLINE __attribute__((noinline))
#else
#define NIBBLE_NOINLINE __attribute__((noipa))
#endif

// --- the baseline tag -----------------------------------------------------------------------------------------------------
// Code that is not NIBBLE_INLINE lives in an inline namespace whose name spells the instruction sets that the compiler may use
// in this translation unit. Units with different flags then define different symbols, and none can replace the other's.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define NIBBLE_TAG_VECTOR _avx512
#elif defined(__AVX512F__)
#define NIBBLE_TAG_VECTOR _avx512f
#elif defined(__AVX2__)
#define NIBBLE_TAG_VECTOR _avx2
#elif defined(__AVX__)
#define NIBBLE_TAG_VECTOR _avx
#elif defined(__SSE4_2__)
#define NIBBLE_TAG_VECTOR _sse4
#elif defined(__SSSE3__)
#define NIBBLE_TAG_VECTOR _ssse3
#elif defined(__ARM_FEATURE_SVE2)
#define NIBBLE_TAG_VECTOR _sve2
#elif defined(__ARM_FEATURE_SVE)
#define NIBBLE_TAG_VECTOR _sve
#else
#define NIBBLE_TAG_VECTOR _plain
#endif
#if defined(__FMA__)
#define NIBBLE_TAG_FMA _fma
#else
#define NIBBLE_TAG_FMA
#endif
#if defined(__F16C__)
#define NIBBLE_TAG_HALF _f16c
#elif defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
#define NIBBLE_TAG_HALF _fp16
#else
#define NIBBLE_TAG_HALF
#endif
#if defined(__BMI2__)
#define NIBBLE_TAG_BITS _bmi2
#else
#define NIBBLE_TAG_BITS
#endif
#if defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
#define NIBBLE_TAG_DOT _vnni_vbmi
#elif defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define NIBBLE_TAG_DOT _vnni
#elif defined(__ARM_FEATURE_MATMUL_INT8)
#define NIBBLE_TAG_DOT _i8mm
#elif defined(__ARM_FEATURE_DOTPROD)
#define NIBBLE_TAG_DOT _dotprod
#else
#define NIBBLE_TAG_DOT
#endif
#if defined(__FAST_MATH__)
#define NIBBLE_TAG_MATH _fast
#else
#define NIBBLE_TAG_MATH
#endif
#define NIBBLE_JOIN_(a, b, c, d, e, f, g) a##b##c##d##e##f##g
#define NIBBLE_JOIN(a, b, c, d, e, f, g) NIBBLE_JOIN_(a, b, c, d, e, f, g)
#define NIBBLE_BASELINE \
    NIBBLE_JOIN(built_for, NIBBLE_TAG_VECTOR, NIBBLE_TAG_FMA, NIBBLE_TAG_HALF, NIBBLE_TAG_BITS, NIBBLE_TAG_DOT, NIBBLE_TAG_MATH)

/// Public types and NIBBLE_INLINE functions: the same names in every translation unit. The inline namespace is the major version,
/// so that two vendored copies of different majors can live in one program.
#define NIBBLE_NAMESPACE_BEGIN namespace nibble { inline namespace v0 {
#define NIBBLE_NAMESPACE_END }}

/// Everything with a body that the compiler may emit out of line: kernels, tables, algorithms, file readers.
#define NIBBLE_BASELINE_BEGIN namespace nibble { inline namespace v0 { inline namespace NIBBLE_BASELINE {
#define NIBBLE_BASELINE_END }}}
