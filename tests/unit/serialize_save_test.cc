// Saving under faults: whatever fails, the old file stays, nothing is left
// behind, and the error says which step it was.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "tests/support/compiled.h"
#include "tests/support/failing_io.h"
#include "tests/support/graph_builder.h"
#include "tests/support/sample_modules.h"
#include "tests/support/tir_file.h"

extern "C" {
#include "serialize/replace.h"
#include "serialize/stale.h"
#include "serialize/tir_file.h"
}

namespace {

class SerializeSave : public testing::Test {
 protected:
  void SetUp() override {
    context_ = MakeContext();
    module_.reset(MakeStepModule(context_.get()));
    path_ = dir_.File("m.tir");
  }

  tir_status Save(const tir_ser_io *io = &tir_ser_io_system) {
    error_ = tir_error{};
    return tir_ser_save(io, module_.get(), path_.c_str(), &error_);
  }
  bool MessageHas(const std::string &text) const {
    return std::string(error_.message).find(text) != std::string::npos;
  }
  void ExpectIntact(const std::string &bytes) {
    EXPECT_EQ(ReadFile(path_), bytes);
    EXPECT_EQ(dir_.List(), std::vector<std::string>{"m.tir"});
  }

  const TempDir dir_;
  std::string path_;
  Owned<tir_context> context_;
  Owned<tir_module> module_;
  tir_error error_ = {};
};

// A process number that is gone: a child that has ended.
pid_t EndedChild() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int wait_status = 0;
  EXPECT_EQ(waitpid(child, &wait_status, 0), child);
  return child;
}

// A save as seen from another container: its temporary file has the number of
// a process that is gone. At the first `moment` (before that call; after it
// for "open", when the file is there) something else happens.
class Elsewhere {
 public:
  using Event = std::function<void(int dir, const std::string &name)>;

  Elsewhere(pid_t pid, std::string moment, Event event)
      : pid_(std::to_string(pid)),
        moment_(std::move(moment)),
        event_(std::move(event)) {
    io_ = tir_ser_io_system;
    io_.user = this;
    io_.open = [](void *user, int dir, const char *name, int flags,
                  mode_t mode) {
      const bool is_new = flags & O_EXCL;
      const std::string shown = is_new ? Self(user)->Seen(name) : name;
      const int fd =
          tir_ser_io_system.open(nullptr, dir, shown.c_str(), flags, mode);
      if (!is_new) return fd;
      Self(user)->file_ = {dir, fd, shown};
      Self(user)->Meet("open", fd);
      return fd;
    };
    io_.sync = [](void *user, int fd) {
      Self(user)->Meet("sync", fd);
      return tir_ser_io_system.sync(nullptr, fd);
    };
    io_.close = [](void *user, int fd) {
      const int result = tir_ser_io_system.close(nullptr, fd);
      Self(user)->Meet("close", fd);
      return result;
    };
    io_.rename = [](void *user, int dir, const char *from, const char *to) {
      Self(user)->Meet("rename", Self(user)->file_.fd);
      return tir_ser_io_system.rename(nullptr, dir,
                                      Self(user)->Seen(from).c_str(), to);
    };
    io_.unlink = [](void *user, int dir, const char *name) {
      return tir_ser_io_system.unlink(nullptr, dir,
                                      Self(user)->Seen(name).c_str());
    };
  }

  const tir_ser_io *io() const { return &io_; }
  bool met() const { return met_; }

 private:
  static Elsewhere *Self(void *user) { return static_cast<Elsewhere *>(user); }
  std::string Seen(std::string name) const {
    const std::string own = "." + std::to_string(getpid()) + ".";
    const size_t at = name.rfind(own);
    return at == std::string::npos
               ? name
               : name.replace(at, own.size(), "." + pid_ + ".");
  }
  void Meet(const char *call, int fd) {
    if (met_ || moment_ != call || fd != file_.fd) return;
    met_ = true;
    event_(file_.dir, file_.name);
  }

  struct File {
    int dir = -1, fd = -1;
    std::string name;
  };
  tir_ser_io io_;
  std::string pid_, moment_;
  Event event_;
  File file_;
  bool met_ = false;
};

}  // namespace

