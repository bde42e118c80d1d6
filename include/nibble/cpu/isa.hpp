// Instruction-set levels and how they inherit. Floor 2: which machine this is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "nibble/base/config.hpp"

NIBBLE_NAMESPACE_BEGIN

/// A level: what kernels may assume of the CPU. A template parameter of kernels, and a run-time value.
enum class isa : std::uint8_t {
    reference,  ///< portable code; every operation of every format exists here
    avx2,       ///< x86: AVX2, FMA, F16C, BMI2 (Haswell, Zen and later)
    avxvnni,    ///< avx2 and AVX-VNNI (Alder Lake, Zen 5 and later)
    avx512,     ///< avx2 and AVX-512 F, BW, VL, DQ, VNNI, VBMI (Ice Lake, Zen 4 and later)
    amx,        ///< avx512 and AMX int8 and bf16 (Sapphire Rapids and later), with the kernel's permission
    neon,       ///< AArch64
    dotprod,    ///< neon and SDOT, UDOT (Armv8.4, Neoverse N1, Apple M1 and later)
    i8mm,       ///< dotprod and SMMLA (Armv8.6, Neoverse V1, Apple M2 and later)
};

/// Number of levels.
inline constexpr std::size_t isa_count = 8;

/// The level that a missing kernel is inherited from. isa::reference is its own parent.
NIBBLE_INLINE constexpr isa parent_of(isa level) noexcept {
    switch (level) {
        case isa::avxvnni: return isa::avx2;
        case isa::avx512: return isa::avx2;
        case isa::amx: return isa::avx512;
        case isa::dotprod: return isa::neon;
        case isa::i8mm: return isa::dotprod;
        default: return isa::reference;
    }
}

/// Its name in NIBBLE_ISA.
NIBBLE_INLINE constexpr std::string_view name_of(isa level) noexcept {
    constexpr std::string_view names[isa_count] = {"reference", "avx2", "avxvnni", "avx512", "amx", "neon", "dotprod", "i8mm"};
    return names[static_cast<std::size_t>(level)];
}

NIBBLE_NAMESPACE_END
