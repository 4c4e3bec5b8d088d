// System calls, and reading a file with checks.
#include "serialize/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ir/base/utf8.h"
#include "serialize/header.h"

// One read or write call takes no more than this; systems stop at about 2 GiB.
enum { MAX_PIECE = 1 << 30 };

// The table of calls that production uses; tests bring tables that fail. Each
// only adds `user`, which the system has no use for.
static int system_open(void *user, int dir, const char *name, int flags,
                       mode_t mode) {
  (void)user;
  return openat(dir, name, flags, mode);
}

static int system_close(void *user, int fd) {
  (void)user;
  return close(fd);
}

static ssize_t system_read(void *user, int fd, void *bytes, size_t size) {
  (void)user;
  return read(fd, bytes, size);
}

static ssize_t system_write(void *user, int fd, const void *bytes,
                            size_t size) {
  (void)user;
  return write(fd, bytes, size);
}

static int system_sync(void *user, int fd) {
  (void)user;
  return fsync(fd);
}

static int system_chmod(void *user, int fd, mode_t mode) {
  (void)user;
  return fchmod(fd, mode);
}

// Of the link itself: a link in the place of a file must be seen as one.
static int system_stat_name(void *user, int dir, const char *name,
                            struct stat *out) {
  (void)user;
  return fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW);
}

static int system_stat_fd(void *user, int fd, struct stat *out) {
  (void)user;
  return fstat(fd, out);
}

// Within one directory, so that the rename is one step on every file system.
static int system_rename(void *user, int dir, const char *from,
                         const char *to) {
  (void)user;
  return renameat(dir, from, dir, to);
}

static int system_unlink(void *user, int dir, const char *name) {
  (void)user;
  return unlinkat(dir, name, 0);
}

// Writable but private: parameters are trained in the mapping, and the file
// never sees it.
static void *system_map(void *user, int fd, size_t size) {
  (void)user;
  void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  return base == MAP_FAILED ? NULL : base;
}

const tir_ser_io tir_ser_io_system = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .write = system_write,
    .sync = system_sync,
    .chmod = system_chmod,
    .stat_name = system_stat_name,
    .stat_fd = system_stat_fd,
    .rename = system_rename,
    .unlink = system_unlink,
    .map = system_map,
};

// The end of a path tells files apart; its beginning is often the same.
const char *tir_ser_quote_path(const char *path,
                               char buffer[TIR_SER_PATH_MAX]) {
  enum { SHOWN = 40 };
  char quoted[TIR_QUOTED_MAX];
  const char *tail = tir_base_utf8_tail(path, SHOWN);
  snprintf(buffer, TIR_SER_PATH_MAX, "%s%s", tail == path ? "" : "…",
           tir_base_quote(tail, quoted));
  return buffer;
}

tir_status tir_ser_fail_io(tir_error *error, const char *what, const char *path,
                           int error_number) {
  // The variant that gives a status and fills the buffer (POSIX): it is safe
  // among threads.
  char reason[96] = "", quoted[TIR_SER_PATH_MAX];
  if (strerror_r(error_number, reason, sizeof reason) != 0 || !reason[0])
    snprintf(reason, sizeof reason, "error %d", error_number);
  return tir_base_fail(error, TIR_ERR_IO, "%s %s: %s", what,
                       tir_ser_quote_path(path, quoted), reason);
}

tir_status tir_ser_open(const tir_ser_io *io, const char *path, int *out_fd,
                        uint64_t *out_size, tir_error *error) {
  *out_fd = -1;
  *out_size = 0;
  // NONBLOCK: opening a FIFO must not wait for a writer.
  int fd = -1;
  do {
    fd = io->open(io->user, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                  0);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return tir_ser_fail_io(error, "cannot open", path, errno);
  struct stat info;
  tir_status status = TIR_OK;
  if (io->stat_fd(io->user, fd, &info) != 0) {
    status = tir_ser_fail_io(error, "cannot look at", path, errno);
    // A pipe or a device has no size that could be checked against.
  } else if (!S_ISREG(info.st_mode)) {
    char quoted[TIR_SER_PATH_MAX];
    status = tir_base_fail(error, TIR_ERR_IO, "cannot read %s: not a file",
                           tir_ser_quote_path(path, quoted));
  }
  if (status != TIR_OK) {
    io->close(io->user, fd);
    return status;
  }
  *out_fd = fd;
  *out_size = (uint64_t)info.st_size;
  return TIR_OK;
}

// A file that ends early was truncated meanwhile: its header had the length.
tir_status tir_ser_read_all(const tir_ser_io *io, int fd, const char *path,
                            void *bytes, size_t size, tir_error *error) {
  size_t done = 0;
  while (done < size) {
    const size_t piece = size - done < MAX_PIECE ? size - done : MAX_PIECE;
    // A call may return less than it was asked for; only 0 is the end of the
    // file.
    const ssize_t n = io->read(io->user, fd, (uint8_t *)bytes + done, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tir_ser_fail_io(error, "cannot read", path, errno);
    if (n == 0) {
      char quoted[TIR_SER_PATH_MAX];
      return tir_base_fail(error, TIR_ERR_FORMAT,
                           "%s became shorter while it was read",
                           tir_ser_quote_path(path, quoted));
    }
    done += (size_t)n;
  }
  return TIR_OK;
}

// After reading: whoever wrote into the file in between may have mixed old and
// new bytes, and a change of size is how that shows.
tir_status tir_ser_check_size(const tir_ser_io *io, int fd, const char *path,
                              uint64_t size, tir_error *error) {
  struct stat info;
  if (io->stat_fd(io->user, fd, &info) != 0)
    return tir_ser_fail_io(error, "cannot look at", path, errno);
  if ((uint64_t)info.st_size == size) return TIR_OK;
  char quoted[TIR_SER_PATH_MAX];
  return tir_base_fail(
      error, TIR_ERR_FORMAT,
      "%s changed from %" PRIu64 " to %" PRIu64 " bytes while it was read",
      tir_ser_quote_path(path, quoted), size, (uint64_t)info.st_size);
}
