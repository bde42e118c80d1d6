# Stands in for eigen from ConanCenter where there is no network: the Eigen of the system (EIGEN_INCLUDE, default /usr/include/eigen3).
import os

from conan import ConanFile


class EigenSystemConan(ConanFile):
    name = "eigen"
    version = "system"
    package_type = "header-library"

    def package_info(self):
        self.cpp_info.includedirs = [os.environ.get("EIGEN_INCLUDE", "/usr/include/eigen3")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "Eigen3")
        self.cpp_info.set_property("cmake_target_name", "Eigen3::Eigen")
        self.cpp_info.set_property("pkg_config_name", "eigen3")
