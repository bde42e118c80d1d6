#!/bin/sh
# Measures nibble against ggml on this machine and prints the tables of docs/benchmarks.md. Works from any directory.
#   sh benchmarks/run.sh [--quick] [--dram] [--write] [FILTER]
# FILTER     a regular expression on names such as product/q4_k/columns:512 or quantize/iq3_s (default: everything)
# --quick    rough figures, in a third of the time
# --dram     also products with weights that no cache holds
# --write    puts the tables into docs/benchmarks.md and the charts into docs/images
# Every level that this machine has is measured: avx2, avxvnni, avx512, amx; the others are named. On Debian and Ubuntu missing packages
# are installed, and ggml comes from npm (tests/interop). Keep the machine idle: both sides of a ratio are measured in turns, so it
# survives a busy machine better than the figures do.
# Environment: NIBBLE_LEVELS (default "avx2 avxvnni avx512 amx"), NIBBLE_OPERATIONS, NIBBLE_JOBS, NIBBLE_BUILD_DIR (default: build/benchmarks),
# NIBBLE_GGML_DIR (a folder with libggml-base.so and libggml-cpu-*.so), CXX.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=${NIBBLE_BUILD_DIR:-$root/build/benchmarks}
levels=${NIBBLE_LEVELS:-avx2 avxvnni avx512 amx}
operations=${NIBBLE_OPERATIONS:-limits quantize dequantize product dot activation convert threads}
filter='' quick='' dram='' write=''
for argument in "$@"; do
    case $argument in
        --quick) quick=--quick ;;
        --dram) dram=yes ;;
        --write) write=--write ;;
        -h | --help)
            sed -n '2,14s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        -*)
            echo "unknown option $argument; known: --quick --dram --write" >&2
            exit 2
            ;;
        *) filter=$argument ;;
    esac
done
have() { command -v "$1" >/dev/null 2>&1; }

# --- tools and ggml ---------------------------------------------------------------------------------------------------------

missing=''
if have dpkg-query; then
    for package in cmake ninja-build g++ libeigen3-dev libbenchmark-dev python3; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
fi
if [ -n "$missing" ]; then
    root_do=''
    [ "$(id -u)" -eq 0 ] || root_do=sudo
    echo "installing$missing" >&2
    $root_do apt-get -q update >&2
    # shellcheck disable=SC2086
    $root_do env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing >&2 || exit 1
fi
[ -n "${NIBBLE_GGML_DIR:-}" ] || sh "$root/tests/interop/install.sh" >&2 || echo "no ggml: figures without ratios" >&2

# --- build ------------------------------------------------------------------------------------------------------------------

mkdir -p "$build" || exit 1
targets=''
for operation in $operations; do targets="$targets benchmark_$operation"; done
# shellcheck disable=SC2086
{
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" \
        -DNIBBLE_BUILD_BENCHMARKS=ON -DNIBBLE_BUILD_TESTS=OFF -DNIBBLE_BUILD_EXAMPLES=OFF &&
        cmake --build "$build" --target $targets ${NIBBLE_JOBS:+--parallel "$NIBBLE_JOBS"}
} >"$build.log" 2>&1 || {
    tail -n 30 "$build.log" >&2
    exit 1
}

# --- run --------------------------------------------------------------------------------------------------------------------

pin=''
if have taskset && [ "$(nproc)" -gt 1 ]; then pin="taskset -c $(($(nproc --all) - 1))"; fi
# Complete tables may be measured in pieces (NIBBLE_LEVELS, NIBBLE_OPERATIONS); what a filter left over must not mix with them.
results=$build/results
if [ -n "$filter" ]; then
    results=$build/results-of-filter
    rm -rf "$results"
fi
mkdir -p "$results"

# measure LEVEL OPERATION NAME FLAGS...: lines go to stderr, figures to a file; 77 means that the machine lacks the level.
measure() {
    level=$1 operation=$2 name=$3
    shift 3
    file=$results/$level-$name.json
    rm -f "$file"
    where=$pin
    [ "$operation" = threads ] && where=''
    NIBBLE_ISA=$level $where "$build/benchmarks/$operation" $quick ${filter:+"--benchmark_filter=$filter"} \
        "--benchmark_out=$file" --benchmark_out_format=json "$@" 2>"$results/stderr.txt"
}
for level in $levels; do
    for operation in $operations; do
        measure "$level" "$operation" "$operation" >&2
        status=$?
        [ $status -eq 77 ] && break
        if [ $status -ne 0 ]; then
            cat "$results/stderr.txt" >&2
            exit 1
        fi
        if [ -n "$dram" ] && [ "$operation" = product ]; then measure "$level" product product_dram --dram >&2; fi
    done
done

exec python3 "$root/benchmarks/report.py" $write "$results"
