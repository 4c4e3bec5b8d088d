# What `cmake --install` puts where: the library, the public headers, a CMake
# package and a pkg-config file.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapeir)
install(TARGETS tapeir EXPORT tapeir-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tapeir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(EXPORT tapeir-targets NAMESPACE tapeir:: DESTINATION ${package_dir})

configure_package_config_file(cmake/tapeir-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/tapeir-config.cmake
  INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/tapeir-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/tapeir-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/tapeir-config-version.cmake
  DESTINATION ${package_dir})

configure_file(cmake/tapeir.pc.in ${CMAKE_CURRENT_BINARY_DIR}/tapeir.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/tapeir.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
