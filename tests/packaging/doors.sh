#!/bin/sh
# Doors other than CMake, all offline.
# usage: doors.sh DOOR COMPILER WORK_DIR EIGEN_INCLUDE
#   plain           -I include, two units
#   hostile         a long list of warnings as errors, C++20 and C++23, no exceptions, no RTTI, no assertions
#   unity           both units in one
#   libcxx          Clang with libc++
#   single_header   the amalgamated header, alone in two units, and with files; compilers see in it what they see in the headers
#   cuda            nvcc's host compiler (compiled; run where it links)
#   wasm            Emscripten, run by node
#   mingw           GCC for Windows, run by wine
#   meson, bazel    as a subproject; as a module
#   conan, vcpkg    the recipe and the port
set -eu
door=$1 compiler=$2 work=$3 eigen=$4
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
include="-I$root/include -isystem $eigen"
units="$here/main.cpp $here/other.cpp"

rm -rf "$work"
mkdir -p "$work"
cd "$work"
fail() {
    echo "FAILED: $*"
    exit 1
}
skip() {
    echo "SKIP: $door: $*"
    exit 77
}
need() { command -v "$1" >/dev/null 2>&1 || skip "$1 is not here"; }
# shellcheck disable=SC2086
compile() { "$@" || fail "$*"; }

