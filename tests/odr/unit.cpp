// One of three translation units that include all of nibble with different flags. UNIT is plain, avx2 or avx512. Their symbols must
// not replace one another, in whatever order they are linked.
#include "units.hpp"

#include <cstring>

namespace {

template <class F>
bool run(const char* name, const odr_input& in, odr_output& out) {
    const nibble::shape shape{odr_rows, odr_cols};
    const std::span<std::byte> packed(out.packed, odr_rows * nibble::row_bytes<F>(odr_cols));
    const bool ok = packed.size() <= sizeof(out.packed) && nibble::quantize<F>(in.weights, packed, shape) &&
                    nibble::dequantize<F>(packed, std::span<float>(out.decoded), shape);
    if (!ok) return odr_fail(name, "quantize or dequantize returned an error");
    const auto view = nibble::view<F>(packed, shape);
    if (!view || !nibble::gemv(*view, std::span<const float>(in.x), std::span<float>(out.y))) {
        return odr_fail(name, "view or gemv returned an error");
    }
    return true;
}

}  // namespace

#define ODR_JOIN_(a, b) a##b
#define ODR_JOIN(a, b) ODR_JOIN_(a, b)
#define ODR_TEXT_(a) #a
#define ODR_TEXT(a) ODR_TEXT_(a)

bool ODR_JOIN(odr_, UNIT)(const odr_input& in, odr_output (&out)[odr_formats]) {
    constexpr const char* name = ODR_TEXT(UNIT);
    return run<nibble::q4_0>(name, in, out[0]) && run<nibble::q4_k>(name, in, out[1]);
}

#if defined(ODR_MAIN)

#include <cmath>
#include <cstdio>

bool odr_fail(const char* unit, const char* why) {
    std::printf("FAILED in the %s unit: %s\n", unit, why);
    return false;
}

namespace {

odr_input input;
odr_output outputs[3][odr_formats];

/// Same bytes, same floats; products may differ in rounding only, because a richer unit may fuse multiply and add.
bool same(const char* unit, const odr_output (&a)[odr_formats], const odr_output (&b)[odr_formats]) {
    for (int f = 0; f < odr_formats; ++f) {
        if (std::memcmp(a[f].packed, b[f].packed, sizeof(a[f].packed)) != 0) return odr_fail(unit, "other bytes than the plain unit");
        if (std::memcmp(a[f].decoded, b[f].decoded, sizeof(a[f].decoded)) != 0) return odr_fail(unit, "decodes to other floats");
        for (std::size_t i = 0; i < odr_rows; ++i) {
            if (!(std::fabs(a[f].y[i] - b[f].y[i]) <= 1e-3f)) return odr_fail(unit, "gemv gives another product");
        }
    }
    return true;
}

}  // namespace

int main() {
    std::uint32_t state = 1;
    const auto next = [&state] {
        state = state * 1664525u + 1013904223u;
        return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
    };
    for (float& w : input.weights) w = next();
    for (float& x : input.x) x = next();

    if (!odr_plain(input, outputs[0])) return 1;
    bool nonzero = false;
    for (const float y : outputs[0][0].y) nonzero = nonzero || y != 0.0f;
    if (!nonzero) {
        odr_fail("plain", "gemv gives zeros");
        return 1;
    }

    // Only a CPU that has the flags of a unit may call it; that it is linked in must not matter to the others.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (avx2 && !(odr_avx2(input, outputs[1]) && same("avx2", outputs[0], outputs[1]))) return 1;
    if (avx512 && !(odr_avx512(input, outputs[2]) && same("avx512", outputs[0], outputs[2]))) return 1;
    std::printf("units run: plain%s%s\n", avx2 ? " avx2" : "", avx512 ? " avx512" : "");
    return 0;
}

#endif
