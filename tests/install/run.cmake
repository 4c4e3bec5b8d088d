# Puts BUILD below WORK, then builds and runs the project in SOURCE against it,
# by find_package and by pkg-config, shared and static. MODE install: by
# `cmake --install`; MODE deb: as unpacked Debian packages.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "failed (${result}): ${command}")
  endif()
endfunction()

function(expect what value pattern)
  if(NOT value MATCHES "${pattern}")
    message(FATAL_ERROR "${what} is '${value}', expected '${pattern}'")
  endif()
endfunction()

set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()
file(REMOVE_RECURSE ${WORK})

# --- packages ----------------------------------------------------------------

# The value of a control field.
function(field deb name out)
  execute_process(COMMAND ${DPKG_DEB} -f ${deb} ${name}
    OUTPUT_VARIABLE value OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  set(${out} "${value}" PARENT_SCOPE)
endfunction()

function(unpack_debs root)
  # Instrumented code is large; how small it gets is not what is tested.
  run(${CPACK} --config ${BUILD}/CPackConfig.cmake -G DEB -B ${WORK}/packages
    -D CPACK_STRIP_FILES=OFF -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip)
  file(GLOB debs ${WORK}/packages/*.deb)
  set(names "")
  foreach(deb ${debs})
    field(${deb} Package name)
    list(APPEND names ${name})
    field(${deb} Depends depends)
    if(name STREQUAL "libtapeir0")
      expect("Depends of ${name}" "${depends}" "libprotobuf-c1")
      field(${deb} Recommends recommends)
      expect("Recommends of ${name}" "${recommends}" "^libopenblas0$")
    else()
      expect("Depends of ${name}" "${depends}" "libtapeir0 \\(= ")
    endif()
    run(${DPKG_DEB} -x ${deb} ${root})
  endforeach()
  expect("the packages" "${names}" "libtapeir-dev")
  expect("the packages" "${names}" "libtapeir0")
  expect("the packages" "${names}" "(^|;)tapeir(;|$)")
endfunction()

if(MODE STREQUAL "deb")
  unpack_debs(${WORK}/root)
  set(prefix ${WORK}/root/usr)
else()
  set(prefix ${WORK}/prefix)
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
endif()

# --- programs on pages --------------------------------------------------------

# The pieces of C on a page, in order.
function(extract_c page out)
  file(READ ${page} rest)
  set(program "")
  string(FIND "${rest}" "```c\n" at)
  while(at GREATER_EQUAL 0)
    math(EXPR at "${at} + 5")
    string(SUBSTRING "${rest}" ${at} -1 rest)
    string(FIND "${rest}" "```" end)
    string(SUBSTRING "${rest}" 0 ${end} piece)
    string(APPEND program "${piece}\n")
    math(EXPR end "${end} + 3")
    string(SUBSTRING "${rest}" ${end} -1 rest)
    string(FIND "${rest}" "```c\n" at)
  endwhile()
  file(WRITE ${out} "${program}")
endfunction()
extract_c(${SOURCE}/../../README.md ${WORK}/readme.c)
extract_c(${SOURCE}/../../docs/quick-start.md ${WORK}/quick_start.c)
extract_c(${SOURCE}/../../docs/concepts.md ${WORK}/concepts.c)

# --- find_package ------------------------------------------------------------

run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${WORK}/build
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${C_COMPILER}
  -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_C_FLAGS=${flags}
  -DCMAKE_CXX_FLAGS=${flags} -DPAGES=${WORK})
run(${CMAKE_COMMAND} --build ${WORK}/build)
foreach(library tapeir tapeir_static)
  run(${WORK}/build/uses_c_${library})
  run(${WORK}/build/uses_cxx_${library})
endforeach()

function(expect_page name pattern)
  execute_process(COMMAND ${WORK}/build/${name} WORKING_DIRECTORY ${WORK}
    OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  expect("what the program of page ${name} prints" "${output}" "${pattern}")
endfunction()
expect_page(readme "^\\[\\[0\\.\\] \\[4\\.\\] \\[8\\.\\] \\[12\\.\\]\\]\n$")
expect_page(quick_start "step   0: loss .*\n23\\.00 -7\\.00 13\\.00\n$")
expect_page(concepts "^64\\.000, slope 16\\.000\n.*\n1\\.898\n1\\.424\n$")

# --- pkg-config --------------------------------------------------------------

find_program(PKG_CONFIG pkg-config REQUIRED)
file(GLOB_RECURSE pc ${prefix}/*/tapeir.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
get_filename_component(lib_dir ${pc_dir} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
function(pkg_config out)
  execute_process(COMMAND ${PKG_CONFIG} ${ARGN} tapeir OUTPUT_VARIABLE words
    COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(words UNIX_COMMAND "${words}")
  set(${out} "${words}" PARENT_SCOPE)
endfunction()

pkg_config(words --cflags --libs)
run(${C_COMPILER} -std=c11 ${SOURCE}/uses.c ${flags} ${words}
  -Wl,-rpath,${lib_dir} -o ${WORK}/uses_pkg_config)
run(${WORK}/uses_pkg_config)

# Of the two libraries the linker prefers the shared one: name the other.
pkg_config(words --cflags --libs --static)
list(TRANSFORM words REPLACE "^-ltapeir$" "-l:libtapeir.a")
run(${C_COMPILER} -std=c11 ${SOURCE}/uses.c ${flags} ${words}
  -o ${WORK}/uses_pkg_config_static)
run(${WORK}/uses_pkg_config_static)
