// Inside of lower: what its files share.
#ifndef TAPEIR_EXEC_LOWER_H
#define TAPEIR_EXEC_LOWER_H

#include "exec/program.h"

typedef struct tir_exec_lowering {
  tir_program *program;
  const tir_ir_graph *graph;
  const tir_place *places;
  uint32_t *entry;  // by value id, 0 = nowhere
  size_t n_entry;
  uint32_t n_internal;  // entries of the table filled so far
  tir_ir_type *types;   // room for the operands and outputs of one node
  bool *used;
  size_t max_types;
  const tir_exec_compile_options *options;
  tir_error *error;
} tir_exec_lowering;

// The entry of an operand that a step reads; fails if it was given no memory.
tir_status tir_exec_read_entry(tir_exec_lowering *l, tir_ir_node node,
                               uint32_t operand, uint32_t *out_entry);
// Binds a step to what prepare answered.
tir_status tir_exec_bind_step(tir_exec_lowering *l,
                              const tir_exec_prepare *query,
                              tir_exec_step *step);
// The step of a region; fills `args` and counts them (lower_fused.c).
tir_status tir_exec_lower_region(tir_exec_lowering *l, uint32_t region,
                                 uint32_t *args, uint32_t *out_n_args,
                                 tir_exec_step *step);

#endif
