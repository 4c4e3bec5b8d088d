# Debian packages by CPack, one per component: libtapeir0, libtapeir-dev and
# tapeir, the command. `./dev package` builds them for /usr.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tapeir)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Tapeir authors <authors@tapeir.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_STRIP_FILES ON)

set(names "libtapeir${TAPEIR_SOVERSION}" libtapeir-dev)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "libtapeir${TAPEIR_SOVERSION}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)  # libc6, libprotobuf-c1
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)
# Opened when the first large matrix product runs; slower without.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS libopenblas0)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Shared library")

set(same "libtapeir${TAPEIR_SOVERSION} (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtapeir-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${same}")
# What a program needs to link the static library.
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS libprotobuf-c-dev)
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "Headers, static library, CMake package and pkg-config file")

if(TAPEIR_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL tools)
  list(APPEND names tapeir)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME tapeir)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "${same}, libjansson4, zlib1g")
  set(CPACK_COMPONENT_TOOLS_DESCRIPTION "The tapeir command")
endif()

foreach(name component IN ZIP_LISTS names CPACK_COMPONENTS_ALL)
  install(FILES LICENSE LICENSE-MIT LICENSE-APACHE
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
endforeach()
include(CPack)
