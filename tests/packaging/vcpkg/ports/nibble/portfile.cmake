# header-only library
set(VCPKG_BUILD_TYPE release)

# Until there is a release to download, the source is the repository that holds this port.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." REALPATH)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DNIBBLE_BUILD_TESTS=OFF
        -DNIBBLE_BUILD_EXAMPLES=OFF
        -DNIBBLE_BUILD_BENCHMARKS=OFF
        -DNIBBLE_BUILD_DOCS=OFF
        -DNIBBLE_INSTALL=ON
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/nibble)
vcpkg_fixup_pkgconfig()

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
