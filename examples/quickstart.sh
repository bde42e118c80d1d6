#!/bin/sh
# The main job on a real model: builds the tool, quantizes examples/model/kjv-3m-f16.gguf to several types and shows what that costs.
#   sh examples/quickstart.sh
# Works from any directory. On Debian and Ubuntu missing packages are installed; elsewhere it says what it needs. With node and npm it also
# has llama.cpp load the results. Output goes to build/quickstart.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/quickstart
model=$root/examples/model/kjv-3m-f16.gguf
have() { command -v "$1" >/dev/null 2>&1; }

missing=''
have cmake || missing="$missing cmake"
have ninja || missing="$missing ninja-build"
have c++ || have g++ || missing="$missing g++"
found() { for path in "$@"; do [ -e "$path" ] && return 0; done; return 1; }
found /usr/include/eigen3/Eigen/Core /usr/local/include/eigen3/Eigen/Core || missing="$missing libeigen3-dev"
found /usr/include/CLI/CLI.hpp /usr/local/include/CLI/CLI.hpp || missing="$missing libcli11-dev"
found /usr/include/nlohmann/json.hpp /usr/local/include/nlohmann/json.hpp || missing="$missing nlohmann-json3-dev"
if [ -n "$missing" ]; then
    if have apt-get && { [ "$(id -u)" -eq 0 ] || have sudo; }; then
        as_root=''
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        echo "installing$missing"
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y update >/dev/null || echo "apt-get update failed; going on"
        # shellcheck disable=SC2086
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing >/dev/null
    else
        echo "please install (Debian's names):$missing" >&2
        exit 1
    fi
fi

echo "building the tool (about a minute)"
mkdir -p "$build"
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNIBBLE_BUILD_TESTS=OFF >"$build/configure.log" 2>&1 ||
    { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target nibble_tool >"$build/build.log" 2>&1 || { cat "$build/build.log" >&2; exit 1; }
tool=$build/examples/tool/nibble

echo
printf '%-8s %10s %8s %9s\n' type bytes bpw 'SQNR dB'
for type in F16 BF16 Q8_0 Q6_K Q4_K_M Q4_0; do
    out=$build/kjv-3m-$type.gguf
    "$tool" quantize "$model" "$out" "$type" >/dev/null 2>"$build/quantize.log" || { cat "$build/quantize.log" >&2; exit 1; }
    "$tool" compare "$model" "$out" --json >"$build/compare.json"
    bpw=$(sed -n 's/^ *"b_bits_per_weight": *\([^,]*\),*/\1/p' "$build/compare.json" | head -n 1)
    sqnr=$(sed -n 's/^ *"sqnr_db": *\([^,]*\),*/\1/p' "$build/compare.json" | head -n 1)
    case $sqnr in null | '"'* | '') sqnr=lossless ;; *) sqnr=$(LC_ALL=C printf '%.2f' "$sqnr") ;; esac
    LC_ALL=C printf '%-8s %10s %8.3f %9s\n' "$type" "$(wc -c <"$out" | tr -d ' ')" "$bpw" "$sqnr"
done
echo
echo "the files are in $build"

interop=$root/tests/interop
if [ ! -f "$interop/package-lock.json" ]; then
    :
elif ! have node || ! have npm; then
    echo "node and npm are not here: llama.cpp is not asked to load the files"
elif [ -d "$interop/node_modules" ] || (cd "$interop" && npm ci --ignore-scripts --no-audit --no-fund >"$build/npm.log" 2>&1); then
    echo "llama.cpp's perplexity per byte of examples/model/text.txt:"
    node "$interop/perplexity.mjs" "$root/examples/model/text.txt" 40 "$build/kjv-3m-F16.gguf" "$build/kjv-3m-Q4_K_M.gguf" 2>"$build/node.log" ||
        echo "llama.cpp could not be asked; see $build/node.log"
    [ ! -f "$interop/generate.mjs" ] || node "$interop/generate.mjs" "$build/kjv-3m-Q4_K_M.gguf" 2>"$build/node.log" | sed 's/^/generated: /' ||
        echo "llama.cpp could not generate; see $build/node.log"
else
    echo "npm could not install llama.cpp's package; see $build/npm.log"
fi