case $door in
    plain)
        compile "$compiler" -std=c++20 $include $units -o consumer
        ./consumer
        ;;
    hostile)
        for standard in c++20 c++2b; do
            compile "$compiler" -std=$standard -fno-exceptions -fno-rtti -DNDEBUG -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef \
                -Wold-style-cast -Wnon-virtual-dtor -Werror -I"$root/include" -isystem "$eigen" $units -o consumer
            ./consumer
        done
        ;;
    unity)
        printf '#include "%s"\n' $units >unity.cpp
        compile "$compiler" -std=c++20 -Wall -Wextra -Werror $include unity.cpp -o consumer
        ./consumer
        ;;
    libcxx)
        for version in 19 14; do
            if command -v clang++-$version >/dev/null && [ -d "/usr/lib/llvm-$version/include/c++/v1" ]; then
                compile clang++-$version -std=c++20 -stdlib=libc++ -Wall -Wextra -Werror $include $units -o consumer
                ./consumer
                exit 0
            fi
        done
        skip "no Clang with libc++ (Debian: libc++-19-dev libc++abi-19-dev)"
        ;;
    single_header)
        need python3
        mkdir core files
        python3 "$root/cmake/single_header.py" -o core/nibble.hpp
        python3 "$root/cmake/single_header.py" --files -o files/nibble.hpp
        for which in core files; do
            # The units say <nibble/nibble.hpp>; here that is the only header there is.
            mkdir -p $which/include/nibble
            mv $which/nibble.hpp $which/include/nibble/nibble.hpp
            compile "$compiler" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror -I$which/include -isystem "$eigen" $units -o $which/consumer
            $which/consumer
        done
        printf '#include <nibble/nibble.hpp>\nint main() { return nibble::gguf::reader::open({}) ? 1 : 0; }\n' >reads.cpp
        compile "$compiler" -std=c++20 -Ifiles/include -isystem "$eigen" reads.cpp -o reads
        ./reads
        # After preprocessing it is the same token by token, so that no other test has to run with it.
        echo '#include <nibble/nibble.hpp>' >core.cpp
        (cd "$root/include" && find nibble -name '*.hpp' | grep -v -e /kernel/ -e /atomic_file_ | LC_ALL=C sort | sed 's/.*/#include <&>/') | cat core.cpp - >files.cpp
        tokens() { "$@" -std=c++20 -x c++ -E -P -isystem "$eigen" - | tr -s ' \t\n' '\n'; }
        for other in "$compiler" g++ clang++-14 clang++-19 aarch64-linux-gnu-g++; do
            command -v "$other" >/dev/null || continue
            for which in core files; do
                tokens "$other" "-I$root/include" <$which.cpp >tokens.headers
                tokens "$other" "-I$which/include" <core.cpp >tokens.single
                [ "$(wc -l <tokens.headers)" -gt 100000 ] || fail "$other sees nothing in $which.cpp"
                cmp tokens.headers tokens.single || fail "$other sees something else in the single header ($which)"
            done
        done
        ;;
    cuda)
        nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
        [ -x "$nvcc" ] || skip "no nvcc"
        cp "$here/main.cpp" main.cu
        cp "$here/other.cpp" other.cu
        # Eigen annotates its functions for devices unless it is told not to. 1675: pragmas of the host compiler.
        for unit in main other; do
            compile "$nvcc" -std=c++20 -DEIGEN_NO_CUDA -Xcudafe --diag_suppress=1675 -isystem "$root/include" -isystem "$eigen" -Werror all-warnings \
                -c $unit.cu -o $unit.o
        done
        if "$nvcc" main.o other.o -o consumer 2>/dev/null; then ./consumer; fi
        ;;
    wasm)
        need em++
        need node
        compile em++ -std=c++20 -O1 -sENVIRONMENT=node -sSINGLE_FILE=1 $include $units -o consumer.js
        node consumer.js
        ;;
    mingw)
        need x86_64-w64-mingw32-g++-posix
        compile x86_64-w64-mingw32-g++-posix -std=c++20 -O1 -static $include $units -o consumer.exe
        wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
        if [ -x "$wine" ]; then WINEDEBUG=-all WINEPREFIX="$work/wine" "$wine" consumer.exe; else echo "SKIP: mingw: compiled, but no wine to run it"; fi
        ;;
    meson)
        need meson
        mkdir -p project/subprojects
        cp "$here/meson/meson.build" project
        sed -i 's|\.\./||g' project/meson.build
        cp $units project
        ln -s "$root" project/subprojects/nibble
        CXX=$compiler compile meson setup build project --wrap-mode=nodownload
        compile meson compile -C build
        build/consumer
        CXX=$compiler compile meson setup library "$root" --prefix="$work/prefix"
        compile meson install -C library
        PKG_CONFIG_PATH=$work/prefix/share/pkgconfig pkg-config --modversion nibble
        ;;
    bazel)
        need bazel
        version=$(bazel --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        [ "${version:-0}" -ge 7 ] || skip "Bazel ${version:-of unknown version} knows no modules (7 or newer is needed, and its registry)"
        mkdir project
        cp $units "$here/bazel/BUILD.bazel" project
        printf 'bazel_dep(name = "nibble")\nlocal_path_override(module_name = "nibble", path = "%s")\n' "$root" >project/MODULE.bazel
        cd project
        compile bazel --output_user_root="$work/cache" --batch run --verbose_failures //:consumer
        ;;
    conan)
        need conan
        export CONAN_HOME="$work/home" EIGEN_INCLUDE="$eigen"
        conan profile detect >/dev/null
        conan remote disable '*' >/dev/null
        printf '\n[replace_requires]\neigen/*: eigen/system\n' >>"$CONAN_HOME/profiles/default"
        compile conan export "$here/conan/eigen_system"
        compile conan create "$root" -tf "$here/conan" -s compiler.cppstd=20 --build=missing
        if conan create "$root" -tf "" -s compiler.cppstd=17 >refused.log 2>&1; then fail "C++17 is accepted"; fi
        ;;
    vcpkg)
        need vcpkg
        [ -n "${VCPKG_ROOT:-}" ] || skip "VCPKG_ROOT does not name a checkout of vcpkg"
        mkdir project
        cp "$here/find_package/CMakeLists.txt" project
        export VCPKG_FORCE_SYSTEM_BINARIES=1
        compile vcpkg install nibble --classic --enforce-port-checks --binarysource=clear --overlay-ports="$here/vcpkg/ports" \
            --overlay-triplets="$here/vcpkg/triplets" --triplet=x64-linux --host-triplet=x64-linux --x-install-root="$work/installed"
        compile cmake -S "$here/find_package" -B build -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/installed/x64-linux"
        compile cmake --build build
        build/consumer
        ;;
    *) fail "unknown door $door" ;;
esac