TEST_F(SerializeSave, EveryCallFailingWithEveryErrno) {
  ASSERT_EQ(Save(), TIR_OK) << error_.message;
  const std::string old = ReadFile(path_);
  // The new content differs from the old.
  ASSERT_EQ(tir_module_set_metadata(module_.get(), "author", "new", &error_),
            TIR_OK);
  FailingIo count(0, 0);
  {
    const TempDir other;
    const std::string path = other.File("m.tir");
    WriteFile(path, old);
    ASSERT_EQ(tir_ser_save(count.io(), module_.get(), path.c_str(), &error_),
              TIR_OK);
  }
  const int n_calls = static_cast<int>(count.calls().size());
  ASSERT_GT(n_calls, 10);
  const struct {
    const char *call;
    const char *message;
  } messages[] = {{"open", "cannot "},        {"write", "cannot write"},
                  {"sync", "cannot flush"},   {"chmod", "cannot set the mode"},
                  {"close", "cannot close"},  {"stat_name", "cannot look at"},
                  {"rename", "cannot rename"}};
  const int errnos[] = {EIO, ENOSPC, EDQUOT, EACCES, EROFS, EINTR};
  for (int at = 1; at <= n_calls; at++) {
    for (const int error_number : errnos) {
      WriteFile(path_, old);
      FailingIo failing(at, error_number);
      const tir_status status = Save(failing.io());
      ASSERT_TRUE(failing.failed());
      const std::string call = failing.calls()[static_cast<size_t>(at) - 1];
      SCOPED_TRACE("call " + std::to_string(at) + ", " + call + ", errno " +
                   std::to_string(error_number));
      if (status == TIR_OK) {
        // Tried again after an interrupt, or nothing the save depends on: the
        // search for stale files and the end of the directory.
        EXPECT_NE(ReadFile(path_), old);
        EXPECT_EQ(dir_.List(), std::vector<std::string>{"m.tir"});
        continue;
      }
      EXPECT_EQ(status, TIR_ERR_IO);
      bool known = false;
      for (const auto &message : messages)
        known = known || (call == message.call && MessageHas(message.message));
      EXPECT_TRUE(known) << error_.message;
      if (MessageHas("the new file is in place")) {
        EXPECT_NE(ReadFile(path_), old);
        EXPECT_EQ(dir_.List(), std::vector<std::string>{"m.tir"});
      } else {
        ExpectIntact(old);
      }
    }
  }
}

// Which calls may fail unseen: exactly those named here.
TEST_F(SerializeSave, OnlyHarmlessFailuresAreIgnored) {
  std::vector<std::string> ignored;
  for (int at = 1; at < 100; at++) {
    FailingIo failing(at, EIO);
    const tir_status status = Save(failing.io());
    if (!failing.failed()) break;
    if (status == TIR_OK) ignored.push_back(failing.calls()[size_t(at) - 1]);
  }
  // The look for stale files, and closing the directory at the end.
  EXPECT_EQ(ignored, (std::vector<std::string>{"open", "close"}));
}

TEST_F(SerializeSave, ShortWritesAndInterruptsAreCarriedOn) {
  ASSERT_EQ(Save(), TIR_OK);
  const std::string whole = ReadFile(path_);
  for (const size_t cut : {size_t{1}, size_t{7}, size_t{1000}}) {
    FailingIo io(0, 0);
    io.CutTo(cut);
    ASSERT_EQ(Save(io.io()), TIR_OK) << error_.message;
    EXPECT_EQ(ReadFile(path_), whole);
    tir_module *loaded = nullptr;
    ASSERT_EQ(tir_ser_load(io.io(), context_.get(), path_.c_str(), nullptr,
                           &loaded, &error_),
              TIR_OK)
        << error_.message;
    ExpectSameModule(module_.get(), loaded);
    tir_module_destroy(loaded);
  }
}

TEST_F(SerializeSave, LoadCallsFailing) {
  ASSERT_EQ(Save(), TIR_OK);
  for (const bool map : {false, true}) {
    tir_load_options options = {};
    options.map = map;
    for (int at = 1;; at++) {
      bool done = false;
      for (const int error_number : {EIO, EACCES, EINTR}) {
        FailingIo failing(at, error_number);
        tir_module *loaded = nullptr;
        error_ = tir_error{};
        const tir_status status =
            tir_ser_load(failing.io(), context_.get(), path_.c_str(), &options,
                         &loaded, &error_);
        done = !failing.failed();
        EXPECT_EQ(status == TIR_OK, loaded != nullptr);
        const std::string call =
            done ? "" : failing.calls()[static_cast<size_t>(at) - 1];
        if (!done && error_number != EINTR && call != "close") {
          EXPECT_EQ(status, TIR_ERR_IO) << call;
        }
        tir_module_destroy(loaded);
      }
      if (done) break;
    }
  }
}

