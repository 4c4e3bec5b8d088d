// The program of a fused step: what fuse.c makes and fused.c runs.
//
// It is part of a compiled program and never changes. What a call needs besides
// (addresses of slots, registers, accumulators) is in its scratch memory.
#ifndef TAPEIR_EXEC_KERNELS_FUSED_PROGRAM_H
#define TAPEIR_EXEC_KERNELS_FUSED_PROGRAM_H

#include "exec/kernels/elementwise.h"
#include "exec/kernels/fused.h"

typedef enum tir_exec_fused_kind {
  TIR_FUSED_LOOP,       // out = loop(in …)
  TIR_FUSED_EXPAND,     // out = the elements of outer operand `arg`, broadcast
  TIR_FUSED_REPEAT,     // out = each row's element, once for all of the row
  TIR_FUSED_COPY,       // out = in
  TIR_FUSED_FOLD_ROWS,  // out = fold of each row of in
  TIR_FUSED_FOLD_PART,  // accumulators at `shared` = fold of in, part of a row;
                        // outer result `arg` in the end
} tir_exec_fused_kind;

typedef struct tir_exec_fused_op {
  uint8_t kind;
  bool per_row;  // computes an element for each row, not all of them
  uint32_t out;  // slots; entry 0 where there is none
  uint32_t in[TIR_EXEC_MAX_OPERANDS];
  // An argument of the step: the operand of EXPAND, the result of FOLD_PART.
  uint32_t arg;
  size_t size;  // of an element of in
  // Where FOLD_PART's accumulators begin in the shared memory.
  size_t shared;  // bytes
  // By kind; COPY and REPEAT need none.
  union {
    tir_exec_loop loop;
    const tir_exec_elementwise *broadcast;
    tir_exec_folding folding;
  };
} tir_exec_fused_op;

// Where a value of the tile is: in outer memory, or in a register.
typedef struct tir_exec_fused_slot {
  uint32_t arg;     // TIR_EXEC_OUTER for a register
  uint32_t number;  // of the register
  bool per_row;
  size_t size;  // of an element
} tir_exec_fused_slot;

typedef struct tir_exec_fused {
  // Without rows every element is by itself.
  int64_t n, row;         // elements; of a row, 0: no rows
  int64_t tile;           // elements
  int64_t tiles_per_row;  // of long rows; 0: a tile has whole rows, if any
  int64_t n_tiles, per_unit;
  tir_exec_fused_slot *slots;  // those in outer memory first
  // The first n_moving are in outer memory: their address follows the tile.
  uint32_t n_slots, n_moving;
  tir_exec_fused_op *ops;
  uint32_t n_ops, n_setup;  // the first are done once
  // A multiple of 64, enough for a tile of the widest dtype in the step.
  size_t register_bytes;
  size_t slots_at, folding_at;  // in scratch memory
  size_t shared_bytes;
} tir_exec_fused;

tir_status tir_exec_fused_run(const tir_exec_call *call);
// Combines the parts of long rows; only called when there are some.
tir_status tir_exec_fused_finish(const tir_exec_call *call);

#endif
