// Finding and removing what a killed save left behind.
//
// A running save holds a write lock on its temporary file until after the
// rename; the system ends the lock with the process. Stale is what can be
// locked. Process numbers tell nothing: another container has its own.
//
// Between creating and locking there is a moment. So whoever looks takes a lock
// too: the save finds either that lock or its file removed, and makes another.
#include "serialize/stale.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "serialize/replace.h"

// Locks of the open file, not of the process: threads of one process see each
// other, and closing another descriptor of the file keeps them.
#if defined(__linux__) && !defined(F_OFD_SETLK)
#define F_OFD_SETLK 37
#endif

// The second descriptor keeps the lock when the first is closed.
bool tir_ser_mark_live(int fd, int *out_mark) {
  *out_mark = -1;
#ifdef F_OFD_SETLK
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    const bool is_judged = errno == EAGAIN || errno == EACCES;
    errno = EEXIST;
    // Without this kind of lock nothing is ever removed.
    return !is_judged;
  }
  struct stat info;
  if (fstat(fd, &info) == 0 && info.st_nlink == 0) {
    errno = EEXIST;
    return false;
  }
  *out_mark = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return *out_mark >= 0;
#else
  (void)fd;
  return true;
#endif
}

bool tir_ser_take_stale(int fd) {
#ifdef F_OFD_SETLK
  // A read lock, since the descriptor cannot write.
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
#else
  (void)fd;
  return false;
#endif
}

bool tir_ser_is_temporary(const char *name, const char *target) {
  size_t size = strlen(target);
  if (size > TIR_SER_SHOWN_NAME) size = TIR_SER_SHOWN_NAME;
  if (name[0] != '.' || strncmp(name + 1, target, size) != 0) return false;
  const char *mark = name + 1 + size;
  if (strncmp(mark, TIR_SER_TEMPORARY, strlen(TIR_SER_TEMPORARY)) != 0)
    return false;
  const char *digits = mark + strlen(TIR_SER_TEMPORARY);
  const size_t n = strspn(digits, "0123456789");
  if (n == 0 || n > 10 || digits[n] != '.') return false;
  const char *rest = digits + n + 1;
  return strlen(rest) == 8 && strspn(rest, "0123456789abcdef") == 8;
}

static void consider(const tir_ser_io *io, int dir, const char *name,
                     const char *base) {
  if (!tir_ser_is_temporary(name, base)) return;
  const int fd = io->open(io->user, dir, name,
                          O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return;
  if (tir_ser_take_stale(fd)) io->unlink(io->user, dir, name);
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
