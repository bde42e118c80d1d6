#!/usr/bin/env python3
"""Finds vector registers that a compiler spills in the inner loops of products.
usage: hot_loops.py COMPILER INCLUDE_DIR EIGEN_INCLUDE_DIR OBJECT

Compiles hot_loops.cpp at -O2 and reads the disassembly. A spill is a ymm or zmm register that an innermost loop with multiplications stores
on the stack and that is read back whole; arrays on the stack, which kernels broadcast from, are none. Prints the loops that spill; exit code 1
if in one of them more than ALLOWED of the instructions are spills.
"""
import pathlib
import re
import shutil
import subprocess
import sys

ALLOWED = 0.06  # none would be best; loops over 16 registers have up to 5 percent, which GCC 12 and Clang 14 share out differently
MULTIPLIES = re.compile(r"^(vpdp|vpmadd|vfn?m(add|sub)|vmulps)")
STORE = re.compile(r"^vmov\S+ +%[yz]mm\d+,(-?[0-9a-fx]*\(%r[sb]p\))$")
READ = re.compile(r"^v\S+ +(?:.*,)?(-?[0-9a-fx]*\(%r[sb]p\)),.*%[yz]mm\d+$")
PART = re.compile(r"^v(p?broadcast|insert|pmov[sz]x|cvt)|\{1to")
JUMP = re.compile(r"^j\w+ +([0-9a-f]+)\b")


def functions(path):
    """Name and instructions, [(address, text)], of every function."""
    text = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", path], check=True, capture_output=True, text=True).stdout
    for part in re.split(r"\n(?=[0-9a-f]{16} <)", text)[1:]:
        head, _, body = part.partition("\n")
        lines = re.findall(r"^ *([0-9a-f]+):\s+(?:{vex} )?(.*?)\s*(?:#.*)?$", body, re.M)
        yield head[head.index("<") + 1 : -2], [(int(address, 16), instruction) for address, instruction in lines]


def innermost_loops(code):
    """Stretches from the target of a jump backwards to the jump that hold no other such stretch."""
    loops = set()
    for address, instruction in code:
        if (jump := JUMP.match(instruction)) and code[0][0] <= int(jump[1], 16) <= address:
            loops.add((int(jump[1], 16), address))
    return [a for a in sorted(loops) if not any(a != b and a[0] <= b[0] and b[1] <= a[1] for b in loops)]


def main():
    compiler, include, eigen, output = sys.argv[1:]
    if not shutil.which("objdump"):
        print("SKIP: no objdump (Debian: binutils): inner loops are not searched for spills")
        return 77
    source = pathlib.Path(__file__).with_suffix(".cpp")
    subprocess.run([compiler, "-std=c++20", "-O2", "-I", include, "-isystem", eigen, "-c", source, "-o", output], check=True)
    seen, worst = 0, 0.0
    for name, code in functions(output):
        whole = {read[1] for _, text in code if not PART.search(text) and (read := READ.match(text))}
        for first, last in innermost_loops(code):
            body = [text for address, text in code if first <= address <= last]
            if not any(MULTIPLIES.match(text) for text in body):
                continue
            seen += 1
            spills = [text for text in body if (store := STORE.match(text)) and store[1] in whole]
            if spills:
                worst = max(worst, len(spills) / len(body))
                print(f"{len(spills)} spills in {len(body)} instructions, such as {spills[0]}, at {first:x} of {name}")
    print(f"{seen} inner loops; at most {worst:.1%} of the instructions of one are spills, {ALLOWED:.0%} are allowed")
    return 0 if seen and worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
