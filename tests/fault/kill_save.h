// kill −9 at any moment of a save: the path always holds a complete file, of
// the last save that ended or of the one that was killed.
#ifndef TAPEIR_TESTS_FAULT_KILL_SAVE_H
#define TAPEIR_TESTS_FAULT_KILL_SAVE_H

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/compiled.h"
#include "tests/support/generations.h"
#include "tests/support/random.h"
#include "tests/support/tir_file.h"

// What the child tells: the save it began last, and the one it ended last.
struct Progress {
  std::atomic<uint32_t> begun;
  std::atomic<uint32_t> ended;
};

// Generations are made ahead, so that nearly all time is spent in saves.
constexpr uint32_t kAhead = 10;

[[noreturn]] inline void SaveForEver(const std::string &path,
                                     Progress *progress) {
  const Owned<tir_context> context = MakeContext();
  for (uint32_t first = progress->begun + 1;; first += kAhead) {
    std::vector<Owned<tir_module>> modules;
    for (uint32_t i = 0; i < kAhead; i++)
      modules.emplace_back(MakeGeneration(context.get(), first + i));
    for (uint32_t i = 0; i < kAhead; i++) {
      progress->begun = first + i;
      if (tir_module_save(modules[i].get(), path.c_str(), nullptr) != TIR_OK)
        _exit(1);
      progress->ended = first + i;
    }
  }
}

inline void SleepMicroseconds(uint64_t n) {
  const struct timespec time = {static_cast<time_t>(n / 1000000),
                                static_cast<long>(n % 1000000 * 1000)};
  nanosleep(&time, nullptr);
}

inline void KillMany(int n_kills) {
  const TempDir dir;
  const std::string path = dir.File("m.tir");
  void *shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto *progress = new (shared) Progress();
  const Owned<tir_context> context = MakeContext();
  TestRandom random(1);
  int n_of_killed = 0, n_left_behind = 0;
  for (int kills = 0; kills < n_kills; kills++) {
    const uint32_t before = progress->ended;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) SaveForEver(path, progress);
    // At least one save, then anywhere in those that follow.
    while (progress->ended == before) {
      SleepMicroseconds(50);
      ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "the child gave up";
    }
    SleepMicroseconds(random.Below(3000));
    // Every other time in the middle of a save, if one begins soon: most of
    // the time goes by between them.
    const uint64_t moment = random.Below(20000);
    for (int i = 0; kills % 2 && i < 20000000; i++)
      if (progress->begun != progress->ended) break;
    for (uint64_t i = 0; kills % 2 && i < moment; i++)
      if (progress->begun == progress->ended) break;
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    tir_module *loaded = nullptr;
    tir_error error = {};
    ASSERT_EQ(
        tir_module_load(context.get(), path.c_str(), nullptr, &loaded, &error),
        TIR_OK)
        << "kill " << kills << ": " << error.message;
    const int64_t generation = GenerationOf(loaded);
    tir_module_destroy(loaded);
    ASSERT_GE(generation, progress->ended.load());
    ASSERT_LE(generation, progress->begun.load());
    n_of_killed += generation != progress->ended;
    n_left_behind += dir.List().size() > 1;
    // The next child goes on from what is there.
    progress->begun = progress->ended = static_cast<uint32_t>(generation);
  }
  printf("%d kills, %d after the rename, %d left a temporary file\n", n_kills,
         n_of_killed, n_left_behind);
  // Some kills must have met a save, or the test shows nothing.
  EXPECT_GT(n_left_behind, n_kills / 20);
  // The next save clears away what the killed ones left.
  const Owned<tir_module> module(MakeGeneration(context.get(), 1));
  ASSERT_EQ(tir_module_save(module.get(), path.c_str(), nullptr), TIR_OK);
  EXPECT_EQ(dir.List(), std::vector<std::string>{"m.tir"});
  munmap(shared, sizeof(Progress));
}

#endif
