#!/bin/sh
# The main job on a real model: builds the tool, quantizes examples/model/kjv-3m-f16.gguf to several types and shows what that costs.
#   sh examples/quickstart.sh
# Works from any directory. On Debian and Ubuntu missing packages are installed; elsewhere it says what it needs. With node and npm it also
# has llama.cpp load the results. Output goes to build/quickstart.
# Environment: NIBBLE_TOOL (a tool that is built already), NIBBLE_BUILD_DIR (default: build/quickstart in the repository).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${NIBBLE_BUILD_DIR:-$root/build/quickstart}
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

mkdir -p "$build"
tool=${NIBBLE_TOOL:-}
if [ -z "$tool" ]; then
    echo "building the tool (one to three minutes)"
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNIBBLE_BUILD_TESTS=OFF >"$build/configure.log" 2>&1 ||
        { cat "$build/configure.log" >&2; exit 1; }
    cmake --build "$build" --target nibble_tool >"$build/build.log" 2>&1 || { cat "$build/build.log" >&2; exit 1; }
    tool=$build/examples/tool/nibble
fi

echo
printf '%-8s %10s %8s %9s\n' type bytes bpw 'SQNR dB'
for type in F16 BF16 Q8_0 Q6_K Q5_K_M Q4_K_M Q4_0 IQ4_XS Q3_K_M IQ3_XXS Q2_K; do
    out=$build/kjv-3m-$type.gguf
    "$tool" quantize "$model" "$out" "$type" --imatrix "$root/examples/model/kjv-3m-imatrix.gguf" >/dev/null 2>"$build/quantize.log" ||
        { cat "$build/quantize.log" >&2; exit 1; }
    "$tool" compare "$model" "$out" --json >"$build/compare.json"
    bpw=$(sed -n 's/^ *"b_bits_per_weight": *\([^,]*\),*/\1/p' "$build/compare.json" | head -n 1)
    sqnr=$(sed -n 's/^ *"sqnr_db": *\([^,]*\),*/\1/p' "$build/compare.json" | head -n 1)
    case $sqnr in null | '"'* | '') sqnr=lossless ;; *) sqnr=$(LC_ALL=C printf '%.2f' "$sqnr") ;; esac
    LC_ALL=C printf '%-8s %10s %8.3f %9s\n' "$type" "$(wc -c <"$out" | tr -d ' ')" "$bpw" "$sqnr"
done
echo
echo "the files are in $build"
echo

# llama.cpp's opinion, from npm.
interop=$root/tests/interop
if sh "$interop/install.sh" >"$build/npm.log" 2>&1; then
    echo "llama.cpp's perplexity per byte on 40 windows of examples/model/text.txt, and a line that it lets the model write:"
    for type in F16 Q4_K_M; do
        file=$build/kjv-3m-$type.gguf
        if perplexity=$(node "$interop/perplexity.mjs" "$root/examples/model/text.txt" 40 "$file" 2>"$build/node.log") &&
            line=$(node "$interop/generate.mjs" "$file" 2>"$build/node.log"); then
            LC_ALL=C printf '%-8s %.4f  %s\n' "$type" "$(echo "$perplexity" | sed -n 's/.*:\([0-9.]*\)}$/\1/p')" "$line"
        else
            echo "llama.cpp could not run $file:"
            tail -n 5 "$build/node.log"
            exit 1
        fi
    done
else
    echo "llama.cpp was not asked to load the files: $(sed -n 's/^SKIP: //p' "$build/npm.log")"
fi