TEST_F(SerializeSave, TargetsThatAreNoFileAreRefused) {
  const std::string real = dir_.File("real");
  WriteFile(real, "precious");
  ASSERT_EQ(symlink("real", path_.c_str()), 0);
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("it is a symbolic link")) << error_.message;
  EXPECT_EQ(ReadFile(real), "precious");
  unlink(path_.c_str());
  ASSERT_EQ(symlink("nowhere", path_.c_str()), 0);
  EXPECT_EQ(Save(), TIR_ERR_IO);
  unlink(path_.c_str());
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("it is a directory")) << error_.message;
  rmdir(path_.c_str());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("it is not a regular file")) << error_.message;
  unlink(path_.c_str());
  for (const char *name : {"", "/", "x/", ".", "..", "a/.."}) {
    path_ = *name == '/' || !*name ? name : dir_.File(name);
    EXPECT_EQ(Save(), TIR_ERR_IO) << name;
  }
  path_ = dir_.File("no-dir/m.tir");
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("cannot open the directory")) << error_.message;
  path_ = dir_.File(std::string(300, 'n'));
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_EQ(dir_.List(), std::vector<std::string>{"real"});
  // The longest name there is.
  path_ = dir_.File(std::string(255, 'n'));
  EXPECT_EQ(Save(), TIR_OK) << error_.message;
}

TEST_F(SerializeSave, LoadingWhatIsNoFile) {
  const auto load = [this](const std::string &path) {
    tir_module *loaded = nullptr;
    error_ = tir_error{};
    const tir_status status = tir_module_load(context_.get(), path.c_str(),
                                              nullptr, &loaded, &error_);
    EXPECT_EQ(loaded, nullptr);
    return status;
  };
  EXPECT_EQ(load(dir_.File("none")), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("load: cannot open")) << error_.message;
  EXPECT_EQ(load(dir_.path()), TIR_ERR_IO);
  // Without a writer at the other end; it must not wait for one.
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(load(path_), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("not a file")) << error_.message;
  EXPECT_EQ(load("/dev/zero"), TIR_ERR_IO);
}

TEST_F(SerializeSave, ModeIsKept) {
  const mode_t old_mask = umask(027);
  ASSERT_EQ(Save(), TIR_OK);
  umask(old_mask);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
  for (const mode_t mode : {0600u, 0444u, 0755u, 0666u}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    ASSERT_EQ(Save(), TIR_OK) << error_.message;
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, mode);
  }
}

TEST_F(SerializeSave, OtherHardLinksKeepTheOldContent) {
  ASSERT_EQ(Save(), TIR_OK);
  const std::string old = ReadFile(path_);
  const std::string other = dir_.File("link");
  ASSERT_EQ(link(path_.c_str(), other.c_str()), 0);
  ASSERT_EQ(tir_module_set_metadata(module_.get(), "author", "new", &error_),
            TIR_OK);
  ASSERT_EQ(Save(), TIR_OK);
  EXPECT_EQ(ReadFile(other), old);
  EXPECT_NE(ReadFile(path_), old);
}

// RLIMIT_FSIZE: a write fails in the middle with EFBIG.
TEST_F(SerializeSave, FileSizeLimit) {
  ASSERT_EQ(Save(), TIR_OK);
  const std::string old = ReadFile(path_);
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t size : {rlim_t{0}, rlim_t{100}, rlim_t{4096}}) {
    struct rlimit limit = before;
    limit.rlim_cur = size;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const tir_status status = Save();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(status, TIR_ERR_IO);
    EXPECT_TRUE(MessageHas("cannot write")) << error_.message;
    ExpectIntact(old);
  }
  signal(SIGXFSZ, old_handler);
}

// A file system that really is full, where one may be mounted; the limit above
// takes its place elsewhere.
TEST_F(SerializeSave, FullFileSystem) {
  const std::string point = dir_.File("full");
  ASSERT_EQ(mkdir(point.c_str(), 0700), 0);
  const bool mounted =
      mount("none", point.c_str(), "tmpfs", 0, "size=64k") == 0;
  if (!mounted) {
    EXPECT_TRUE(errno == EPERM || errno == EACCES || errno == ENOSYS ||
                errno == ENODEV);
    return;
  }
  path_ = point + "/m.tir";
  EXPECT_EQ(Save(), TIR_OK) << error_.message;
  const std::string old = ReadFile(path_);
  const std::vector<float> data(1 << 20, 1.f);
  AddParam(module_.get(), context_.get(), "big", {1 << 20}, data);
  EXPECT_EQ(Save(), TIR_ERR_IO);
  EXPECT_TRUE(MessageHas("cannot write")) << error_.message;
  EXPECT_TRUE(MessageHas("No space left")) << error_.message;
  EXPECT_EQ(ReadFile(path_), old);
  unlink(path_.c_str());
  // Empty, so the temporary file is gone: it can be unmounted and removed.
  umount(point.c_str());
  EXPECT_EQ(rmdir(point.c_str()), 0);
}

