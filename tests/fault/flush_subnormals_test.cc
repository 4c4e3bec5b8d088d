// Loading and using libtapeir.so leaves the host's floating-point state alone:
// the control register and the subnormals that a wrongly linked shared object
// would flush. The host is a child process that only knows dlopen.
#include <dlfcn.h>
#include <float.h>
#include <gtest/gtest.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "tapeir/tapeir.h"

namespace {

uint32_t FloatControl() {
#if defined(__x86_64__)
  // The six lowest bits are sticky exception flags, not settings.
  return _mm_getcsr() & ~0x3Fu;
#else
  return 0;
#endif
}

bool HasSubnormals() {
  volatile double smallest = DBL_MIN;
  volatile float smallest32 = FLT_MIN;
  return smallest / 2 != 0 && smallest32 / 2 != 0;
}

enum Outcome { kKept, kFlushed, kControlChanged, kNotLoaded, kUseFailed };

// Runs `body` in a child, so that a changed register stays there.
template <typename Body>
int InChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

template <typename Function>
Function *Find(void *library, const char *name) {
  return reinterpret_cast<Function *>(dlsym(library, name));
}

// One gradient through the library's symbols.
bool Use(void *library) {
  tir_context *context = nullptr;
  tir_tape *tape = nullptr;
  if (Find<decltype(tir_context_create)>(library, "tir_context_create")(
          nullptr, &context, nullptr) != TIR_OK ||
      Find<decltype(tir_tape_create)>(library, "tir_tape_create")(
          context, nullptr, &tape, nullptr) != TIR_OK)
    return false;
  const double three = 3;
  const tir_value x = Find<decltype(tir_value_from_data)>(
      library, "tir_value_from_data")(tape, TIR_DTYPE_F64, nullptr, 0, &three);
  Find<decltype(tir_attach_grad)>(library, "tir_attach_grad")(tape, x,
                                                              TIR_GRAD_WRITE);
  Find<decltype(tir_record_begin)>(library, "tir_record_begin")(tape, true);
  const tir_value y = Find<decltype(tir_mul)>(library, "tir_mul")(tape, x, x);
  Find<decltype(tir_mode_end)>(library, "tir_mode_end")(tape);
  Find<decltype(tir_backward)>(library, "tir_backward")(tape, y);
  const double gradient =
      Find<decltype(tir_read_scalar)>(library, "tir_read_scalar")(
          tape, Find<decltype(tir_grad_of)>(library, "tir_grad_of")(tape, x));
  Find<decltype(tir_tape_destroy)>(library, "tir_tape_destroy")(tape);
  Find<decltype(tir_context_destroy)>(library, "tir_context_destroy")(context);
  return gradient == 6;
}

int LoadAndLook(const char *path, bool use) {
  const uint32_t before = FloatControl();
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return kNotLoaded;
  if (use && !Use(library)) return kUseFailed;
  if (!HasSubnormals()) return kFlushed;
  return FloatControl() == before ? kKept : kControlChanged;
}

TEST(FlushSubnormals, ThisHostHasThem) { EXPECT_TRUE(HasSubnormals()); }

TEST(FlushSubnormals, AWronglyLinkedLibraryIsSeen) {
#if defined(__x86_64__)
  EXPECT_EQ(InChild([] { return LoadAndLook(TAPEIR_FLUSHING_LIBRARY, false); }),
            kFlushed);
#endif
}

TEST(FlushSubnormals, LoadingTapeirKeepsThem) {
  EXPECT_EQ(InChild([] { return LoadAndLook(TAPEIR_LIBRARY, false); }), kKept);
}

TEST(FlushSubnormals, UsingTapeirKeepsThem) {
  EXPECT_EQ(InChild([] { return LoadAndLook(TAPEIR_LIBRARY, true); }), kKept);
}

}  // namespace
