#!/bin/sh
# Follows docs/extending.md with the toy format toy4.hpp: extending.sh COMPILER EIGEN_INCLUDE
# First in a copy of the library, all steps; then as a program's own format, steps 1 to 4 and the library as it is.
set -eu
compiler=$1 eigen=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

steps=$(grep -c '^[0-9][0-9]*\. ' "$root/docs/extending.md")
[ "$steps" -le 10 ] || {
    echo "docs/extending.md takes $steps steps; it promises at most ten"
    exit 1
}

build() {
    include=$1 source=$2 program=$3
    shift 3
    # shellcheck disable=SC2086
    ${NIBBLE_CCACHE:-} "$compiler" -std=c++20 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror "$@" -I "$include" -I "$here" -isystem "$eigen" \
        "$here/$source" -o "$work/$program" -pthread
}

# Steps 1 to 6 are the file.
mkdir "$work/include"
cp -r "$root/include/nibble" "$work/include"
cp "$here/toy4.hpp" "$work/include/nibble/format/toy4.hpp"
# Step 7: one #include and one line.
list=$work/include/nibble/format/list.hpp
sed -e 's|^#include "nibble/format/q8_k.hpp"$|&\n#include "nibble/format/toy4.hpp"|' \
    -e 's|^#define NIBBLE_FORMATS(X).*|&\n    X(toy4) \\|' "$list" >"$work/list.hpp"
changed=$(diff "$list" "$work/list.hpp" | grep -c '^>') || true
[ "$changed" -eq 2 ] || {
    echo "format/list.hpp is not as docs/extending.md describes it: $changed lines went in instead of 2"
    exit 1
}
cp "$work/list.hpp" "$list"

build "$work/include" extending.cpp in_the_list -DIN_THE_LIST
"$work/in_the_list"
build "$work/include" format_table.cpp table
"$work/table" | grep -q '^| `toy4` | 4.5 ' || {
    echo "the table of formats does not show the new one"
    exit 1
}
build "$root/include" extending.cpp own -DFIRST_STEPS_ONLY
"$work/own"
