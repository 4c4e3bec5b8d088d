// What the CPU offers, mapped to the levels kernels are compiled for. A level
// counts only with everything its -march flag lets the compiler use.
#include "exec/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

// F16C, MOVBE and LZCNT belong to x86-64-v3, the compiler's question knows none
// of them, and a virtual machine may hide any.
static bool has_rest_of_v3(void) {
  enum { MOVBE = 1 << 22, F16C = 1 << 29, LZCNT = 1 << 5 };
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & MOVBE) || !(c & F16C))
    return false;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & LZCNT);
}

static bool has_avx2_level(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt") && has_rest_of_v3();
}

static bool has_avx512_level(void) {
  return __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

// Asks the CPU and, for the wide registers, the system: what either lacks does
// not count.
int tir_exec_cpu_best(void) {
  __builtin_cpu_init();
  if (!has_avx2_level()) return TIR_CPU_BASELINE;
  // Levels are a chain: AVX-512 kernels use AVX2 as well.
  return has_avx512_level() ? TIR_CPU_AVX512 : TIR_CPU_AVX2;
}

#else

int tir_exec_cpu_best(void) { return TIR_CPU_BASELINE; }

#endif

// A level asked for is a wish: never more than there is.
int tir_exec_cpu_clamp(int level) {
  const int best = tir_exec_cpu_best();
  if (level < TIR_CPU_BASELINE) return TIR_CPU_BASELINE;
  return level > best ? best : level;
}

const char *tir_exec_cpu_name(int level) {
  switch (level) {
    case TIR_CPU_AVX512:
      return "avx512";
    case TIR_CPU_AVX2:
      return "avx2";
    default:
      return "baseline";
  }
}
