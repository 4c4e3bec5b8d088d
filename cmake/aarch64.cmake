# Cross-compiling for 64-bit ARM on Debian: `cmake --preset aarch64`.
#
# TAPEIR_SYSROOT names a directory with the arm64 packages unpacked, e.g.
#   mmdebstrap --architectures=arm64 --variant=extract \
#     --include=libc6-dev,libstdc++-12-dev,libprotobuf-c-dev,libxxhash-dev \
#     bookworm SYSROOT
# and may be given in the environment, because toolchain files are read again
# by every try_compile. Programs run under qemu-aarch64, when it is installed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

if(NOT TAPEIR_SYSROOT)
  set(TAPEIR_SYSROOT "$ENV{TAPEIR_SYSROOT}")
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TAPEIR_SYSROOT)
if(TAPEIR_SYSROOT)
  set(CMAKE_SYSROOT "${TAPEIR_SYSROOT}")
  set(CMAKE_FIND_ROOT_PATH "${TAPEIR_SYSROOT}")
  set(ENV{PKG_CONFIG_SYSROOT_DIR} "${TAPEIR_SYSROOT}")
  set(ENV{PKG_CONFIG_LIBDIR} "${TAPEIR_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${TAPEIR_SYSROOT}/usr/share/pkgconfig")
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

find_program(TAPEIR_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(TAPEIR_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${TAPEIR_QEMU})
  if(TAPEIR_SYSROOT)
    list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -L ${TAPEIR_SYSROOT})
  endif()
endif()
