#!/bin/sh
# Compiles and runs the C++ code of README and docs: code_blocks.sh COMPILER EIGEN_INCLUDE
# A block ```cpp is a program: it has a main and ends with 0. A block ```cpp fragment is part of one: it is compiled if it has its
# #include lines, and never run. Pragmas of OpenMP need not be known.
set -u
compiler=$1 eigen=$2
root=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1

find README.md docs examples -name '*.md' | sort | while read -r page; do
    awk -v page="$page" -v work="$work" '
        /^ *```cpp( fragment)? *$/ { line = NR; name = page; gsub(/[^A-Za-z0-9]/, "_", name); file = work "/" name "_" NR (/fragment/ ? ".part" : "") ".cpp"
                         printf "#line %d \"%s\"\n", NR + 1, page > file; next }
        /^ *```/ && file != "" { close(file); file = "" }
        file != "" { print > file }' "$page"
done

failed=0 count=0
for source in "$work"/*.cpp; do
    [ -e "$source" ] || continue
    where=$(sed -n '1s/^#line \([0-9]*\) "\(.*\)"$/\2:\1/p' "$source")
    case $source in
        *.part.cpp)
            grep -q '^#include' "$source" || continue
            # shellcheck disable=SC2086
            ${NIBBLE_CCACHE:-} "$compiler" -std=c++20 -Wall -Wextra -Werror -I "$root/include" -isystem "$eigen" -c "$source" -o "$work/part.o" || {
                echo "FAILED: $where: does not compile"
                failed=$((failed + 1))
            }
            continue
            ;;
    esac
    count=$((count + 1))
    if ! grep -q 'int main(' "$source"; then
        echo "FAILED: $where: has no main; mark it as \`\`\`cpp fragment if it is part of a program"
        failed=$((failed + 1))
        continue
    fi
    # shellcheck disable=SC2086
    if ! ${NIBBLE_CCACHE:-} "$compiler" -std=c++20 -Wall -Wextra -Wno-unknown-pragmas -Werror -I "$root/include" -isystem "$eigen" "$source" -o "$work/program" -pthread; then
        echo "FAILED: $where: does not compile"
        failed=$((failed + 1))
    elif ! (cd "$work" && ./program </dev/null); then
        echo "FAILED: $where: does not run"
        failed=$((failed + 1))
    fi
done
echo "$count programs in README and docs"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
