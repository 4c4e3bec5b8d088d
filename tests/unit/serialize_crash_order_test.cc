// A power failure at any point of a save, played on a model of the disk: what
// was not flushed may be lost or kept in any part. The path then holds the
// complete old or the complete new content.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/compiled.h"
#include "tests/support/random.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/replace.h"
}

namespace {

// One directory. Files are numbered; `names` is the directory.
struct Disk {
  struct Write {
    size_t offset;
    std::string bytes;
  };
  struct File {
    std::string flushed;
    std::vector<Write> pending;  // not flushed yet
  };
  std::map<std::string, int> names;          // as running programs see it
  std::map<std::string, int> flushed_names;  // as on the disk
  std::vector<File> files;
  std::map<int, std::pair<int, size_t>> open;  // descriptor → file, offset
  int next_fd = 100;
  int calls_left = INT32_MAX;  // then the power fails

  bool Dead() { return calls_left-- <= 0; }

  static std::string Apply(std::string bytes, const Write &write) {
    if (bytes.size() < write.offset + write.bytes.size())
      bytes.resize(write.offset + write.bytes.size(), '\0');
    return bytes.replace(write.offset, write.bytes.size(), write.bytes);
  }

  // The content of a path after the failure: pending writes and names are
  // kept or lost by chance, a kept write perhaps only in part.
  std::string AfterFailure(const std::string &path, TestRandom *random) {
    const auto &seen = random->Below(2) ? names : flushed_names;
    const auto at = seen.find(path);
    if (at == seen.end()) return "none";
    const File &file = files[static_cast<size_t>(at->second)];
    std::string bytes = file.flushed;
    for (const Write &write : file.pending) {
      if (random->Below(2)) continue;
      Write part = write;
      if (random->Below(2))
        part.bytes.resize(random->Below(part.bytes.size() + 1));
      bytes = Apply(bytes, part);
    }
    return bytes;
  }
};

Disk *DiskOf(void *user) { return static_cast<Disk *>(user); }

constexpr int kDirFd = 50;

tir_ser_io DiskIo(Disk *disk) {
  tir_ser_io io = {};
  io.user = disk;
  io.open = [](void *user, int dir, const char *name, int flags, mode_t) {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    if (flags & O_DIRECTORY) {
      // The directory; the look for stale files does without.
      return dir == AT_FDCWD ? kDirFd : (errno = EACCES, -1);
    }
    if (!(flags & O_EXCL)) return errno = EACCES, -1;
    d->files.emplace_back();
    d->names[name] = static_cast<int>(d->files.size()) - 1;
    d->open[d->next_fd] = {static_cast<int>(d->files.size()) - 1, 0};
    return d->next_fd++;
  };
  io.close = [](void *user, int) {
    return DiskOf(user)->Dead() ? (errno = EIO, -1) : 0;
  };
  io.write = [](void *user, int fd, const void *bytes, size_t size) -> ssize_t {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    auto &at = d->open[fd];
    d->files[static_cast<size_t>(at.first)].pending.push_back(
        {at.second, std::string(static_cast<const char *>(bytes), size)});
    at.second += size;
    return static_cast<ssize_t>(size);
  };
  io.sync = [](void *user, int fd) {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    if (fd == kDirFd) {
      d->flushed_names = d->names;
      return 0;
    }
    Disk::File &file = d->files[static_cast<size_t>(d->open[fd].first)];
    for (const Disk::Write &write : file.pending)
      file.flushed = Disk::Apply(file.flushed, write);
    file.pending.clear();
    return 0;
  };
  io.chmod = [](void *user, int, mode_t) {
    return DiskOf(user)->Dead() ? (errno = EIO, -1) : 0;
  };
  io.stat_name = [](void *user, int, const char *name, struct stat *out) {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    if (!d->names.count(name)) return errno = ENOENT, -1;
    *out = {};
    out->st_mode = S_IFREG | 0644;
    return 0;
  };
  io.stat_fd = [](void *, int, struct stat *) { return errno = EIO, -1; };
  io.rename = [](void *user, int, const char *from, const char *to) {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    d->names[to] = d->names[from];
    d->names.erase(from);
    return 0;
  };
  io.unlink = [](void *user, int, const char *name) {
    Disk *d = DiskOf(user);
    if (d->Dead()) return errno = EIO, -1;
    d->names.erase(name);
    return 0;
  };
  return io;
}

tir_status WriteInPieces(void *user, tir_ser_output *output, tir_error *error) {
  const auto *content = static_cast<const std::string *>(user);
  for (size_t i = 0; i < content->size(); i += 7) {
    const size_t n = std::min<size_t>(7, content->size() - i);
    TIR_TRY(tir_ser_write(output, content->data() + i, n, error));
  }
  return TIR_OK;
}

}  // namespace

TEST(SerializeCrashOrder, OldOrNewAtEveryPoint) {
  std::string old_content(100, 'o'), new_content(120, 'n');
  TestRandom random(3);
  bool saw_old = false, saw_new = false, succeeded = false;
  for (int n_calls = 0; !succeeded; n_calls++) {
    for (int chance = 0; chance < 200; chance++) {
      Disk disk;
      disk.files.push_back({old_content, {}});
      disk.names["m"] = disk.flushed_names["m"] = 0;
      disk.calls_left = n_calls;
      const tir_ser_io io = DiskIo(&disk);
      const tir_status status =
          tir_ser_replace_file(&io, "m", WriteInPieces, &new_content, nullptr);
      const std::string after = disk.AfterFailure("m", &random);
      ASSERT_TRUE(after == old_content || after == new_content)
          << "after " << n_calls << " calls: " << after;
      saw_old = saw_old || after == old_content;
      saw_new = saw_new || (after == new_content && status != TIR_OK);
      // Once it was reported done, it stays done.
      if (status == TIR_OK) {
        EXPECT_EQ(after, new_content);
        succeeded = disk.calls_left > 0;
      }
    }
  }
  EXPECT_TRUE(saw_old && saw_new);
}
