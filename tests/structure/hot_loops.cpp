// The products whose inner loops hot_loops.py looks at: a format of small blocks and one of super-blocks, at the levels of x86.
#include <nibble/nibble.hpp>

using namespace nibble;

template <isa Level>
struct products {
    op::linear::entry packed[2] = {kernel<op::linear, q4_0, Level>::entry, kernel<op::linear, q4_k, Level>::entry};
    op::panel_linear::entry panels[2] = {kernel<op::panel_linear, q4_0, Level>::entry, kernel<op::panel_linear, q4_k, Level>::entry};
};

extern products<isa::avx2> with_avx2;
extern products<isa::avxvnni> with_avxvnni;
extern products<isa::avx512> with_avx512;
products<isa::avx2> with_avx2;
products<isa::avxvnni> with_avxvnni;
products<isa::avx512> with_avx512;
