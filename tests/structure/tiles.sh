#!/bin/sh
# No machine of ours has AMX, so this looks at what a compiler makes of the amx level: the instructions are there, and factors stand in the order in
# which the compiler's own intrinsic writes them, if it has one.
# usage: tiles.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR OBJECT
set -u
compiler=$1 include=$2 eigen=$3 object=$4

command -v objdump >/dev/null || {
    echo "SKIP: no objdump"
    exit 77
}
disassemble() { "$compiler" -std=c++20 -O2 -x c++ -c -I "$include" -isystem "$eigen" "$@" - -o "$object" && objdump -d --no-show-raw-insn "$object" | sed 's/.*:\t//'; }

code=$(disassemble <<'TEXT'
#include <nibble/nibble.hpp>
using F = nibble::q4_0;
[[gnu::used]] const auto rows = nibble::kernel<nibble::op::linear, F, nibble::isa::amx>::entry;
[[gnu::used]] const auto panels = nibble::kernel<nibble::op::panel_linear, F, nibble::isa::amx>::entry;
TEXT
) || exit 1
failed=0
expect() {  # instruction, how many at least
    found=$(printf '%s\n' "$code" | grep -c "^$1")
    echo "$1: $found"
    [ "$found" -ge "$2" ] || failed=1
}
expect 'ldtilecfg' 2
expect 'tilerelease' 2
expect 'tilezero' 8
expect 'tileloadd' 20
expect 'tilestored' 12
expect 'tdpbf16ps' 12
expect 'tdpbf16ps %tmm7,%tmm4,%tmm1' 4

intrinsic=$(printf '#include <immintrin.h>\nvoid f() { _tile_dpbf16ps(1, 4, 7); }\n' | disassemble -mamx-tile -mamx-bf16) || exit "$failed"
printf '%s\n' "$intrinsic" | grep -q '^tdpbf16ps %tmm7,%tmm4,%tmm1' || {
    echo "the intrinsic writes its factors in another order"
    failed=1
}
exit "$failed"
