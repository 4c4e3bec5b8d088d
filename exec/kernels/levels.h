// Tables of functions that are compiled once per CPU level.
//
// A source file in levels/ defines each of its tables as TIR_LEVEL(name); the
// build compiles it with TIR_LEVEL_NAME = baseline, avx2 and avx512. Kernels
// pick a table when they are prepared: TIR_AT_LEVEL(name, q->cpu_level).
#ifndef TAPEIR_EXEC_KERNELS_LEVELS_H
#define TAPEIR_EXEC_KERNELS_LEVELS_H

#include "exec/kernels/attention.h"
#include "exec/kernels/dot.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/gemm.h"
#include "exec/kernels/normalize.h"
#include "exec/kernels/random.h"
#include "exec/kernels/reduce.h"
#include "exec/kernels/scan.h"

#define TIR_LEVEL_PASTE_AGAIN(name, level) name##_##level
#define TIR_LEVEL_PASTE(name, level) TIR_LEVEL_PASTE_AGAIN(name, level)
#define TIR_LEVEL(name) TIR_LEVEL_PASTE(name, TIR_LEVEL_NAME)

typedef tir_exec_loop tir_exec_loops[TIR_N_DTYPES];  // NULL: no such kernel

// Tables of elementwise loops, by op and dtype of the first operand.
typedef struct tir_exec_level_unary {
  tir_exec_loops neg, abs, square, sqrt, exp, log, tanh, sigmoid, relu;
  tir_exec_loops rsqrt, expm1, log1p, erf, sin, cos;
  tir_exec_loops softplus, silu, gelu, gelu_tanh;
} tir_exec_level_unary;

typedef struct tir_exec_level_binary {
  tir_exec_loops add, sub, mul, div, pow, maximum, minimum, clip;
  tir_exec_check division[TIR_N_DTYPES];  // integers: a zero divisor
} tir_exec_level_binary;

typedef struct tir_exec_level_compare {
  tir_exec_loops equal, not_equal, less, less_equal, greater, greater_equal;
  tir_exec_loop where[4];  // by log2 of the element size
} tir_exec_level_compare;

typedef struct tir_exec_level_cast {
  // NULL where the general two-step conversion is used.
  tir_exec_loop to[TIR_N_DTYPES][TIR_N_DTYPES];  // [from][to]
} tir_exec_level_cast;

typedef struct tir_exec_level_softmax {
  // Over the rows of a tir_exec_rows block; NULL: no such dtype.
  tir_exec_kernel_fn softmax[TIR_N_DTYPES];
  tir_exec_kernel_fn log_softmax[TIR_N_DTYPES];
  tir_exec_kernel_fn logsumexp[TIR_N_DTYPES];
  tir_exec_kernel_fn cross_entropy[TIR_N_DTYPES];
} tir_exec_level_softmax;

typedef struct tir_exec_level_optim {
  tir_exec_kernel_fn sgd[TIR_N_DTYPES];
  tir_exec_kernel_fn momentum[TIR_N_DTYPES];
  tir_exec_kernel_fn adam[TIR_N_DTYPES];
  tir_exec_kernel_fn nesterov[TIR_N_DTYPES];
  tir_exec_kernel_fn adamw[TIR_N_DTYPES];
  tir_exec_kernel_fn rmsprop[TIR_N_DTYPES];
  tir_exec_kernel_fn adagrad[TIR_N_DTYPES];
  tir_exec_kernel_fn adadelta[TIR_N_DTYPES];
  tir_exec_kernel_fn lion[TIR_N_DTYPES];
} tir_exec_level_optim;

// All tables: X(type, name). Each level has one of each.
#define TIR_LEVEL_TABLES(X)                       \
  X(tir_exec_level_unary, tir_exec_unary)         \
  X(tir_exec_level_binary, tir_exec_binary)       \
  X(tir_exec_level_compare, tir_exec_compare)     \
  X(tir_exec_level_cast, tir_exec_cast)           \
  X(tir_exec_level_reduce, tir_exec_reduce)       \
  X(tir_exec_level_softmax, tir_exec_softmax)     \
  X(tir_exec_level_optim, tir_exec_optim)         \
  X(tir_exec_level_normalize, tir_exec_normalize) \
  X(tir_exec_level_random, tir_exec_random)       \
  X(tir_exec_level_scan, tir_exec_scan)           \
  X(tir_exec_level_attention, tir_exec_attention) \
  X(tir_exec_level_gemm, tir_exec_gemm)           \
  X(tir_exec_level_dot, tir_exec_dot)

#define TIR_LEVEL_DECLARE_BASELINE(type, name) \
  extern const type name##_baseline;
TIR_LEVEL_TABLES(TIR_LEVEL_DECLARE_BASELINE)

#if defined(__x86_64__)
#define TIR_LEVEL_DECLARE_X86(type, name) \
  extern const type name##_avx2;          \
  extern const type name##_avx512;
TIR_LEVEL_TABLES(TIR_LEVEL_DECLARE_X86)
#undef TIR_LEVEL_DECLARE_X86
// The address of a table. Without levels, as on other processors, everything is
// in the baseline.
#define TIR_AT_LEVEL(name, level)             \
  ((level) >= TIR_CPU_AVX512 ? &name##_avx512 \
   : (level) == TIR_CPU_AVX2 ? &name##_avx2   \
                             : &name##_baseline)
#else
#define TIR_AT_LEVEL(name, level) ((void)(level), &name##_baseline)
#endif

#undef TIR_LEVEL_DECLARE_BASELINE

#endif
