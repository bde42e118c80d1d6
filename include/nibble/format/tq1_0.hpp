// tq1_0: ternary weights, five in a byte, one scale for 256 elements.
#pragma once

#include "nibble/format/q8_k.hpp"
#include "nibble/format/ternary_block.hpp"

NIBBLE_NAMESPACE_BEGIN

/// 52 bytes of up to five ternary digits ("trits") each: as a number with the first one highest, scaled so that its digits come out as
/// the overflow of multiplications by 3. Bytes 0 .. 31 hold elements m + 32 n, bytes 32 .. 47 160 + m + 16 n, n = 0 .. 4; bytes 48 .. 51
/// hold 240 + m + 4 n, n = 0 .. 3.
struct trits {
    std::uint8_t bytes[52];

    NIBBLE_INLINE constexpr int at(std::size_t i) const noexcept {
        if (i < 160) return digit(bytes[i % 32], i / 32);
        if (i < 240) return digit(bytes[32 + i % 16], (i - 160) / 16);
        return digit(bytes[48 + i % 4], (i - 240) / 4);
    }
    NIBBLE_INLINE constexpr void get(std::size_t group, std::uint8_t (&codes)[32]) const noexcept {
        for (std::size_t i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>(at(32 * group + i));
    }
    NIBBLE_INLINE constexpr void set(const std::uint8_t (&codes)[256]) noexcept {
        for (std::size_t m = 0; m < 32; ++m) bytes[m] = joined(codes + m, 32, 5);
        for (std::size_t m = 0; m < 16; ++m) bytes[32 + m] = joined(codes + 160 + m, 16, 5);
        for (std::size_t m = 0; m < 4; ++m) bytes[48 + m] = joined(codes + 240 + m, 4, 4);
    }

private:
    NIBBLE_INLINE static constexpr int digit(std::uint8_t byte, std::size_t n) noexcept {
        constexpr int powers[] = {1, 3, 9, 27, 81};
        return ((byte * powers[n] & 255) * 3) >> 8;
    }
    /// 256 / 243 of the number, rounded up.
    NIBBLE_INLINE static constexpr std::uint8_t joined(const std::uint8_t* codes, std::size_t step, std::size_t count) noexcept {
        int number = 0;
        for (std::size_t n = 0; n < 5; ++n) number = 3 * number + (n < count ? codes[n * step] : 0);
        return static_cast<std::uint8_t>((number * 256 + 242) / 243);
    }
};

struct tq1_0_block {
    trits codes;
    stored<std::uint16_t> scale;
};

/// 54 bytes: [52 bytes: trits][scale fp16]; value = scale * (code - 1)
struct tq1_0 : ternary_block<tq1_0, tq1_0_block, 256> {
    static constexpr std::string_view name = "tq1_0";
    static constexpr std::uint32_t gguf_type = 34;
    using layout = nibble::layout::trit_super_block;
    using companion = q8_k;

    static constexpr int code_without_inverse = 1;
    static constexpr int largest_level = 1;
    static constexpr scale_trials best_trials = {1.0f, 0.5f, 12, 3};
};

NIBBLE_NAMESPACE_END
