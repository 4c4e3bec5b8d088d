# What `cmake --install` puts where: the libraries, the public headers, a CMake
# package and a pkg-config file. Components: runtime, dev, tools.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tapeir)
install(TARGETS tapeir tapeir_static EXPORT tapeir-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    COMPONENT runtime NAMELINK_COMPONENT dev
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(DIRECTORY include/tapeir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT dev FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(EXPORT tapeir-targets NAMESPACE tapeir:: DESTINATION ${package_dir}
  COMPONENT dev)

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
  DESTINATION ${package_dir} COMPONENT dev)

# Found from the file's own place, so that a moved tree keeps working.
file(RELATIVE_PATH TAPEIR_PC_PREFIX
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
list(TRANSFORM TAPEIR_STATIC_LIBS PREPEND "-l" OUTPUT_VARIABLE private_libs)
list(JOIN private_libs " " TAPEIR_PC_PRIVATE_LIBS)
configure_file(cmake/tapeir.pc.in ${CMAKE_CURRENT_BINARY_DIR}/tapeir.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/tapeir.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
