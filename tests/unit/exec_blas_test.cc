// BLAS comes when it is needed, runs single-threaded inside a guard, and
// leaves the host's thread count as it was.
// Labels: blas

#include <dlfcn.h>

#include <atomic>
#include <thread>

#include "tests/support/kernel_call.h"

namespace tapeir_test {
namespace {

KernelCall Square(int64_t n) {
  Buffer a(TypeOf(TIR_DTYPE_F32, {n, n}));
  for (size_t e = 0; e < a.count(); e++) a.Set(e, 1);
  KernelCall call(TIR_OP_MATMUL);
  call.Attrs(tir_attrs_matmul{}).In(a).In(a);
  call.Out(TypeOf(TIR_DTYPE_F32, {n, n}));
  return call;
}

// First of the file: nothing has been opened yet.
TEST(Blas, SmallProductsOpenNothing) {
#if !defined(TAPEIR_BLAS_LINK)
  for (int level : Levels()) {
    KernelOptions options;
    options.level = level;
    KernelCall call = Square(level == TIR_CPU_BASELINE ? 48 : 200);
    ASSERT_EQ(call.Run(options), TIR_OK);
    EXPECT_FALSE(call.uses_blas());
  }
  EXPECT_EQ(tir_exec_blas_loaded(), TIR_BLAS_NONE);
  EXPECT_STREQ(tir_exec_blas_config(), "none");
#endif
}

TEST(Blas, GuardWithoutLibraryDoesNothing) {
  if (tir_exec_blas_loaded() != TIR_BLAS_NONE) return;  // linked
  tir_exec_blas_guard guard = {};
  tir_exec_blas_begin(&guard);
  // Opened in between: the end must still match the begin.
  tir_exec_blas_load();
  tir_exec_blas_end(&guard);
}

TEST(Blas, LargeProductsUseItWhenItIsThere) {
  const bool there = tir_exec_blas_load();
  KernelCall call = Square(96);
  KernelOptions options;  // the baseline level leaves much to BLAS
  ASSERT_EQ(call.Run(options), TIR_OK);
  EXPECT_EQ(call.uses_blas(), there);
  for (size_t e = 0; e < call.out().count(); e++)
    ASSERT_EQ(call.out().F64(e), 96);
  EXPECT_EQ(there, tir_exec_blas_loaded() != TIR_BLAS_NONE);
}

// A library that does not know the processor has kernels for an old one.
TEST(Blas, KernelsOfOlderProcessorsAreNotForNewerOnes) {
  for (const char *core : {"Prescott", "prescott", "Nehalem", "Sandybridge"})
    EXPECT_EQ(tir_exec_blas_core_level(core), TIR_CPU_BASELINE) << core;
  for (const char *core : {"Haswell", "Zen"})
    EXPECT_EQ(tir_exec_blas_core_level(core), TIR_CPU_AVX2) << core;
  for (const char *core : {"SkylakeX", "Cooperlake", "neoversen1", "new"})
    EXPECT_EQ(tir_exec_blas_core_level(core), TIR_CPU_AVX512) << core;
  EXPECT_EQ(tir_exec_blas_suits(TIR_CPU_BASELINE), tir_exec_blas_load());
}

class HostThreads {
 public:
  HostThreads() {
    void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
    if (!handle) return;
    get_ =
        reinterpret_cast<int (*)()>(dlsym(handle, "openblas_get_num_threads"));
    set_ = reinterpret_cast<void (*)(int)>(
        dlsym(handle, "openblas_set_num_threads"));
    dlclose(handle);
  }
  bool there() const { return get_ && set_; }
  int Get() const { return get_(); }
  void Set(int n) const { set_(n); }

