// Kernels: how an op's computation is bound to a program's step.
//
// At compile time `prepare` looks at types and attributes once and chooses a
// function and a parameter block (strides, extents, flags). At run time the
// function gets pointers and does no checks but those on data. All tensors
// are dense, row-major; broadcasting is done by strides in the block.
#ifndef TAPEIR_EXEC_KERNEL_H
#define TAPEIR_EXEC_KERNEL_H

#include "ir/base/arena.h"
#include "ir/graph.h"

// What a kernel that met impossible data leaves behind; the run adds op, node
// and place. Fixed size, no heap.
typedef struct tir_exec_fault {
  char message[160];  // "index 7 at position 3 is out of range for size 5"
} tir_exec_fault;

typedef struct tir_exec_call {
  void *const *ptr;      // pointer table of the instance; ptr[0] is NULL
  const uint32_t *arg;   // operands, then outputs, as entries of ptr; an
                         // unused output and a shape-only operand are entry 0
  const void *params;
  void *scratch;         // scratch_bytes, 64-byte aligned
  tir_exec_fault *fault;
} tir_exec_call;

// TIR_OK, or TIR_ERR_VALUE with call->fault filled. Reads operands only,
// writes outputs whole, allocates nothing.
typedef tir_status (*tir_exec_kernel_fn)(const tir_exec_call *call);

typedef struct tir_exec_prepare {
  const tir_op_desc *desc;
  const void *attrs;
  const tir_ir_type *in;
  size_t n_in;
  const tir_ir_type *out;
  size_t n_out;
  const bool *out_used;
  int cpu_level;           // TIR_CPU_*
  tir_base_arena *arena;   // of the program, for the parameter block
  tir_error *error;
  // Answers.
  tir_exec_kernel_fn run;
  const void *params;
  size_t scratch_bytes;
  bool uses_blas;          // `run` calls BLAS: the run holds the guard
} tir_exec_prepare;

typedef struct tir_exec_kernel_desc {
  tir_status (*prepare)(tir_exec_prepare *q);  // NULL: never executed
} tir_exec_kernel_desc;

#define TIR_OP(ID, name) extern const tir_exec_kernel_desc tir_kernel_##name;
#include "ir/ops.def"
#undef TIR_OP

const tir_exec_kernel_desc *tir_exec_kernel(tir_op op);

#endif
