// The floating-point control registers, so that kernels always compute under
// the default environment and the host gets its own back, flags included.
#ifndef TAPEIR_EXEC_FLOAT_CONTROL_H
#define TAPEIR_EXEC_FLOAT_CONTROL_H

#if defined(__x86_64__)

#include <stdint.h>
#include <xmmintrin.h>

typedef struct tir_exec_float_control {
  uint32_t mxcsr;
  uint16_t x87;
} tir_exec_float_control;

enum {
  TIR_MXCSR_DEFAULT = 0x1f80,  // round to nearest, all exceptions masked
  // 64-bit mantissa, round to nearest, all exceptions masked.
  TIR_X87_DEFAULT = 0x037f,
};

// Saves the present environment and sets the default one.
static inline tir_exec_float_control tir_exec_float_enter(void) {
  tir_exec_float_control saved;
  saved.mxcsr = _mm_getcsr();
  __asm__ __volatile__("fnstcw %0" : "=m"(saved.x87));
  if (saved.mxcsr != TIR_MXCSR_DEFAULT) _mm_setcsr(TIR_MXCSR_DEFAULT);
  if (saved.x87 != TIR_X87_DEFAULT) {
    const uint16_t x87 = TIR_X87_DEFAULT;
    __asm__ __volatile__("fldcw %0" : : "m"(x87));
  }
  return saved;
}

// The MXCSR is put back in any case, since it holds the exception flags that
// kernels have raised. Loading an x87 control word is slow, so that is done
// only where it changes something.
static inline void tir_exec_float_leave(const tir_exec_float_control *saved) {
  _mm_setcsr(saved->mxcsr);
  if (saved->x87 != TIR_X87_DEFAULT)
    __asm__ __volatile__("fldcw %0" : : "m"(saved->x87));
}

#else

#include <fenv.h>

typedef struct tir_exec_float_control {
  fenv_t environment;
} tir_exec_float_control;

static inline tir_exec_float_control tir_exec_float_enter(void) {
  tir_exec_float_control saved;
  fegetenv(&saved.environment);
  fesetenv(FE_DFL_ENV);
  return saved;
}

static inline void tir_exec_float_leave(const tir_exec_float_control *saved) {
  fesetenv(&saved->environment);
}

#endif

#endif
