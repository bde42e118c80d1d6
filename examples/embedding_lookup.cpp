// An embedding table stays packed; a lookup decodes the rows of the tokens and nothing else.
#include <nibble/nibble.hpp>

#include <cstdio>
#include <vector>

int main() {
    constexpr nibble::shape table{32000, 256};
    std::vector<float> floats(table.elements());
    for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i / table.cols) / static_cast<float>(table.rows);
    const auto packed = nibble::quantizer<nibble::q8_0>{}({floats.data(), table});
    if (!packed) return 1;

    const std::size_t tokens[] = {1, 31999, 16000};
    std::vector<float> embeddings(std::size(tokens) * table.cols);
    for (std::size_t i = 0; i < std::size(tokens); ++i) {
        if (tokens[i] >= table.rows) return 1;  // rows_from does not check
        const auto to = std::span(embeddings).subspan(i * table.cols, table.cols);
        if (!nibble::dequantize(packed->view().rows_from(tokens[i], 1), to)) return 1;
    }
    std::printf("%zu bytes of table, token %zu starts with %.3f\n", packed->bytes().size(), tokens[2],
                static_cast<double>(embeddings[2 * table.cols]));
}
