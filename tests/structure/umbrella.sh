#!/bin/sh
# nibble.hpp is cheap to include: no stream, file, regex or ranges header comes in through it, however indirectly (<functional>
# does, through Eigen). Prints what one include costs.
# usage: umbrella.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR
set -u
compiler=$1 include=$2 eigen=$3

run() { printf '#include <nibble/nibble.hpp>\n' | "$compiler" -std=c++20 -x c++ -I "$include" -isystem "$eigen" "$@" -; }

files=$(run -M) || exit 1
heavy=$(printf '%s\n' "$files" | tr ' ' '\n' | grep -E '/(iostream|fstream|filesystem|regex|ranges|execution)$')
own=$(printf '%s\n' "$files" | tr ' ' '\n' | grep -c '/nibble/')
echo "nibble.hpp: $own own headers, $(run -E -P | wc -l) lines after preprocessing"
if [ -n "$heavy" ]; then
    echo "nibble.hpp must not include:"
    echo "$heavy"
    exit 1
fi
