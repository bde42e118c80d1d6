#!/bin/sh
# What a program pays for nibble.hpp: compiling a file that quantizes to two formats takes at most 1.5 s more than one that includes
# Eigen/Core alone (GCC 12, -O0, where the latter takes 0.42 s), and an object that uses one format holds nothing of another.
# usage: include_cost.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR WORK_DIR
set -eu
compiler=$1 include=$2 eigen=$3 work=$4

rm -rf "$work"
mkdir -p "$work"
cd "$work"
failed=0

echo '#include <Eigen/Core>' >eigen.cpp
cat >two.cpp <<'END'
#include <nibble/nibble.hpp>
nibble::status use(std::span<const float> x, std::span<std::byte> a, std::span<std::byte> b, nibble::shape s) {
    const auto first = nibble::quantize<nibble::q4_0>(x, a, s);
    return first ? nibble::quantize<nibble::q4_k>(x, b, s) : first;
}
END
cat >one.cpp <<'END'
#include <nibble/nibble.hpp>
using format = nibble::FORMAT;
nibble::status use(std::span<const float> x, std::span<std::byte> packed, std::span<float> y, nibble::shape s) {
    if (const auto done = nibble::quantize<format>(x, packed, s); !done) return done;
    if (const auto done = nibble::dequantize<format>(packed, y, s); !done) return done;
    return nibble::gemv(*nibble::view<format>(packed, s), x, y);
}
END
compile() { # SOURCE FLAG...
    source=$1
    shift
    "$compiler" -std=c++20 -O0 -I "$include" -isystem "$eigen" "$@" -c "$source.cpp" -o "$source.o"
}

# --- code -----------------------------------------------------------------------------------------------------------------

if command -v nm >/dev/null; then
    formats=$(sed -n 's/^ *X(\([a-z0-9_]*\)).*/\1/p' "$include/nibble/format/list.hpp")
    for format in q4_0 q4_k; do
        compile one -DFORMAT=$format
        nm -C one.o >symbols
        for other in $formats; do
            [ "$other" != $format ] || continue
            if grep -E "nibble::v[0-9]+::(built_for\w*::)?$other\b" symbols >found; then
                echo "FAILED: a program that uses $format alone holds code of $other:"
                head -n 5 found
                failed=1
            fi
        done
        grep -q "nibble::v[0-9]*::$format" symbols || { echo "FAILED: nm shows nothing of $format"; failed=1; }
    done
else
    echo "SKIP: no nm (Debian: binutils): objects are not searched for other formats"
fi

# --- time -----------------------------------------------------------------------------------------------------------------

case $("$compiler" -dumpfullversion 2>/dev/null) in
    12.*) ;;
    *)
        echo "the limit of time is one of GCC 12: not measured with $compiler"
        exit $failed
        ;;
esac
if ! command -v valgrind >/dev/null; then
    echo "SKIP: no valgrind (Debian: valgrind): the time of compilation is not measured"
    exit $failed
fi
# Instructions stand for time: on a shared machine the same compilation takes twice as long in some minutes as in others, and a large one suffers
# more than a small one.
instructions() { # SOURCE; in millions
    # -S: the assembler would be counted too, and write over the count.
    compile "$1" -S -wrapper valgrind,--tool=cachegrind,--cache-sim=no,--cachegrind-out-file=/dev/null,--log-file="$work/count"
    sed -n 's/.*I *refs: *//p' count | sed 's/,//g; s/......$//'
}
base=$(instructions eigen) two=$(instructions two)
percent=$(((two - base) * 100 / base)) limit=$((150 * 100 / 42))
echo "millions of instructions: Eigen/Core $base, two formats $two, which is $percent % of Eigen/Core more; at most $limit %"
if [ "$percent" -gt "$limit" ]; then
    echo "FAILED: including nibble.hpp and using two formats costs too much"
    failed=1
fi
exit $failed
