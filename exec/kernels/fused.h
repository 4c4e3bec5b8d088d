// Fused steps: nodes that run together, tile by tile, as a small program over
// registers.
//
// A tile is so short that all it takes stays in the nearest cache. Its
// instructions are the loops the nodes have by themselves, so every node rounds
// as it would alone, and the cut into tiles changes no bit. Outer operands that
// lie element by element are read where they are, results that are wanted in
// memory are written there; everything else lives in registers, pieces of
// scratch memory one tile long.
//
// Where rows are reduced, a tile is some whole rows, and their results can be
// used in it; or, if rows are long, whole branches of the tree that folds one
// row (reduce.h), combined when all tiles are done.
#ifndef TAPEIR_EXEC_KERNELS_FUSED_H
#define TAPEIR_EXEC_KERNELS_FUSED_H

#include "exec/kernel.h"

#define TIR_EXEC_OUTER UINT32_MAX

typedef struct tir_exec_fused_operand {
  uint32_t part;  // that makes it, TIR_EXEC_OUTER if none does
  uint32_t arg;   // of the step, if none does
  bool is_shape;  // nothing else of it is read
} tir_exec_fused_operand;

// A node. `in` are all its operands; their types, and behind them that of the
// result, stand at `types`.
typedef struct tir_exec_fused_part {
  const tir_op_desc *desc;
  const void *attrs;
  const tir_exec_kernel_desc *kernel;
  const tir_ir_type *types;
  const tir_exec_fused_operand *in;
  uint32_t n_in;
  uint32_t out_arg;    // of the step, TIR_EXEC_OUTER if it stays inside
  uint32_t last_part;  // that reads it; its own number if none does
} tir_exec_fused_part;

typedef struct tir_exec_fusing {
  tir_context *context;
  const tir_exec_fused_part *parts;
  uint32_t n_parts;
  int64_t n_elements, row;  // as in tir_plan_region
  bool long_rows;           // their folds are not used inside
  uint32_t at_part;         // answer: the part being prepared, for errors
} tir_exec_fusing;

// Fills q's answers; q has only level, arena, grain and error.
tir_status tir_exec_prepare_fused(tir_exec_prepare *q, tir_exec_fusing *fusing);

#endif
