set(VCPKG_TARGET_ARCHITECTURE x64)
set(VCPKG_CRT_LINKAGE dynamic)
set(VCPKG_LIBRARY_LINKAGE static)
set(VCPKG_CMAKE_SYSTEM_NAME Linux)
# Nothing of ours is an ELF file, and the tool that would fix run paths has to be downloaded.
set(VCPKG_FIXUP_ELF_RPATH OFF)
