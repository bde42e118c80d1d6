#!/bin/sh
# Runs a script of this folder with node: run_node.sh SCRIPT ARGUMENT... Skips (77) where the packages are not installed.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
sh "$here/install.sh" || exit $?
script=$1
shift
exec node "$here/$script" "$@"
