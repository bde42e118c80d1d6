#include <nibble/nibble.hpp>

std::size_t bytes_of_a_row();
std::size_t bytes_of_a_row() { return nibble::row_bytes<nibble::q4_0>(256); }
