#!/bin/sh
# Consumer projects of every kind, all offline.
# usage: consume.sh MODE COMPILER WORK_DIR
#   subproject     add_subdirectory
#   fetch_content  FetchContent with the source given
#   build_tree     find_package in a build tree
#   installed      install, move the prefix, find_package; and pkg-config
set -eu
mode=$1 compiler=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
fail() {
    echo "FAILED: $*"
    exit 1
}
configure() { # SOURCE BUILD ARGUMENT...
    source=$1 to=$2
    shift 2
    cmake -S "$source" -B "$to" -DCMAKE_CXX_COMPILER="$compiler" "$@" >"$work/configure.log" 2>&1
}
consume() { # SOURCE ARGUMENT...
    configure "$@" || {
        cat "$work/configure.log"
        fail "the consumer does not configure"
    }
    grep '^-- nibble' "$work/configure.log" || true
    cmake --build "$2" >"$work/build.log" 2>&1 || {
        cat "$work/build.log"
        fail "the consumer does not build"
    }
    "$2/consumer" || fail "the consumer does not run"
}
library() { # BUILD ARGUMENT...
    to=$1
    shift
    configure "$root" "$to" -DNIBBLE_BUILD_TESTS=OFF -DNIBBLE_BUILD_EXAMPLES=OFF "$@" || {
        cat "$work/configure.log"
        fail "nibble does not configure"
    }
}

case $mode in
    subproject)
        consume "$here/subproject" "$work/build" -DNIBBLE_ROOT="$root"
        DESTDIR="$work/installed" cmake --install "$work/build" >"$work/install.log"
        [ -z "$(find "$work/installed" -type f 2>/dev/null)" ] || fail "a guest installs its own files"
        ;;
    fetch_content)
        consume "$here/subproject" "$work/build" -DFETCHCONTENT_FULLY_DISCONNECTED=ON -DFETCHCONTENT_SOURCE_DIR_NIBBLE="$root"
        ;;
    build_tree)
        library "$work/nibble"
        consume "$here/find_package" "$work/build" -Dnibble_DIR="$work/nibble"
        ;;
    installed)
        library "$work/nibble" -DCMAKE_INSTALL_PREFIX="$work/prefix"
        cmake --install "$work/nibble" >"$work/install.log"
        mv "$work/prefix" "$work/moved"
        rm -rf "$work/nibble"
        here_is=$(grep -rl "$work/prefix\|$root" "$work/moved" || true)
        [ -z "$here_is" ] || fail "installed files name the place where they were made: $here_is"
        [ -f "$work/moved/share/licenses/nibble/LICENSE" ] || fail "the licence is not installed"

        consume "$here/find_package" "$work/build" -DCMAKE_PREFIX_PATH="$work/moved" -DNIBBLE_WANTED=0.1
        if configure "$here/find_package" "$work/refused" -DCMAKE_PREFIX_PATH="$work/moved" -DNIBBLE_WANTED=99.0; then
            fail "version 99.0 is found"
        fi
        if configure "$here/find_package" "$work/refused" -DCMAKE_PREFIX_PATH="$work/moved" "-DNIBBLE_COMPONENTS=COMPONENTS;wings"; then
            fail "the component wings is found"
        fi

        if command -v pkg-config >/dev/null; then
            flags=$(PKG_CONFIG_PATH="$work/moved/share/pkgconfig" pkg-config --cflags --libs nibble)
            # shellcheck disable=SC2086
            "$compiler" -std=c++20 "$here/main.cpp" "$here/other.cpp" $flags -o "$work/with_pkg_config" || fail "flags of pkg-config: $flags"
            "$work/with_pkg_config"
        else
            echo "SKIP: no pkg-config: nibble.pc is not tried"
        fi
        ;;
    *) fail "unknown mode $mode" ;;
esac
