# Compile flags shared by library, tools, examples and tests.

# Flags that change what floating-point code means are refused, wherever they
# come from: a shared object merely linked with them flushes the host's
# subnormals. (Written in pieces so that a search for them finds real uses.)
set(forbidden "-(Ofast|f(fast-math|unsafe-math-optimizations|finite-math-only)")
string(APPEND forbidden "|f(associative-math|reciprocal-math|no-signed-zeros))")
get_cmake_property(names VARIABLES)
foreach(name ${names} ENV{CFLAGS} ENV{CXXFLAGS} ENV{LDFLAGS})
  if(name MATCHES "^(CMAKE_.*_FLAGS.*|ENV{.*)$")
    if(name MATCHES "^ENV{(.*)}")
      set(value "$ENV{${CMAKE_MATCH_1}}")
    else()
      set(value "${${name}}")
    endif()
    if(value MATCHES "${forbidden}")
      message(FATAL_ERROR "${name} has ${CMAKE_MATCH_0}: Tapeir's numbers "
        "would change and hosts would lose their subnormals.")
    endif()
  endif()
endforeach()

# Tests and sanitized code run slowly enough at -O0 to matter.
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")
if(TAPEIR_HARD)
  set(CMAKE_C_FLAGS_DEBUG "-O2 -g")
endif()

add_library(tapeir_flags INTERFACE)
target_compile_definitions(tapeir_flags INTERFACE _POSIX_C_SOURCE=200809L)
# No contraction: clang would fuse a*b+c where gcc does not. No errno from
# math functions: it changes no result and lets sqrt be one instruction.
target_compile_options(tapeir_flags INTERFACE
  -ffp-contract=off -fno-math-errno -Wall -Wextra -Wpedantic -Wshadow
  $<$<COMPILE_LANGUAGE:C>:-Wconversion;-Wstrict-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes;-Wvla>)
if(TAPEIR_WERROR)
  target_compile_options(tapeir_flags INTERFACE -Werror)
endif()
if(TAPEIR_HARD)
  target_compile_definitions(tapeir_flags INTERFACE TIR_HARD=1)
endif()

# Instrumentation, for everything that goes into one program.
if(TAPEIR_SANITIZE)
  target_compile_options(tapeir_flags INTERFACE
    -fsanitize=${TAPEIR_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(tapeir_flags INTERFACE -fsanitize=${TAPEIR_SANITIZE})
  if(TAPEIR_SANITIZE MATCHES "undefined")
    target_compile_options(tapeir_flags INTERFACE
      -fno-sanitize-recover=all)
  endif()
endif()
if(TAPEIR_FUZZ)
  target_compile_options(tapeir_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(tapeir_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TAPEIR_COVERAGE)
  target_compile_options(tapeir_flags INTERFACE --coverage)
  target_link_options(tapeir_flags INTERFACE --coverage)
endif()
