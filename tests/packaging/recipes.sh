#!/bin/sh
# What can be said of the recipes without Conan, vcpkg, Bazel and Meson: syntax, versions, names of targets and files.
# usage: recipes.sh VERSION
set -eu
version=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
command -v python3 >/dev/null || {
    echo "SKIP: no python3: the recipes are not looked at"
    exit 77
}
python3 - "$version" "$root" "$here" <<'END'
import ast, json, pathlib, re, sys

version, root, here = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
problems = []


def expect(fact, message):
    if not fact:
        problems.append(message)


for recipe in (root / "conanfile.py", here / "conan/conanfile.py", here / "conan/eigen_system/conanfile.py"):
    tree = ast.parse(recipe.read_text(), str(recipe))
    expect(any(isinstance(node, ast.ClassDef) for node in tree.body), f"{recipe}: no recipe class")

conan = (root / "conanfile.py").read_text()
for wanted in ('"cmake_file_name", "nibble"', '"cmake_target_name", "nibble::nibble"', "bindirs = []", "libdirs = []", 'package_type = "header-library"',
               "self.info.clear()", 'license = "MIT"', "check_min_cppstd(self, 20)"):
    expect(wanted in conan, f"conanfile.py lacks {wanted}")
match = re.search(r'NIBBLE_VERSION_STRING "\(\[\^"\]\+\)"', conan)
expect(match, "conanfile.py does not read the version from version.hpp")

port = here / "vcpkg/ports/nibble"
manifest = json.loads((port / "vcpkg.json").read_text())
expect(manifest["version"] == version, f"the vcpkg port says {manifest['version']}, not {version}")
expect(manifest["license"] == "MIT", "the vcpkg port has another licence")
expect({"eigen3"} <= {d if isinstance(d, str) else d["name"] for d in manifest["dependencies"]}, "the vcpkg port forgets Eigen")
portfile = (port / "portfile.cmake").read_text()
for wanted in ("CONFIG_PATH share/cmake/nibble", "vcpkg_install_copyright", "vcpkg_fixup_pkgconfig", "VCPKG_BUILD_TYPE release"):
    expect(wanted in portfile, f"portfile.cmake lacks {wanted}")
options = set(re.findall(r"-D(NIBBLE_\w+)=", portfile))
known = set(re.findall(r"option\((NIBBLE_\w+)", (root / "CMakeLists.txt").read_text()))
expect(options <= known, f"portfile.cmake sets unknown options: {options - known}")
usage = (port / "usage").read_text()
expect("find_package(nibble CONFIG REQUIRED)" in usage and "nibble::nibble" in usage, "usage does not name the package and the target")

module = (root / "MODULE.bazel").read_text()
expect(f'version = "{version}"' in module, "MODULE.bazel has another version")
expect('name = "nibble"' in (root / "BUILD.bazel").read_text(), "BUILD.bazel has no target nibble")

citation = (root / "CITATION.cff").read_text()
expect(f"version: {version}" in citation, "CITATION.cff has another version")

print("\n".join(problems) or "recipes agree")
sys.exit(1 if problems else 0)
END
