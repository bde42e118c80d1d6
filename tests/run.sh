#!/bin/sh
# Builds and tests nibble on this machine: what CI runs, and what a laptop runs. Works from any directory.
#   sh tests/run.sh [--quick]
# Passes: g++ (all tests); clang++-14 and clang++-19 (tests that compilers can break: labels bytes, smoke, cpu and products); AArch64 in an emulator
# (the same tests); sanitizers (bytes, file, gguf, safetensors, algo: every format at every level). --quick: g++ only.
# A pass whose compiler is missing is skipped, aloud.
# On Debian and Ubuntu missing packages are installed. The last line sums up all passes: "N passed, N failed, N skipped".
# Environment: NIBBLE_JOBS (parallel jobs), NIBBLE_BUILD_DIR (default: build/ci in the repository).
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
build=${NIBBLE_BUILD_DIR:-$root/build/ci}
jobs=${NIBBLE_JOBS:-$(nproc 2>/dev/null || echo 2)}
quick=''
for argument in "$@"; do
    case $argument in
        --quick) quick=yes ;;
        -h | --help)
            sed -n '2,8s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        *)
            echo "unknown option $argument; known: --quick" >&2
            exit 2
            ;;
    esac
done

passed=0 failed=0 skipped=0
say() { printf '\n=== %s\n' "$*"; }
skip() {
    echo "SKIP: $*"
    skipped=$((skipped + 1))
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- tools ----------------------------------------------------------------------------------------------------------------

needed="cmake ninja-build g++ libeigen3-dev catch2 libcli11-dev nlohmann-json3-dev"
wanted="ccache pkg-config"
if [ -z "$quick" ]; then
    wanted="$wanted clang-14 libclang-rt-14-dev clang-19 libbenchmark-dev valgrind qemu-user g++-aarch64-linux-gnu"
    wanted="$wanted python3 meson libc++-19-dev libc++abi-19-dev g++-mingw-w64-x86-64-posix wine64 emscripten libtbb-dev doxygen"
    have node || wanted="$wanted nodejs npm"
fi

install_missing() {
    missing=''
    for package in $needed $wanted; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    root_do=''
    if [ "$(id -u)" -ne 0 ]; then
        if have sudo; then root_do="sudo"; else
            echo "missing:$missing (neither root nor sudo: not installed)"
            return 0
        fi
    fi
    say "installing$missing"
    apt="$root_do env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300"
    $apt update || echo "apt-get update failed; going on with what is here"
    # One at a time: a package that this release does not have must not keep the others away.
    for package in $missing; do
        $apt install --no-install-recommends "$package" </dev/null >"$build/apt.log" 2>&1 || {
            tail -n 3 "$build/apt.log"
            echo "could not install $package"
        }
    done
}

mkdir -p "$build" || exit 1
if have apt-get && have dpkg-query; then
    install_missing
fi
for tool in cmake ninja g++; do
    have "$tool" || {
        echo "nibble's tests need cmake >= 3.23, ninja, g++ >= 12, Eigen >= 3.4, Catch2 (2.13 or 3), CLI11 and nlohmann/json." >&2
        echo "$tool is missing: please install it (on Debian and Ubuntu this script does so itself)." >&2
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
    }
done

# --- one pass -------------------------------------------------------------------------------------------------------------

# pass NAME LABELS CMAKE_ARGUMENT...: LABELS are separated by spaces; "" means all tests.
pass() {
    name=$1 labels=$2
    shift 2
    dir=$build/$name
    say "$name: configure"
    # A path that moved, or another generator, makes CMake refuse an old cache.
    cmake -S "$root" -B "$dir" -G Ninja "$@" >"$build/$name.configure.log" 2>&1 ||
        { rm -rf "$dir" && cmake -S "$root" -B "$dir" -G Ninja "$@" >"$build/$name.configure.log" 2>&1; } || {
        tail -n 40 "$build/$name.configure.log"
        echo "FAILED: $name does not configure"
        failed=$((failed + 1))
        return
    }
    sed -n 's/^-- SKIP: /SKIP: /p' "$build/$name.configure.log"

    say "$name: build"
    targets='' pattern=''
    for label in $labels; do
        pattern="$pattern${pattern:+|}$label"
        # A label that no test carries yet has no target.
        if ninja -C "$dir" -t query "tests-$label" >/dev/null 2>&1; then targets="$targets tests-$label"; fi
    done
    if [ -n "$labels" ] && [ -z "$targets" ]; then
        skip "$name: no test has a label of: $labels"
        return
    fi
    # shellcheck disable=SC2086
    ninja -C "$dir" -k 0 -j "$jobs" $targets >"$build/$name.build.log" 2>&1 || {
        grep -E -A 12 '^FAILED:|error:' "$build/$name.build.log" | head -n 200
        echo "FAILED: $name does not build completely, see $build/$name.build.log"
        failed=$((failed + 1))
    }

    say "$name: test"
    rm -f "$build/$name.xml"
    ctest --test-dir "$dir" -j "$jobs" --output-on-failure --test-output-size-failed 20000 \
        --output-junit "$build/$name.xml" ${pattern:+-L "^($pattern)\$"} \
        >"$build/$name.test.log" 2>&1
    status=$?
    # Passed tests are counted, not listed; where ctest looks for programs that were not built is of no interest.
    awk '/^Could not find executable/ { searching = 1 }
         !searching && !/^ *Start +[0-9]+:/ && !/^ *[0-9]+\/[0-9]+ Test +#[0-9]+:.* Passed /
         /^Unable to find executable/ { searching = 0 }' "$build/$name.test.log"
    grep -h '^SKIP: ' "$dir/Testing/Temporary/LastTest.log" 2>/dev/null | sort | uniq -c | sed 's/^ *\([0-9]*\) SKIP: /SKIP: (\1x) /'

    # ctest calls a test whose program is missing "notrun"; to us that is a failure.
    all=$(grep -c '<testcase ' "$build/$name.xml" 2>/dev/null)
    good=$(grep -c '<testcase .*status="run"' "$build/$name.xml" 2>/dev/null)
    left=$(grep -c '<skipped message="SKIP_' "$build/$name.xml" 2>/dev/null)
    bad=$((${all:-0} - ${good:-0} - ${left:-0}))
    if [ "${all:-0}" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
        echo "FAILED: $name: ctest ended with $status and ${all:-0} results"
        bad=$((bad + 1))
    fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + bad))
    skipped=$((skipped + ${left:-0}))
    echo "$name: ${good:-0} passed, $bad failed, ${left:-0} skipped"
}

