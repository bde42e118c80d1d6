#!/bin/sh
# One program from three translation units with different flags, linked in all six orders, run here and on emulated CPUs without AVX and without
# AVX-512. If a symbol of a unit is replaced by its namesake from a richer one, they die of an illegal instruction.
# usage: link_orders.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR WORK_DIR
set -u
compiler=$1 include=$2 eigen=$3 work=$4
here=$(dirname "$0")

case $(uname -m) in
    x86_64 | amd64) ;;
    *)
        echo "SKIP: link orders of units with different flags: an x86 question, this is $(uname -m)"
        exit 77
        ;;
esac

rm -rf "$work" && mkdir -p "$work" || exit 1

compile() { # FOLDER OPTIMISATION UNIT FLAG...
    folder=$1 optimisation=$2 unit=$3
    shift 3
    mkdir -p "$folder"
    "$compiler" -std=c++20 "$optimisation" -I "$include" -isystem "$eigen" -DUNIT="$unit" "$@" -c "$here/unit.cpp" -o "$folder/$unit.o" || exit 1
}
compile_all() { # FOLDER OPTIMISATION
    compile "$@" plain -DODR_MAIN
    compile "$@" avx2 -mavx2 -mfma -mf16c
    compile "$@" avx512 -mavx2 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mf16c -mfma
}
compile_all "$work" -O1
compile_all "$work/unoptimised" -O0  # nothing is inlined that need not be

failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# Functions that the linker may take from either unit, and whose richer copy holds instructions that the poorer unit's CPU may lack: each is a
# crash in some link order, called in this test or not.
avx='[ \t]v[a-z0-9]+ .*%[xyz]mm'
avx512='%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|%k[0-7]'
weak() { nm "$1" | awk '$(NF - 1) == "W" || $(NF - 1) == "V" { print $NF }' | sort -u; }
compare() { # FOLDER POORER RICHER PATTERN
    weak "$1/$2.o" >"$work/poorer"
    weak "$1/$3.o" | comm -12 - "$work/poorer" >"$work/shared"
    objdump -d --no-show-raw-insn "$1/$3.o" | awk -v shared="$work/shared" -v pattern="$4" '
        BEGIN { while ((getline name < shared) > 0) is_shared[name] = 1 }
        /^[0-9a-f]+ <.*>:$/ { symbol = $2; gsub(/[<>:]/, "", symbol); next }
        (symbol in is_shared) && !(symbol in told) && $0 ~ pattern { told[symbol] = 1; print symbol }
    ' | c++filt >"$work/poisoned"
    if [ -s "$work/poisoned" ]; then
        fail "$1: the units $2 and $3 share $(wc -l <"$work/poisoned") function(s) of which the latter has code that the former must not run:"
        head -20 "$work/poisoned"
    fi
    echo "$1: $3 shares $(wc -l <"$work/shared") weak symbols with $2"
}
if command -v objdump >/dev/null && command -v nm >/dev/null; then
    for folder in "$work" "$work/unoptimised"; do
        compare "$folder" plain avx2 "$avx"
        compare "$folder" plain avx512 "$avx"
        compare "$folder" avx2 avx512 "$avx512"
    done
else
    echo "SKIP: no objdump and nm: shared symbols are not searched for AVX code"
fi

emulator=$(command -v qemu-x86_64 || command -v qemu-x86_64-static || true)
[ -n "$emulator" ] || echo "SKIP: no qemu-x86_64 (Debian: qemu-user): link orders are not run on CPUs without AVX and AVX-512"
emulate() { # CPU UNITS LEVEL
    NIBBLE_ISA=$3 "$emulator" -cpu "$1" "$program" >"$work/out" 2>&1 || fail "$order on $1, NIBBLE_ISA=$3: exit code $?: $(cat "$work/out")"
    grep -q "^units run: $2\$" "$work/out" || fail "$order: $1 is to run the units $2: $(cat "$work/out")"
}

for order in "plain avx2 avx512" "plain avx512 avx2" "avx2 plain avx512" "avx512 plain avx2" "avx2 avx512 plain" "avx512 avx2 plain"; do
    objects=
    for unit in $order; do objects="$objects $work/$unit.o"; done
    program=$work/$(echo "$order" | tr ' ' -)
    # shellcheck disable=SC2086
    "$compiler" $objects -pthread -o "$program" || {
        fail "$order: does not link"
        continue
    }
    for level in "" reference avx2; do
        NIBBLE_ISA=$level "$program" >"$work/out" 2>&1 || fail "$order, NIBBLE_ISA=$level: exit code $?: $(cat "$work/out")"
    done
    native=$(cat "$work/out")
    if [ -n "$emulator" ]; then
        emulate Nehalem "plain" ""
        emulate Haswell "plain avx2" ""
        emulate Haswell "plain avx2" reference
    fi
    echo "$order: $native"
done
exit $failed
