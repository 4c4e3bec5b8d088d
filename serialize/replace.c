// Crash-safe replacement of a file.
//
//   .NAME.tir-tmp.PID.RANDOM   created new, never through a link
//   content, fsync, close, rename over NAME, fsync of the directory
//
// There is no fallback that writes in place. fsync is never tried again on the
// same descriptor: after a failure the system may have dropped the pages.
#include "serialize/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serialize/stale.h"

enum {
  MAX_PIECE = 1 << 26,
  MAX_TRIES = 100,  // names already taken
};

// --- content ---------------------------------------------------------------

tir_status tir_ser_write(tir_ser_output *output, const void *bytes, size_t size,
                         tir_error *error) {
  const tir_ser_io *io = output->io;
  size_t done = 0;
  while (done < size) {
    const size_t piece = size - done < MAX_PIECE ? size - done : MAX_PIECE;
    const ssize_t n =
        io->write(io->user, output->fd, (const uint8_t *)bytes + done, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return tir_ser_fail_io(error, "cannot write", output->path,
                             n < 0 ? errno : EIO);
    done += (size_t)n;
    output->written += (uint64_t)n;
  }
  return TIR_OK;
}

tir_status tir_ser_pad(tir_ser_output *output, uint64_t offset,
                       tir_error *error) {
  static const uint8_t zeros[512];
  while (output->written < offset) {
    const uint64_t left = offset - output->written;
    TIR_TRY(tir_ser_write(output, zeros,
                          left < sizeof zeros ? (size_t)left : sizeof zeros,
                          error));
  }
  return TIR_OK;
}

// --- names -----------------------------------------------------------------

static const char *base_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// Not secret, only unlikely to repeat: O_EXCL decides. The time, the number of
// the try and an address that differs between processes, mixed by one
// multiplication.
static uint32_t scramble(uint32_t salt) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t x = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^
               ((uint64_t)salt << 52) ^ (uint64_t)(uintptr_t)&now;
  x *= UINT64_C(0x9E3779B97F4A7C15);
  return (uint32_t)(x >> 32);
}

// A long name is cut, so that the whole stays within what a directory takes.
static void temporary_name(const char *base, uint32_t salt,
                           char out_name[TIR_SER_NAME_MAX]) {
  snprintf(out_name, TIR_SER_NAME_MAX, ".%.*s%s%" PRId64 ".%08" PRIx32,
           TIR_SER_SHOWN_NAME, base, TIR_SER_TEMPORARY, (int64_t)getpid(),
           scramble(salt));
}

// --- steps -----------------------------------------------------------------

typedef struct replacement {
  const tir_ser_io *io;
  const char *path;
  const char *base;
  int dir;
  mode_t old_mode;
  bool replaces;  // there is an old file
  int mark;       // open as long as the temporary file is in use
  char name[TIR_SER_NAME_MAX];
} replacement;

// All further steps name files relative to this descriptor: renaming a
// directory above meanwhile does not part the temporary file from its target.
static tir_status open_dir(replacement *r, tir_error *error) {
  const tir_ser_io *io = r->io;
  // The directory part is opened through a bounded copy.
  char dir[4096];
  const size_t size = (size_t)(r->base - r->path);
  if (size >= sizeof dir)
    return tir_ser_fail_io(error, "cannot open the directory of", r->path,
                           ENAMETOOLONG);
  memcpy(dir, r->path, size);
  dir[size] = '\0';
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  do {
    r->dir = io->open(io->user, AT_FDCWD, size ? dir : ".", flags, 0);
  } while (r->dir < 0 && errno == EINTR);
  if (r->dir < 0)
    return tir_ser_fail_io(error, "cannot open the directory of", r->path,
                           errno);
  return TIR_OK;
}