# --- the passes -----------------------------------------------------------------------------------------------------------

pass gcc "" -DCMAKE_CXX_COMPILER=g++

if [ -z "$quick" ]; then
    # The -O2 of g++, which vectorizes otherwise, is above; Clang's does less than its -O3.
    for version in 14 19; do
        labels="bytes smoke cpu products" kernels="-O3 -march=native"
        # The sanitizers' pass has the products of Clang 14; without them no test needs all operations.
        if [ $version -eq 14 ]; then labels="bytes smoke cpu" kernels=-O2; fi
        if have clang++-$version; then
            pass clang-$version "$labels" -DCMAKE_CXX_COMPILER=clang++-$version -DNIBBLE_BUILD_EXAMPLES=OFF \
                "-DNIBBLE_TEST_FLAG_SETS=-O0;-O3 -march=native" "-DNIBBLE_TEST_KERNEL_FLAGS=${kernels}"
        else
            skip "no clang++-$version: its pass is left out"
        fi
    done

    if [ "$(uname -m)" = x86_64 ]; then
        if have aarch64-linux-gnu-g++ && have qemu-aarch64; then
            pass aarch64 "bytes smoke cpu products" -DNIBBLE_TEST_FLAG_SETS="-O0;-O3" -DNIBBLE_TEST_KERNEL_FLAGS=-O3 \
                -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
                -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static \
                -DCMAKE_CROSSCOMPILING_EMULATOR="$(command -v qemu-aarch64)" -DNIBBLE_BUILD_EXAMPLES=OFF
        else
            skip "no aarch64-linux-gnu-g++ or no qemu-aarch64: the AArch64 pass is left out"
        fi
    fi

    sanitizer=g++ outline=''
    # Checks of addresses as calls: a third less time to compile kernels.
    if have clang++-14; then sanitizer=clang++-14 outline=-fsanitize-address-outline-instrumentation; fi
    # Tests ask for more memory than there is and want nibble's error, not the sanitizer's.
    ASAN_OPTIONS=allocator_may_return_null=1
    export ASAN_OPTIONS
    # -g1: reports name lines, and compiling takes a seventh less time than with -g. Null pointers, sizes of objects and sums of pointers are what the
    # address sanitizer finds too where they are used; their checks make kernels compile five times as long.
    checks="-fsanitize=address,undefined -fno-sanitize=null,object-size,pointer-overflow -fno-sanitize-recover=all"
    pass sanitize "bytes file gguf safetensors algo" -DCMAKE_CXX_COMPILER=$sanitizer -DNIBBLE_BUILD_EXAMPLES=OFF \
        -DNIBBLE_TEST_FLAG_SETS=-O1 -DNIBBLE_TEST_KERNEL_FLAGS=-O1 -DCMAKE_CXX_FLAGS="-O1 -g1 -fno-omit-frame-pointer $outline $checks"
fi

say "all passes"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
