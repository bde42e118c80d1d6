#!/usr/bin/env python3
"""Makes one header of many: python3 cmake/single_header.py [--files] [-o nibble.hpp]

Without options it prints what <nibble/nibble.hpp> includes, the library without files; with --files also the readers and writers of
GGUF and safetensors, the thread pool and the bridge to Eigen. Compilers see the same in either, token by token (tests/packaging/doors.sh).
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = re.compile(r'^\s*#\s*include\s+["<](nibble/[^">]+)[">]')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef|endif)\b")


class Amalgamation:
    def __init__(self):
        self.lines, self.done = [], set()

    def add(self, name, conditional=False):
        """Adds a header where it is included first. One that stands under an #if may be needed again elsewhere, so it gets a guard.
        One without #pragma once is meant to be read several times."""
        if name in self.done:
            return
        text = (ROOT / "include" / name).read_text(encoding="utf-8")
        self.lines.append(f"// --- {name}")
        once = "#pragma once" in text.splitlines()
        guard = "NIBBLE_SINGLE_" + re.sub(r"\W", "_", name).upper()
        if once:
            self.lines += [f"#ifndef {guard}", f"#define {guard}"]
            if not conditional:
                self.done.add(name)
        depth = 0
        for line in text.splitlines():
            if condition := CONDITION.match(line):
                depth += -1 if condition[1] == "endif" else 1
            if include := OURS.match(line):
                self.add(include[1], conditional or depth > 0)
            elif line.strip() != "#pragma once":
                self.lines.append(line)
        if once:
            self.lines.append(f"#endif  // {guard}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="with GGUF, safetensors, thread pool and the bridge to Eigen")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    options = parser.parse_args()

    names = sorted(path.relative_to(ROOT / "include").as_posix() for path in (ROOT / "include").rglob("*.hpp"))
    version = re.search(r'NIBBLE_VERSION_STRING "([^"]+)"', (ROOT / "include/nibble/version.hpp").read_text())[1]
    single = Amalgamation()
    single.add("nibble/nibble.hpp")
    if options.files:
        for name in names:
            if "/kernel/" not in name and not re.search(r"/atomic_file_(posix|stdio)", name):
                single.add(name)

    licence = "".join(f"// {line}".rstrip() + "\n" for line in (ROOT / "LICENSE").read_text().splitlines())
    body = "\n".join(single.lines) + "\n"
    text = f"// nibble {version}, the whole library in one header. Made by cmake/single_header.py; do not edit.\n//\n{licence}#pragma once\n\n{body}"
    if options.output:
        pathlib.Path(options.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
