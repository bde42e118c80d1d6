// Your own memory: nibble writes where you say. One arena holds the packed rows of several matrices, each in a format of its own.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <vector>

int main() {
    constexpr nibble::shape up{688, 256}, down{256, 688};  // 688 columns do not divide into blocks of 256: the last block is padded
    const std::size_t up_bytes = up.rows * nibble::row_bytes<nibble::q4_k>(up.cols);
    const std::size_t down_bytes = down.rows * nibble::row_bytes<nibble::q6_k>(down.cols);
    std::vector<std::byte> arena(up_bytes + down_bytes);
    const std::vector<float> up_floats(up.elements(), 0.5f), down_floats(down.elements(), -0.25f);

    const std::span<std::byte> first = std::span(arena).first(up_bytes), second = std::span(arena).subspan(up_bytes);
    if (!nibble::quantize<nibble::q4_k>(up_floats, first, up)) return 1;
    if (!nibble::quantize<nibble::q6_k>(down_floats, second, down)) return 1;

    // Views are checked once and then cost nothing.
    const auto w_up = nibble::view<nibble::q4_k>(first, up);
    const auto w_down = nibble::view<nibble::q6_k>(second, down);
    std::vector<float> x(up.cols, 1.0f), hidden(up.rows), y(down.rows);
    if (!w_up || !w_down || !nibble::gemv(*w_up, x, hidden) || !nibble::gemv(*w_down, hidden, y)) return 1;
    std::printf("%zu bytes of arena, y[0] = %.1f\n", arena.size(), static_cast<double>(y[0]));
}
