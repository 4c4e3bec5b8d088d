// Bodies at run time: a compiled body, and the memory it has while its control
// step runs, all of it scratch of that step.
#ifndef TAPEIR_EXEC_BODY_H
#define TAPEIR_EXEC_BODY_H

#include "exec/program.h"

// Offsets in the memory of one body, each a multiple of 64.
typedef struct tir_exec_body_layout {
  size_t inputs;   // pointers
  size_t outputs;  // pointers
  size_t arena;
  size_t scratch;
  size_t size;
} tir_exec_body_layout;

typedef struct tir_exec_body {
  const tir_program *program;
  tir_exec_body_layout layout;
} tir_exec_body;

// False if the sum overflows.
bool tir_exec_body_lay_out(const tir_program *program, tir_exec_body *out);

// A body in its memory. `inputs` and `outputs` are for the caller to fill
// before each run.
typedef struct tir_exec_body_run {
  const tir_program *program;
  void **ptr;
  void **inputs;
  void **outputs;
  void *arena;
  void *scratch;
} tir_exec_body_run;

void tir_exec_body_begin(const tir_exec_body *body, void *memory,
                         tir_exec_body_run *out_run);
// Runs it. A failure is told in call->fault: `where` and trip number (none if
// negative), then op, reason, node and place inside the body. What the poll
// told when it stopped the body stays as it is.
tir_status tir_exec_body_go(const tir_exec_body_run *run,
                            const tir_exec_call *call, const char *where,
                            int64_t trip);

#endif
