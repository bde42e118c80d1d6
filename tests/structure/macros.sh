#!/bin/sh
# All headers compile in one unit where somebody has defined the macros that Windows' headers define, with strict warnings, without exceptions and
# RTTI. libstdc++ removes min and max, so the system's headers come first here.
# usage: macros.sh COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR
set -u
compiler=$1 include=$2 eigen=$3

foreign='arm_|windows'
case $(uname -m) in aarch64 | arm64) foreign='mmintrin|cpuid|windows' ;; esac
{
    find "$include/nibble" -name '*.hpp' -exec cat {} + | grep -o '^ *# *include *<[^>]*>' | grep -o '<.*>' |
        grep -v -E "<nibble/|$foreign" | sort -u | sed 's/.*/#if __has_include(&)\n#include &\n#endif/'
    for macro in 'min(a, b)' 'max(a, b)'; do echo "#define $macro not_a_function(a, b)"; done
    for macro in small near far IN OUT ERROR interface; do echo "#define $macro @"; done
    (cd "$include" && find nibble -name '*.hpp' | sort | sed 's/.*/#include "&"/')
} | "$compiler" -std=c++20 -fsyntax-only -x c++ -I "$include" -isystem "$eigen" \
    -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -fno-exceptions -fno-rtti -
