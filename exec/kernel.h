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
  char message[320];  // "index 7 at position 3 is out of range for size 5"
} tir_exec_fault;

// Asked between pieces of work; anything but TIR_OK ends the step early.
typedef struct tir_exec_poll {
  tir_status (*ask)(void *user);
  void *user;
} tir_exec_poll;

typedef struct tir_exec_call {
  void *const *ptr;     // pointer table of the instance; ptr[0] is NULL
  const uint32_t *arg;  // operands, then outputs, as entries of ptr; an
                        // unused output and a shape-only operand are entry 0
  const void *params;
  void *scratch;       // scratch_bytes, 64-byte aligned, of this lane
  void *shared;        // shared_bytes, 64-byte aligned, of the whole step
  int64_t first, end;  // units to compute, of a step that has a split
  tir_exec_fault *fault;
  const tir_exec_poll *poll;  // for what takes long; NULL: nobody asks
} tir_exec_call;

// Whether to go on, for a kernel between pieces of a few milliseconds. It
// returns at once with a status that is not TIR_OK.
static inline tir_status tir_exec_ask(const tir_exec_call *call) {
  return call->poll ? call->poll->ask(call->poll->user) : TIR_OK;
}

// TIR_OK, or TIR_ERR_VALUE with call->fault filled. Reads operands only,
// writes outputs whole (of its units, if the step has a split), allocates
// nothing.
typedef tir_status (*tir_exec_kernel_fn)(const tir_exec_call *call);

// A step cut into units that may be computed in any order and side by side.
// The cut is a function of shapes and of the CPU level alone.
typedef struct tir_exec_split {
  uint32_t n_units;
  tir_exec_kernel_fn finish;  // after all units; NULL: nothing is left to do
  size_t scratch_bytes;       // per lane
  size_t shared_bytes;        // multiple of 64
} tir_exec_split;

// Computes n elements, one after the other and each by itself. Operands an op
// does not have are NULL. An output may stand exactly where an operand of its
// type stands.
typedef void (*tir_exec_loop)(int64_t n, void *out, const void *a,
                              const void *b, const void *c);

// A reduction, for those who have its operand piece by piece.
typedef struct tir_exec_folding {
  // Folds n elements of one row into accumulator number `at`. Parts of a row
  // but its last are equally long: 2^k · TIR_EXEC_ROW_BLOCK elements.
  void (*part)(const void *x, int64_t n, void *accumulators, int64_t at);
  // n_rows results, each of n_parts accumulators of one row.
  void (*finish)(const void *params, const void *accumulators, int64_t n_parts,
                 int64_t n_rows, void *out);
  const void *params;
} tir_exec_folding;

typedef struct tir_exec_prepare {
  const tir_op_desc *desc;
  const void *attrs;
  const tir_ir_type *in;
  size_t n_in;
  const tir_ir_type *out;
  size_t n_out;
  const bool *out_used;
  const tir_context *context;  // of the graph, for custom ops
  int cpu_level;               // TIR_CPU_*
  tir_base_arena *arena;       // of the program, for the parameter block
  tir_error *error;
  struct tir_program *const *bodies;  // of a control node, compiled, in order
  double grain;  // least work of a unit, 0: what pays (call.c). A test's
                 // small one cuts everything
  double cost;   // between the parts of a prepare: see elementwise.h
  // The step is part of a fused one (kernels/fused.h): asks only for `loop`
  // (of an n-ary op, that of two operands) or `folding`, and `cost`.
  bool is_part;
  tir_exec_loop loop;
  tir_exec_folding folding;
  // Answers.
  tir_exec_kernel_fn run;
  const void *params;
  size_t scratch_bytes;
  tir_exec_split split;  // n_units 0 or 1: not cut; its scratch_bytes are
                         // filled in from the above
  bool is_split;         // steps inside of it are cut: threads are of use
  bool uses_blas;        // `run` calls BLAS: the run holds the guard
} tir_exec_prepare;

typedef struct tir_exec_kernel_desc {
  tir_status (*prepare)(tir_exec_prepare *q);  // NULL: never executed
} tir_exec_kernel_desc;

#define TIR_OP(ID, name) extern const tir_exec_kernel_desc tir_kernel_##name;
#include "ir/ops.def"
#undef TIR_OP

const tir_exec_kernel_desc *tir_exec_kernel(tir_op op);

#endif
