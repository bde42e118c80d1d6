#!/bin/sh
# Installs the npm packages of this folder into node_modules, if that was not done yet. Exits with 77 and says why if it cannot.
set -u
cd "$(dirname "$0")" || exit 1
skip() {
    echo "SKIP: $*"
    exit 77
}
case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) skip "the prebuilt llama.cpp of these tests is for Linux on x86-64" ;;
esac
command -v node >/dev/null 2>&1 || skip "node is missing (20 or newer is needed to run llama.cpp and @huggingface/gguf)"
command -v npm >/dev/null 2>&1 || skip "npm is missing"
version=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
[ "${version:-0}" -ge 20 ] || skip "node ${version:-?} is too old: node-llama-cpp needs 20 or newer"

# The stamp holds the lock file that node_modules was made from.
ready() { cmp -s package-lock.json node_modules/.nibble-lock.json; }
ready && exit 0
# Two builds may test at the same time.
if command -v flock >/dev/null 2>&1; then
    mkdir -p node_modules && exec 9>node_modules.lock && flock -w 300 9
    ready && exit 0
fi
log=$(mktemp) || exit 1
if ! npm ci --ignore-scripts --omit=optional --no-audit --no-fund >"$log" 2>&1; then
    tail -n 5 "$log"
    rm -f "$log"
    skip "npm ci failed (no network?)"
fi
rm -f "$log"
cp package-lock.json node_modules/.nibble-lock.json