// Only a regular file may be replaced: a link would be cut, a directory or a
// device is a mistake.
static tir_status check_target(replacement *r, tir_error *error) {
  struct stat info;
  if (r->io->stat_name(r->io->user, r->dir, r->base, &info) != 0) {
    if (errno == ENOENT) return TIR_OK;
    return tir_ser_fail_io(error, "cannot look at", r->path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    char quoted[TIR_SER_PATH_MAX];
    return tir_base_fail(error, TIR_ERR_IO, "cannot replace %s: it is %s",
                         tir_ser_quote_path(r->path, quoted),
                         S_ISLNK(info.st_mode)   ? "a symbolic link"
                         : S_ISDIR(info.st_mode) ? "a directory"
                                                 : "not a regular file");
  }
  r->replaces = true;
  r->old_mode = info.st_mode & 07777;
  return TIR_OK;
}

// A new file that is marked as in use; false with errno set.
static bool create_marked(replacement *r, mode_t mode, int *out_fd) {
  const tir_ser_io *io = r->io;
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  *out_fd = io->open(io->user, r->dir, r->name, flags, mode);
  if (*out_fd < 0) return false;
  if (tir_ser_mark_live(*out_fd, &r->mark)) return true;
  const int error_number = errno;
  io->unlink(io->user, r->dir, r->name);
  io->close(io->user, *out_fd);
  errno = error_number;
  return false;
}

static tir_status create_temporary(replacement *r, int *out_fd,
                                   tir_error *error) {
  // Beside an old file: private until it gets that file's mode.
  const mode_t mode = r->replaces ? 0600 : 0666;
  for (uint32_t i = 0; i < MAX_TRIES; i++) {
    temporary_name(r->base, i, r->name);
    if (create_marked(r, mode, out_fd)) return TIR_OK;
    if (errno != EEXIST && errno != EINTR) break;
  }
  return tir_ser_fail_io(error, "cannot create a temporary file beside",
                         r->path, errno);
}

// Content, mode, flush: what must be done before the rename may show the file.
static tir_status fill(const replacement *r, int fd, tir_ser_content_fn content,
                       void *user, tir_error *error) {
  const tir_ser_io *io = r->io;
  tir_ser_output output = {.io = io, .path = r->path, .fd = fd};
  TIR_TRY(content(user, &output, error));
  if (r->replaces && io->chmod(io->user, fd, r->old_mode) != 0)
    return tir_ser_fail_io(error, "cannot set the mode of the new", r->path,
                           errno);
  if (io->sync(io->user, fd) != 0)
    return tir_ser_fail_io(error, "cannot flush the new", r->path, errno);
  return TIR_OK;
}

static tir_status sync_dir(const replacement *r, tir_error *error) {
  if (r->io->sync(r->io->user, r->dir) == 0) return TIR_OK;
  // Some file systems cannot flush a directory; the rename stands.
  if (errno == EINVAL || errno == ENOTSUP) return TIR_OK;
  return tir_ser_fail_io(
      error, "the new file is in place, but cannot flush the directory of",
      r->path, errno);
}

static tir_status replace_in(replacement *r, tir_ser_content_fn content,
                             void *user, tir_error *error) {
  const tir_ser_io *io = r->io;
  TIR_TRY(check_target(r, error));
  tir_ser_remove_stale(io, r->dir, r->base);
  int fd = -1;
  TIR_TRY(create_temporary(r, &fd, error));
  tir_status status = fill(r, fd, content, user, error);
  // An interrupted close has closed; the data is flushed already.
  if (io->close(io->user, fd) != 0 && errno != EINTR && status == TIR_OK)
    status = tir_ser_fail_io(error, "cannot close the new", r->path, errno);
  if (status == TIR_OK && io->rename(io->user, r->dir, r->name, r->base) != 0)
    status =
        tir_ser_fail_io(error, "cannot rename the new file to", r->path, errno);
  if (status != TIR_OK) io->unlink(io->user, r->dir, r->name);
  // Not before: other saves would take the file for stale.
  if (r->mark >= 0) close(r->mark);
  return status == TIR_OK ? sync_dir(r, error) : status;
}

tir_status tir_ser_replace_file(const tir_ser_io *io, const char *path,
                                tir_ser_content_fn content, void *user,
                                tir_error *error) {
  replacement r = {
      .io = io, .path = path, .base = base_of(path), .dir = -1, .mark = -1};
  if (!r.base[0] || strcmp(r.base, ".") == 0 || strcmp(r.base, "..") == 0)
    return tir_ser_fail_io(error, "cannot write to", path, EISDIR);
  TIR_TRY(open_dir(&r, error));
  const tir_status status = replace_in(&r, content, user, error);
  io->close(io->user, r.dir);
  return status;
}
