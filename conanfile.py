import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class NibbleConan(ConanFile):
    name = "nibble"
    description = "Header-only C++20 quantization library: fp16, int8, int4 and the GGUF block formats"
    license = "MIT"
    topics = ("quantization", "gguf", "int4", "int8", "inference", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True
    exports_sources = "LICENSE", "include/*"

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include", "nibble", "version.hpp"))
        self.version = re.search(r'NIBBLE_VERSION_STRING "([^"]+)"', header).group(1)

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("eigen/3.4.0")

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "nibble")
        self.cpp_info.set_property("cmake_target_name", "nibble::nibble")
        self.cpp_info.set_property("pkg_config_name", "nibble")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
