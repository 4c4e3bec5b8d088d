// What the CPU offers, mapped to the levels kernels are compiled for. A level
// counts only with everything its -march flag lets the compiler use.
#include "exec/cpu.h"

#if defined(__x86_64__)

static bool has_avx2_level(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
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
