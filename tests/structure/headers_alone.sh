#!/bin/sh
# Each header compiles alone, twice included, with strict warnings, without exceptions and RTTI.
# usage: headers_alone.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR HEADER_OR_FOLDER   (the last relative to INCLUDE_DIR)
set -u
compiler=$1 include=$2 eigen=$3 what=$4

failed=0 count=0
for header in $(cd "$include" && find "$what" -name '*.hpp' | sort); do
    count=$((count + 1))
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        "$compiler" -std=c++20 -fsyntax-only -x c++ -I "$include" -isystem "$eigen" \
            -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -fno-exceptions -fno-rtti - || {
        echo "FAILED: $header"
        failed=$((failed + 1))
    }
done
echo "$what: $count headers with $compiler, $failed failed"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
