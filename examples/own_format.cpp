// A format of your own is one struct; everything in nibble takes it. This one: signs and one scale, 1.5 bits a weight.
#include <nibble/nibble.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

/// 6 bytes: [scale fp16][32 signs, bit i of byte i / 8 set for a negative element]; value = +-scale
struct signs {
    static constexpr std::string_view name = "signs";
    static constexpr std::size_t block_size = 32;

    struct block {
        nibble::stored<std::uint16_t> scale;
        std::uint8_t negative[4];
    };
    static void encode(std::span<const float, 32> values, block& packed) noexcept {
        packed = {};
        float sum = 0.0f;
        for (std::size_t i = 0; i < 32; ++i) {
            sum += std::fabs(values[i]);
            if (values[i] < 0.0f) packed.negative[i / 8] = static_cast<std::uint8_t>(packed.negative[i / 8] | (1u << (i % 8)));
        }
        packed.scale.set(nibble::float_to_float16(sum / 32.0f));  // the mean magnitude has the least squared error
    }
    static void decode(const block& packed, std::span<float, 32> values) noexcept {
        const float scale = nibble::float16_to_float(packed.scale.get());
        for (std::size_t i = 0; i < 32; ++i) values[i] = ((packed.negative[i / 8] >> (i % 8)) & 1) != 0 ? -scale : scale;
    }
};

int main() {
    constexpr nibble::shape shape{64, 256};
    std::vector<float> weights(shape.elements()), decoded(weights.size()), x(shape.cols, 1.0f), y(shape.rows);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::cos(static_cast<float>(i));

    const auto packed = nibble::quantizer<signs>{}({weights.data(), shape});
    if (!packed || !nibble::dequantize(packed->view(), decoded) || !nibble::gemv(*packed, x, y)) return 1;
    std::printf("%.1f bits a weight, %.1f dB, y[0] = %.3f\n", nibble::bits_per_weight<signs>, nibble::distortion(weights, decoded).sqnr_db,
                static_cast<double>(y[0]));
}
