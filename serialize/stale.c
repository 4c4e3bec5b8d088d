// Finding and removing what a killed save left behind.
//
// A running save holds a lock on its temporary file, so an unlocked one is
// stale. Between creating and locking there is a moment: a file whose process
// lives (or whose number means another one here, in another container) is only
// judged a minute after its last change.
#include "serialize/stale.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serialize/replace.h"

// Locks of the open file, not of the process: threads of one process see each
// other, and closing another descriptor of the file keeps them.
#if defined(__linux__) && !defined(F_OFD_SETLK)
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

enum { MIN_AGE_SECONDS = 60 };

void tir_ser_mark_live(int fd) {
#ifdef F_OFD_SETLK
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  (void)fcntl(fd, F_OFD_SETLK, &lock);
#else
  (void)fd;
#endif
}

bool tir_ser_is_temporary(const char *name, const char *target,
                          int64_t *out_pid) {
  *out_pid = 0;
  size_t size = strlen(target);
  if (size > TIR_SER_SHOWN_NAME) size = TIR_SER_SHOWN_NAME;
  if (name[0] != '.' || strncmp(name + 1, target, size) != 0) return false;
  const char *mark = name + 1 + size;
  if (strncmp(mark, TIR_SER_TEMPORARY, strlen(TIR_SER_TEMPORARY)) != 0)
    return false;
  const char *digits = mark + strlen(TIR_SER_TEMPORARY);
  int64_t pid = 0;
  // Ten digits at most: the sum below cannot overflow.
  size_t n = strspn(digits, "0123456789");
  if (n == 0 || n > 10 || digits[n] != '.') return false;
  for (size_t i = 0; i < n; i++) pid = pid * 10 + (digits[i] - '0');
  const char *rest = digits + n + 1;
  if (strlen(rest) != 8 || strspn(rest, "0123456789abcdef") != 8) return false;
  *out_pid = pid;
  return true;
}

// True when in doubt: without this kind of lock nothing is ever removed.
static bool is_locked(int fd) {
#ifdef F_OFD_GETLK
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
#else
  (void)fd;
  return true;
#endif
}

static bool is_old(const tir_ser_io *io, int fd) {
  struct stat info;
  struct timespec now;
  return io->stat_fd(io->user, fd, &info) == 0 &&
         clock_gettime(CLOCK_REALTIME, &now) == 0 &&
         now.tv_sec - info.st_mtime > MIN_AGE_SECONDS;
}

static void consider(const tir_ser_io *io, int dir, const char *name,
                     const char *base) {
  int64_t pid = 0;
  if (!tir_ser_is_temporary(name, base, &pid) || pid <= 0) return;
  // Signal 0 only asks whether the process is there.
  const bool is_gone = kill((pid_t)pid, 0) != 0 && errno == ESRCH;
  const int fd = io->open(io->user, dir, name,
                          O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return;
  if (!is_locked(fd) && (is_gone || is_old(io, fd)))
    io->unlink(io->user, dir, name);
  io->close(io->user, fd);
}

void tir_ser_remove_stale(const tir_ser_io *io, int dir, const char *base) {
  // A descriptor of its own, since closedir closes the one it reads.
  const int copy =
      io->open(io->user, dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (copy < 0) return;
  DIR *list = fdopendir(copy);
  if (!list) {
    io->close(io->user, copy);
    return;
  }
  for (const struct dirent *entry; (entry = readdir(list));)
    consider(io, dir, entry->d_name, base);
  closedir(list);
}
