// System calls that fail at the k-th, with a given errno, or in part.
#ifndef TAPEIR_TESTS_SUPPORT_FAILING_IO_H
#define TAPEIR_TESTS_SUPPORT_FAILING_IO_H

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/internal.h"

extern "C" {
#include "serialize/io.h"
}

class FailingIo {
 public:
  // Call number `at` (from 1) fails with `error_number`; 0: none does.
  FailingIo(int at, int error_number) : at_(at), errno_(error_number) {
    io_ = tir_ser_io_system;
    io_.user = this;
    io_.open = [](void *user, int dir, const char *name, int flags,
                  mode_t mode) {
      return Self(user)->Fails("open")
                 ? -1
                 : tir_ser_io_system.open(nullptr, dir, name, flags, mode);
    };
    io_.close = [](void *user, int fd) {
      // The descriptor is gone in any case.
      const int result = tir_ser_io_system.close(nullptr, fd);
      return Self(user)->Fails("close") ? -1 : result;
    };
    io_.read = [](void *user, int fd, void *bytes, size_t size) -> ssize_t {
      return Self(user)->Fails("read")
                 ? -1
                 : tir_ser_io_system.read(nullptr, fd, bytes,
                                          Self(user)->Cut(size));
    };
    io_.write = [](void *user, int fd, const void *bytes,
                   size_t size) -> ssize_t {
      return Self(user)->Fails("write")
                 ? -1
                 : tir_ser_io_system.write(nullptr, fd, bytes,
                                           Self(user)->Cut(size));
    };
    io_.sync = [](void *user, int) {
      return Self(user)->Fails("sync") ? -1 : 0;
    };
    io_.chmod = [](void *user, int fd, mode_t mode) {
      return Self(user)->Fails("chmod")
                 ? -1
                 : tir_ser_io_system.chmod(nullptr, fd, mode);
    };
    io_.stat_name = [](void *user, int dir, const char *name,
                       struct stat *out) {
      return Self(user)->Fails("stat_name")
                 ? -1
                 : tir_ser_io_system.stat_name(nullptr, dir, name, out);
    };
    io_.stat_fd = [](void *user, int fd, struct stat *out) {
      return Self(user)->Fails("stat_fd")
                 ? -1
                 : tir_ser_io_system.stat_fd(nullptr, fd, out);
    };
    io_.rename = [](void *user, int dir, const char *from, const char *to) {
      return Self(user)->Fails("rename")
                 ? -1
                 : tir_ser_io_system.rename(nullptr, dir, from, to);
    };
    io_.unlink = [](void *user, int dir, const char *name) {
      return Self(user)->Fails("unlink")
                 ? -1
                 : tir_ser_io_system.unlink(nullptr, dir, name);
    };
    io_.map = [](void *user, int fd, size_t size) -> void * {
      return Self(user)->Fails("map")
                 ? nullptr
                 : tir_ser_io_system.map(nullptr, fd, size);
    };
  }

  const tir_ser_io *io() const { return &io_; }
  const std::vector<std::string> &calls() const { return calls_; }
  bool failed() const { return at_ > 0 && calls_.size() >= size_t(at_); }
  // Reads and writes take at most this many bytes at a time.
  void CutTo(size_t size) { cut_ = size; }

 private:
  static FailingIo *Self(void *user) { return static_cast<FailingIo *>(user); }
  bool Fails(const char *call) {
    calls_.push_back(call);
    if (calls_.size() != size_t(at_)) return false;
    errno = errno_;
    return true;
  }
  size_t Cut(size_t size) const { return size < cut_ ? size : cut_; }

  tir_ser_io io_;
  int at_;
  int errno_;
  size_t cut_ = SIZE_MAX;
  std::vector<std::string> calls_;
};

#endif