 private:
  int (*get_)() = nullptr;
  void (*set_)(int) = nullptr;
};

TEST(Blas, GuardRestoresTheHostsThreads) {
  if (!tir_exec_blas_load()) return;  // built without it
  if (tir_exec_blas_loaded() != TIR_BLAS_PTHREAD) return;
  const HostThreads host;
  ASSERT_TRUE(host.there());
  const int before = host.Get();
  host.Set(2);
  tir_exec_blas_guard first = {}, second = {};
  tir_exec_blas_begin(&first);
  EXPECT_EQ(host.Get(), 1);
  tir_exec_blas_begin(&second);
  EXPECT_EQ(host.Get(), 1);
  tir_exec_blas_end(&first);
  EXPECT_EQ(host.Get(), 1) << "another run is still inside";
  tir_exec_blas_end(&second);
  EXPECT_EQ(host.Get(), 2);
  host.Set(before);
}

// OpenMP's setting is each thread's own: begin and lanes change that of their
// thread only, and give it back.
TEST(Blas, GuardRestoresTheThreadsOfOpenMp) {
  if (!tir_exec_blas_load()) return;  // built without it
  if (tir_exec_blas_loaded() != TIR_BLAS_OPENMP) return;
  void *handle = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(handle, nullptr);
  const auto get =
      reinterpret_cast<int (*)()>(dlsym(handle, "omp_get_max_threads"));
  const auto set =
      reinterpret_cast<void (*)(int)>(dlsym(handle, "omp_set_num_threads"));
  ASSERT_TRUE(get && set);
  const int before = get();
  set(3);
  tir_exec_blas_guard guard = {}, lane = {};
  tir_exec_blas_begin(&guard);
  EXPECT_EQ(get(), 1);
  std::thread other([&] {
    set(5);
    tir_exec_blas_begin_lane(&lane);
    EXPECT_EQ(get(), 1);
    tir_exec_blas_end_lane(&lane);
    EXPECT_EQ(get(), 5);
  });
  other.join();
  tir_exec_blas_end(&guard);
  EXPECT_EQ(get(), 3);
  set(before);
  dlclose(handle);
}

// Runs may begin and end in any order on any threads: the host's number comes
// back with the last one.
TEST(Blas, GuardCountsRunsOfManyThreads) {
  if (!tir_exec_blas_load()) return;  // built without it
  if (tir_exec_blas_loaded() != TIR_BLAS_PTHREAD) return;
  const HostThreads host;
  ASSERT_TRUE(host.there());
  const int before = host.Get();
  host.Set(2);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      for (int round = 0; round < 200; round++) {
        tir_exec_blas_guard guard = {};
        tir_exec_blas_begin(&guard);
        wrong += host.Get() != 1;
        tir_exec_blas_end(&guard);
      }
    });
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(host.Get(), 2);
  host.Set(before);
}

TEST(Blas, RunsOfSeveralThreadsGiveTheSameBits) {
  TestRandom random(1);
  Buffer a(TypeOf(TIR_DTYPE_F32, {150, 130}));
  Buffer b(TypeOf(TIR_DTYPE_F32, {130, 170}));
  FillUniform(&a, &random);
  FillUniform(&b, &random);
  const auto make = [&] {
    KernelCall call(TIR_OP_MATMUL);
    call.Attrs(tir_attrs_matmul{}).In(a).In(b);
    call.Out(TypeOf(TIR_DTYPE_F32, {150, 170}));
    return call;
  };
  const KernelOptions options;
  KernelCall alone = make();
  ASSERT_EQ(alone.Run(options), TIR_OK);
  std::vector<KernelCall> calls;
  for (int i = 0; i < 4; i++) calls.push_back(make());
  std::vector<std::thread> threads;
  for (KernelCall &call : calls)
    threads.emplace_back([&call, &options] {
      for (int round = 0; round < 5; round++)
        EXPECT_EQ(call.Run(options), TIR_OK);
    });
  for (std::thread &thread : threads) thread.join();
  for (const KernelCall &call : calls)
    EXPECT_TRUE(SameBits(call.out(), alone.out()));
}

TEST(CpuLevels, AreOrderedAndNamed) {
  EXPECT_GE(tir_exec_cpu_best(), TIR_CPU_BASELINE);
  EXPECT_EQ(tir_exec_cpu_clamp(0), TIR_CPU_BASELINE);
  EXPECT_EQ(tir_exec_cpu_clamp(99), tir_exec_cpu_best());
  EXPECT_STREQ(tir_exec_cpu_name(TIR_CPU_BASELINE), "baseline");
  EXPECT_STREQ(tir_exec_cpu_name(TIR_CPU_AVX2), "avx2");
  EXPECT_STREQ(tir_exec_cpu_name(TIR_CPU_AVX512), "avx512");
}

}  // namespace
}  // namespace tapeir_test