TEST_F(SerializeSave, TemporaryNames) {
  EXPECT_TRUE(tir_ser_is_temporary(".m.tir.tir-tmp.123.0123abcd", "m.tir"));
  for (const char *name :
       {"m.tir.tir-tmp.123.0123abcd", ".m.tir.tir-tmp.123.0123abc",
        ".m.tir.tir-tmp.123.0123abcde", ".m.tir.tir-tmp.123.0123abcX",
        ".m.tir.tir-tmp..0123abcd", ".m.tir.tir-tmp.x.0123abcd",
        ".m.tir.tir-tmp.99999999999.0123abcd", ".n.tir.tir-tmp.123.0123abcd",
        ".m.tir", "", ".", "..", ".m.tir.tir-tmp.123"})
    EXPECT_FALSE(tir_ser_is_temporary(name, "m.tir")) << name;
}

// Whose process it was does not matter: a number means another process in
// another container.
TEST_F(SerializeSave, TemporaryFilesWithoutALockAreRemoved) {
  const auto name = [](const std::string &target, pid_t pid) {
    return "." + target + ".tir-tmp." + std::to_string(pid) + ".0000abcd";
  };
  const pid_t gone = EndedChild();
  const std::string stale = name("m.tir", gone);
  const std::string of_another = name("other.tir", gone);
  const std::string number_of_another = name("m.tir", getppid());
  const std::string locked = name("m.tir", gone + 1);
  for (const std::string &file : {stale, of_another, number_of_another, locked})
    WriteFile(dir_.File(file), "x");
  const struct utimbuf long_ago = {0, 0};
  ASSERT_EQ(utime(dir_.File(locked).c_str(), &long_ago), 0);
  const int fd = open(dir_.File(locked).c_str(), O_WRONLY);
  ASSERT_GE(fd, 0);
  int mark = -1;
  ASSERT_TRUE(tir_ser_mark_live(fd, &mark));
  ASSERT_EQ(Save(), TIR_OK) << error_.message;
  std::vector<std::string> left = {of_another, locked, "m.tir"};
  std::sort(left.begin(), left.end());
  EXPECT_EQ(dir_.List(), left);
  // The mark holds when the descriptor itself is closed before the rename.
  close(fd);
  ASSERT_EQ(Save(), TIR_OK) << error_.message;
  EXPECT_EQ(dir_.List(), left);
  close(mark);
}

// Saves of two containers: each one's process numbers are gone in the other.
// Whenever the other one looks for stale files, the running save goes through.
TEST_F(SerializeSave, SavesOfOtherPidNamespacesAreLeftAlone) {
  ASSERT_EQ(Save(), TIR_OK) << error_.message;
  for (const char *moment : {"open", "sync", "close", "rename"}) {
    ASSERT_EQ(tir_module_set_metadata(module_.get(), "moment", moment, &error_),
              TIR_OK);
    Elsewhere io(EndedChild(), moment, [&](int dir, const std::string &) {
      tir_ser_remove_stale(&tir_ser_io_system, dir, "m.tir");
    });
    EXPECT_EQ(Save(io.io()), TIR_OK) << moment << ": " << error_.message;
    EXPECT_TRUE(io.met()) << moment;
    EXPECT_NE(ReadFile(path_).find(moment), std::string::npos) << moment;
    EXPECT_EQ(dir_.List(), std::vector<std::string>{"m.tir"}) << moment;
  }
}

// The other save holds the new file between its look and its unlink.
TEST_F(SerializeSave, AFileThatIsBeingJudgedIsNotUsed) {
  int judge = -1;
  Elsewhere io(EndedChild(), "open", [&](int dir, const std::string &name) {
    judge = openat(dir, name.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_TRUE(tir_ser_take_stale(judge));
  });
  EXPECT_EQ(Save(io.io()), TIR_OK) << error_.message;
  EXPECT_TRUE(io.met());
  close(judge);
  EXPECT_EQ(dir_.List(), std::vector<std::string>{"m.tir"});
}

// A module mapped from a file may be saved over that very file.
TEST_F(SerializeSave, OverTheFileItIsMappedFrom) {
  ASSERT_EQ(Save(), TIR_OK);
  tir_load_options options = {};
  options.map = true;
  tir_module *mapped = nullptr;
  ASSERT_EQ(tir_module_load(context_.get(), path_.c_str(), &options, &mapped,
                            &error_),
            TIR_OK);
  ASSERT_EQ(tir_module_save(mapped, path_.c_str(), &error_), TIR_OK);
  ExpectSameModule(module_.get(), mapped);
  tir_module_destroy(mapped);
}
