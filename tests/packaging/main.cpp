// A consumer: two translation units that both include everything.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <vector>

std::size_t bytes_of_a_row();

int main() {
    const std::vector<float> weights(256, 0.5f);
    std::vector<std::byte> packed(bytes_of_a_row());
    const nibble::status done = nibble::quantize<nibble::q4_0>(weights, packed, nibble::shape{1, 256});
    std::printf("nibble %s: %s\n", NIBBLE_VERSION_STRING, done ? "works" : "fails");
    return done ? 0 : 1;
}
