// KV cache rows: each new token's key is packed into the next row of a preallocated cache; scores are a product with the rows so far.
#include <nibble/nibble.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    constexpr std::size_t head = 128, capacity = 1024;
    using format = nibble::q8_0;
    const std::size_t row = nibble::row_bytes<format>(head);
    std::vector<std::byte> cache(capacity * row);
    std::vector<float> key(head), query(head, 1.0f), scores(capacity);

    std::size_t length = 0;
    for (; length < 100; ++length) {
        for (std::size_t i = 0; i < head; ++i) key[i] = std::sin(static_cast<float>(length * head + i));
        if (!nibble::quantize<format>(key, std::span(cache).subspan(length * row, row), {1, head})) return 1;
    }

    const auto keys = nibble::view<format>(std::span(cache).first(length * row), {length, head});
    if (!keys || !nibble::gemv(*keys, query, std::span(scores).first(length))) return 1;
    std::printf("%zu keys in %zu bytes instead of %zu; score of the last: %.3f\n", length, length * row, length * head * 4,
                static_cast<double>(scores[length - 1]));
}
