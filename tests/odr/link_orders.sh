#!/bin/sh
# One program from three translation units with different flags, linked in all six orders, run here and on an emulated CPU without
# AVX. If a symbol of the plain unit is replaced by its namesake from a richer unit, the emulated CPU dies of an illegal instruction.
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

compile() { # UNIT FLAG...
    unit=$1
    shift
    "$compiler" -std=c++20 -O1 -I "$include" -isystem "$eigen" -DUNIT="$unit" "$@" \
        -c "$here/unit.cpp" -o "$work/$unit.o" || exit 1
}
compile plain -DODR_MAIN
compile avx2 -mavx2 -mfma -mf16c
compile avx512 -mavx2 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mf16c -mfma

failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# Functions that the linker may take from either unit, and whose richer copy holds AVX code: each is a crash on an older CPU in some
# link order, called in this test or not.
if command -v objdump >/dev/null && command -v nm >/dev/null; then
    weak() { nm "$work/$1.o" | awk '$(NF - 1) == "W" || $(NF - 1) == "V" { print $NF }' | sort -u; }
    weak plain >"$work/plain.weak"
    for unit in avx2 avx512; do
        weak "$unit" | comm -12 - "$work/plain.weak" >"$work/$unit.shared"
        objdump -d --no-show-raw-insn "$work/$unit.o" | awk -v shared="$work/$unit.shared" '
            BEGIN { while ((getline name < shared) > 0) is_shared[name] = 1 }
            /^[0-9a-f]+ <.*>:$/ { symbol = $2; gsub(/[<>:]/, "", symbol); next }
            (symbol in is_shared) && !(symbol in told) && / v[a-z0-9]+ .*%[xyz]mm|\tv[a-z0-9]+ .*%[xyz]mm/ { told[symbol] = 1; print symbol }
        ' | c++filt >"$work/$unit.poisoned"
        if [ -s "$work/$unit.poisoned" ]; then
            fail "the $unit unit and the plain one share $(wc -l <"$work/$unit.poisoned") function(s) that hold AVX code:"
            head -20 "$work/$unit.poisoned"
        fi
        echo "$unit shares $(wc -l <"$work/$unit.shared") weak symbols with the plain unit"
    done
else
    echo "SKIP: no objdump and nm: shared symbols are not searched for AVX code"
fi

emulator=$(command -v qemu-x86_64 || command -v qemu-x86_64-static || true)
[ -n "$emulator" ] || echo "SKIP: no qemu-x86_64 (Debian: qemu-user): link orders are not run on a CPU without AVX"

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
        "$emulator" -cpu Nehalem "$program" >"$work/out" 2>&1 || fail "$order on a CPU without AVX: exit code $?: $(cat "$work/out")"
        grep -q '^units run: plain$' "$work/out" || fail "$order: the emulated CPU ran more than the plain unit: $(cat "$work/out")"
    fi
    echo "$order: $native"
done
exit $failed
