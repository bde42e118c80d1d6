#!/bin/sh
# The avxvnni level without a processor that has it. Its products are compiled as they are; the object must hold vpdpbusd in its VEX form and
# nothing of AVX-512. Then the assembler is asked for the other encoding of the same instruction, which AVX-512 VNNI knows: the
# program differs from the real one in nothing else, registers included, and is run.
# usage: vex_as_evex.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR TESTS_DIR WORK_DIR FLAG...    (-O2, or -O1 to look at the encoding only)
set -u
compiler=$1 include=$2 eigen=$3 tests=$4 work=$5
shift 5

case $(uname -m) in
    x86_64 | amd64) ;;
    *)
        echo "SKIP: AVX-VNNI is an x86 level, this is $(uname -m)"
        exit 77
        ;;
esac
command -v objdump >/dev/null || {
    echo "SKIP: no objdump (Debian: binutils)"
    exit 77
}
mkdir -p "$work" || exit 1
"$compiler" -std=c++20 "$@" -I "$include" -I "$tests" -isystem "$eigen" -S "$tests/kernel/avxvnni/products.cpp" -o "$work/vex.s" || exit 1
"$compiler" -c "$work/vex.s" -o "$work/vex.o" || exit 1

# In 64-bit code 62 opens an EVEX instruction and nothing else.
objdump -dw "$work/vex.o" >"$work/vex.txt"
found=$(grep -c '{vex} vpdpbusd' "$work/vex.txt")
if grep -E '^ *[0-9a-f]+:[[:space:]]+((64|65|67) )?62 ' "$work/vex.txt" | head -n 5 | grep . || [ "$found" -eq 0 ]; then
    echo "FAILED: $found times vpdpbusd in its VEX form; AVX-512 above, if there is any"
    exit 1
fi
echo "$found times vpdpbusd in its VEX form, and no instruction of AVX-512"

sed 's/{vex}\([[:space:]]*vpdpbusd\)/{evex}\1/' "$work/vex.s" >"$work/evex.s"
"$compiler" -c "$work/evex.s" -o "$work/evex.o" && "$compiler" "$work/evex.o" -o "$work/products" || exit 1
"$work/products"
