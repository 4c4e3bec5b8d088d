// The system calls of serialize/ behind one table, so that tests can make the
// k-th one fail.
#ifndef TAPEIR_SERIALIZE_IO_H
#define TAPEIR_SERIALIZE_IO_H

#include <sys/stat.h>
#include <sys/types.h>

#include "ir/base/context.h"

// Each as the POSIX call of that name, errno included. `dir` is a directory's
// descriptor or AT_FDCWD.
typedef struct tir_ser_io {
  int (*open)(void *user, int dir, const char *name, int flags, mode_t mode);
  int (*close)(void *user, int fd);
  ssize_t (*read)(void *user, int fd, void *bytes, size_t size);
  ssize_t (*write)(void *user, int fd, const void *bytes, size_t size);
  int (*sync)(void *user, int fd);
  int (*chmod)(void *user, int fd, mode_t mode);
  // Of the name itself, links are not followed.
  int (*stat_name)(void *user, int dir, const char *name, struct stat *out);
  int (*stat_fd)(void *user, int fd, struct stat *out);
  int (*rename)(void *user, int dir, const char *from, const char *to);
  int (*unlink)(void *user, int dir, const char *name);
  // Private, readable and writable; NULL on failure.
  void *(*map)(void *user, int fd, size_t size);
  void *user;
} tir_ser_io;

// The operating system's calls.
extern const tir_ser_io tir_ser_io_system;

// "what 'path': No space left on device" with status IO. `path` is shown by
// its end when long.
tir_status tir_ser_fail_io(tir_error *error, const char *what, const char *path,
                           int error_number);
// Quotes a path for a message, the end of it if it is long.
#define TIR_SER_PATH_MAX (TIR_QUOTED_MAX + 8)
const char *tir_ser_quote_path(const char *path, char buffer[TIR_SER_PATH_MAX]);

// A regular file open for reading, and its size.
tir_status tir_ser_open(const tir_ser_io *io, const char *path, int *out_fd,
                        uint64_t *out_size, tir_error *error);
// Reads exactly `size` bytes, in pieces; a shorter file is FORMAT.
tir_status tir_ser_read_all(const tir_ser_io *io, int fd, const char *path,
                            void *bytes, size_t size, tir_error *error);
// Is the open file still `size` bytes long?
tir_status tir_ser_check_size(const tir_ser_io *io, int fd, const char *path,
                              uint64_t size, tir_error *error);

#endif
