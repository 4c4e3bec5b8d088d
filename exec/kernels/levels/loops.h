// Shapes of elementwise loops, and lists of the types they are made for.
#ifndef TAPEIR_EXEC_KERNELS_LEVELS_LOOPS_H
#define TAPEIR_EXEC_KERNELS_LEVELS_LOOPS_H

#include <math.h>
#include <string.h>

#include "exec/kernels/levels.h"

// X(suffix, type)
#define TIR_FLOATS(X) X(f32, float) X(f64, double)
// X(suffix, type, wide): `wide` is unsigned and not narrower than int, so
// arithmetic in it wraps and never overflows a promoted int.
#define TIR_INTS(X)         \
  X(i8, int8_t, uint32_t)   \
  X(u8, uint8_t, uint32_t)  \
  X(i16, int16_t, uint32_t) \
  X(i32, int32_t, uint32_t) \
  X(i64, int64_t, uint64_t)

// to[i] = expr of x = a[i].
#define TIR_LOOP_1(name, TO, TA, expr)                                 \
  static void name(int64_t n, void *out, const void *a, const void *b, \
                   const void *c) {                                    \
    TO *const to = out;                                                \
    const TA *const from = a;                                          \
    (void)b;                                                           \
    (void)c;                                                           \
    TIR_IVDEP                                                          \
    for (int64_t i = 0; i < n; i++) {                                  \
      const TA x = from[i];                                            \
      to[i] = (TO)(expr);                                              \
    }                                                                  \
  }

// to[i] = expr of x = a[i], y = b[i].
#define TIR_LOOP_2(name, TO, TA, expr)                                 \
  static void name(int64_t n, void *out, const void *a, const void *b, \
                   const void *c) {                                    \
    TO *const to = out;                                                \
    const TA *const left = a;                                          \
    const TA *const right = b;                                         \
    (void)c;                                                           \
    TIR_IVDEP                                                          \
    for (int64_t i = 0; i < n; i++) {                                  \
      const TA x = left[i];                                            \
      const TA y = right[i];                                           \
      to[i] = (TO)(expr);                                              \
    }                                                                  \
  }

// to[i] = expr of x = a[i], y = b[i], z = c[i].
#define TIR_LOOP_3(name, TO, TA, expr)                                 \
  static void name(int64_t n, void *out, const void *a, const void *b, \
                   const void *c) {                                    \
    TO *const to = out;                                                \
    const TA *const first = a;                                         \
    const TA *const second = b;                                        \
    const TA *const third = c;                                         \
    TIR_IVDEP                                                          \
    for (int64_t i = 0; i < n; i++) {                                  \
      const TA x = first[i];                                           \
      const TA y = second[i];                                          \
      const TA z = third[i];                                           \
      to[i] = (TO)(expr);                                              \
    }                                                                  \
  }

// Like TIR_LOOP_1 over f32, for expressions of many operations: in pieces of
// 16, so that a ragged end costs one vector and not up to 15 single elements.
// The end is the last 16 elements again, read before anything is written; a
// short array is padded instead.
#define TIR_LOOP_PIECES_F32(name, expr)                           \
  static inline void name##_piece(float *to, const float *from) { \
    TIR_IVDEP                                                     \
    for (int i = 0; i < 16; i++) {                                \
      const float x = from[i];                                    \
      to[i] = (expr);                                             \
    }                                                             \
  }                                                               \
  TIR_PIECES_F32(name)

// The same from a name##_piece that is there.
#define TIR_PIECES_F32(name)                                                  \
  static void name(int64_t n, void *out, const void *a, const void *b,        \
                   const void *c) {                                           \
    float *const to = out;                                                    \
    const float *const from = a;                                              \
    float end[16] = {0};                                                      \
    (void)b;                                                                  \
    (void)c;                                                                  \
    if (n < 16) {                                                             \
      for (int64_t i = 0; i < n; i++) end[i] = from[i];                       \
      name##_piece(end, end);                                                 \
      for (int64_t i = 0; i < n; i++) to[i] = end[i];                         \
      return;                                                                 \
    }                                                                         \
    memcpy(end, from + n - 16, sizeof end);                                   \
    for (int64_t i = 0; i + 16 <= n; i += 16) name##_piece(to + i, from + i); \
    if (n % 16 == 0) return;                                                  \
    name##_piece(end, end);                                                   \
    memcpy(to + n - 16, end, sizeof end);                                     \
  }

#endif
