// Steps that are cut into units, and how lanes share them.
//
// The cut is made from shapes when a program is compiled. A unit's result does
// not depend on who computes it or on what other units a call covers, so any
// number of lanes gives the same bits.
#ifndef TAPEIR_EXEC_SPLIT_H
#define TAPEIR_EXEC_SPLIT_H

#include "exec/program.h"

// Runs a step that has a split. `call` has its arguments, parameters and
// fault set. `poll` may be NULL; it is asked on the calling thread only,
// whichever lanes a host's runner gives it. The failure reported is that of the
// lowest unit that failed.
// Errors  STATE when the poll forked and this is the child.
tir_status tir_exec_run_split(const tir_program *program,
                              const tir_exec_step *step,
                              const tir_exec_call *call,
                              const tir_exec_poll *poll);

#endif
