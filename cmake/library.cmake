# libtapeir: one object library compiled once, linked as the shared library
# and as a static one, which the tests of internals use too.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C protoc-c REQUIRED)

file(GLOB_RECURSE TAPEIR_SOURCES CONFIGURE_DEPENDS
  ir/*.c passes/*.c exec/*.c serialize/*.c)
list(FILTER TAPEIR_SOURCES EXCLUDE REGEX "/exec/kernels/levels/")

# --- messages of the .tir file ----------------------------------------------

set(PROTO_DIR ${CMAKE_CURRENT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${PROTO_DIR})
add_custom_command(
  OUTPUT ${PROTO_DIR}/tapeir.pb-c.c ${PROTO_DIR}/tapeir.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${PROTO_DIR}
    --proto_path=${CMAKE_CURRENT_SOURCE_DIR}/serialize
    ${CMAKE_CURRENT_SOURCE_DIR}/serialize/tapeir.proto
  DEPENDS serialize/tapeir.proto VERBATIM)
add_library(tapeir_proto OBJECT ${PROTO_DIR}/tapeir.pb-c.c)
target_include_directories(tapeir_proto SYSTEM PUBLIC ${PROTO_DIR})
target_link_libraries(tapeir_proto PRIVATE PkgConfig::PROTOBUF_C)

# --- the library's own sources ----------------------------------------------

add_library(tapeir_objects OBJECT ${TAPEIR_SOURCES})
target_include_directories(tapeir_objects PUBLIC
  ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_include_directories(tapeir_objects SYSTEM PUBLIC ${PROTO_DIR})
target_link_libraries(tapeir_objects PRIVATE tapeir_flags
  PkgConfig::PROTOBUF_C)
add_dependencies(tapeir_objects tapeir_proto)
# The oracle of the tests takes no part in optimisation.
file(GLOB TAPEIR_REFERENCE_SOURCES CONFIGURE_DEPENDS ir/reference/*.c)
set_source_files_properties(${TAPEIR_REFERENCE_SOURCES} PROPERTIES
  COMPILE_OPTIONS "-O0;-ffp-contract=off")

if(TAPEIR_BLAS STREQUAL "link")
  pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
  target_compile_definitions(tapeir_objects PRIVATE TAPEIR_BLAS_LINK)
  target_link_libraries(tapeir_objects PRIVATE PkgConfig::OPENBLAS)
elseif(TAPEIR_BLAS STREQUAL "none")
  target_compile_definitions(tapeir_objects PRIVATE TAPEIR_BLAS_NONE)
elseif(TAPEIR_BLAS STREQUAL "dlopen")
  # Its header gives the types of what is looked up.
  pkg_check_modules(OPENBLAS REQUIRED openblas)
  target_include_directories(tapeir_objects SYSTEM PRIVATE
    ${OPENBLAS_INCLUDE_DIRS})
else()
  message(FATAL_ERROR "TAPEIR_BLAS is '${TAPEIR_BLAS}', expected dlopen, "
    "link or none")
endif()

# --- kernels compiled once per CPU level ------------------------------------

# TIR_LEVEL(name) in them expands to name_baseline, name_avx2, name_avx512.
file(GLOB TAPEIR_LEVEL_SOURCES CONFIGURE_DEPENDS exec/kernels/levels/*.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(TAPEIR_LEVELS baseline avx2 avx512)
else()
  set(TAPEIR_LEVELS baseline)
endif()
set(TAPEIR_LEVEL_FLAGS_baseline "")
set(TAPEIR_LEVEL_FLAGS_avx2 -march=x86-64-v3)
set(TAPEIR_LEVEL_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(TAPEIR_OBJECT_TARGETS tapeir_objects tapeir_proto)
if(TAPEIR_LEVEL_SOURCES)
  foreach(level ${TAPEIR_LEVELS})
    set(target tapeir_kernels_${level})
    add_library(${target} OBJECT ${TAPEIR_LEVEL_SOURCES})
    target_include_directories(${target} PRIVATE
      ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
    target_compile_definitions(${target} PRIVATE TIR_LEVEL_NAME=${level}
      TIR_LEVEL_IS_${level})
    # Following variables through them would take half of the compile time.
    target_compile_options(${target} PRIVATE ${TAPEIR_LEVEL_FLAGS_${level}}
      $<$<CONFIG:Debug>:-g1>)
    target_link_libraries(${target} PRIVATE tapeir_flags)
    list(APPEND TAPEIR_OBJECT_TARGETS ${target})
  endforeach()
endif()

set(TAPEIR_ALL_OBJECTS "")
foreach(target ${TAPEIR_OBJECT_TARGETS})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  list(APPEND TAPEIR_ALL_OBJECTS $<TARGET_OBJECTS:${target}>)
endforeach()

set(TAPEIR_LIBS PkgConfig::PROTOBUF_C Threads::Threads m ${CMAKE_DL_LIBS})
if(TAPEIR_BLAS STREQUAL "link")
  list(APPEND TAPEIR_LIBS PkgConfig::OPENBLAS)
endif()

# --- what the shared library exports ----------------------------------------

# Exactly the functions with TIR_API in the public headers.
set(TAPEIR_VERSION_SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/tapeir.map)
file(GLOB_RECURSE TAPEIR_PUBLIC_HEADERS CONFIGURE_DEPENDS
  include/tapeir/*.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${TAPEIR_PUBLIC_HEADERS})
set(exports "")
foreach(header ${TAPEIR_PUBLIC_HEADERS})
  file(READ ${header} text)
  string(REPLACE ";" " " text "${text}")
  string(REGEX MATCHALL "TIR_API [a-z0-9_ *\n]*tir_[a-z0-9_]+\\(" found
    "${text}")
  foreach(declaration ${found})
    string(REGEX MATCH "(tir_[a-z0-9_]+)\\($" name "${declaration}")
    string(APPEND exports "    ${CMAKE_MATCH_1};\n")
  endforeach()
endforeach()
file(CONFIGURE OUTPUT ${TAPEIR_VERSION_SCRIPT} CONTENT
  "TAPEIR_0 {\n  global:\n@exports@  local:\n    *;\n};\n" @ONLY)

set(TAPEIR_SOVERSION 0)
add_library(tapeir SHARED ${TAPEIR_ALL_OBJECTS})
add_library(tapeir::tapeir ALIAS tapeir)
target_include_directories(tapeir INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(tapeir PRIVATE ${TAPEIR_LIBS} tapeir_flags)
set_target_properties(tapeir PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${TAPEIR_SOVERSION}
  LINK_DEPENDS ${TAPEIR_VERSION_SCRIPT})
target_link_options(tapeir PRIVATE
  -Wl,--version-script=${TAPEIR_VERSION_SCRIPT} -Wl,-z,relro,-z,now)
if(NOT TAPEIR_SANITIZE AND NOT TAPEIR_FUZZ)
  # Everything undefined must come from a library named above.
  target_link_options(tapeir PRIVATE -Wl,-z,defs)
endif()

# The same objects for programs that link statically. What they need is named
# by library, because the imported targets of this build are not installed.
add_library(tapeir_static STATIC ${TAPEIR_ALL_OBJECTS})
add_library(tapeir::tapeir_static ALIAS tapeir_static)
set_target_properties(tapeir_static PROPERTIES OUTPUT_NAME tapeir)
target_include_directories(tapeir_static INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(TAPEIR_STATIC_LIBS protobuf-c pthread m ${CMAKE_DL_LIBS})
if(TAPEIR_BLAS STREQUAL "link")
  list(APPEND TAPEIR_STATIC_LIBS openblas)
endif()
foreach(library ${TAPEIR_LIBS})
  target_link_libraries(tapeir_static INTERFACE
    $<BUILD_INTERFACE:${library}>)
endforeach()
foreach(library ${TAPEIR_STATIC_LIBS})
  target_link_libraries(tapeir_static INTERFACE
    $<INSTALL_INTERFACE:${library}>)
endforeach()

# Internals for the tests: in the archive every symbol is reachable.
add_library(tapeir_internal INTERFACE)
target_include_directories(tapeir_internal INTERFACE
  ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_include_directories(tapeir_internal SYSTEM INTERFACE ${PROTO_DIR})
target_link_libraries(tapeir_internal INTERFACE tapeir_static)
