#!/bin/sh
# The documentation builds, and Doxygen has nothing to complain about: every public name is documented, every link leads somewhere.
# usage: doxygen.sh COMPILER WORK_DIR
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v doxygen >/dev/null || {
    echo "SKIP: no doxygen: the documentation is not built"
    exit 77
}
rm -rf "$2"
cmake -S "$root" -B "$2" -DCMAKE_CXX_COMPILER="$1" -DNIBBLE_BUILD_DOCS=ON -DNIBBLE_BUILD_TESTS=OFF -DNIBBLE_BUILD_EXAMPLES=OFF >"$2.log" 2>&1 || {
    cat "$2.log"
    exit 1
}
cmake --build "$2" --target nibble_docs >"$2.log" 2>&1 && [ -f "$2/docs/html/index.html" ] && exit 0
grep -E '(error|warning): ' "$2.log" | sed 's/.*Parsing file [^ ]*\.\.\.//'
echo "FAILED: see $2.log"
exit 1
