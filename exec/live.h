// The live tape: a recorder whose nodes are run when their values are needed.
//
// Words used here:
//   pending   recorded, not run yet
//   slice     the nodes one run executes: every effect so far plus the cone
//             of the values asked for
//   context   nodes run earlier that a gradient call in the slice must see
//   external  a value the slice reads from memory
//   survivor  a value of the slice that is kept after the run
//
// A value is kept alive by three counts: `owners` (handles, variables) and
// `reads` (pending consumers and residuals of live history) keep its data,
// `owners` and `uses` (live consumer nodes) keep the node that made it.
#ifndef TAPEIR_EXEC_LIVE_H
#define TAPEIR_EXEC_LIVE_H

#include "exec/plan_cache.h"
#include "exec/pool.h"
#include "ir/module.h"
#include "ir/record.h"
#include "tapeir/tape.h"

typedef enum tir_live_state {
  TIR_LIVE_PENDING = 0,
  TIR_LIVE_DONE,
  TIR_LIVE_DROPPED,  // never run: nothing wants it any more
  TIR_LIVE_FAILED,   // its run failed
} tir_live_state;

// Why a value has no history, for the message of backward.
typedef enum tir_live_why {
  TIR_WHY_NONE = 0,
  TIR_WHY_LEAF,      // no gradient attached
  TIR_WHY_OUTSIDE,   // recorded outside tir_record_begin
  TIR_WHY_PAUSED,    // recorded while paused
  TIR_WHY_DETACHED,  // stop_gradient
  TIR_WHY_CONSTANT,  // no operand has a gradient
  TIR_WHY_RELEASED,  // released by an earlier backward
} tir_live_why;

typedef struct tir_live_value {
  tir_pool_buffer *buffer;  // NULL: no data (yet)
  uint32_t owners;
  uint32_t reads;
  uint32_t uses;
  uint32_t variable;  // number in variables + 1
  uint32_t local;     // code in the slice being built
  uint32_t local_epoch;
  uint32_t assign;  // assign of the slice that makes it, + 1
  uint32_t assign_epoch;
  uint32_t visit_epoch;   // of the walk that met it
  uint32_t wrt_epoch;     // of the walk it is a wrt of
  uint32_t param_module;  // module whose parameter it is, + 1
  uint32_t param;
  uint8_t state;
  uint8_t why;
} tir_live_value;

// released_by: the call is done or gone.
#define TIR_LIVE_GONE UINT32_MAX

typedef struct tir_live_node {
  uint32_t mark;         // epoch of the slice it is in
  uint32_t cone;         // epoch of the slice whose gradient call reaches it
  uint32_t released_by;  // gradient call that released its history
  // Operands and results its gradient reads, as counted when it was recorded:
  // variables may come and go meanwhile. Bit 15 stands for all from 15 on.
  uint16_t residuals_in, residuals_out;
  uint8_t state;
  bool history;  // its history is alive: residuals are kept
} tir_live_node;

typedef struct tir_live_variable {
  uint32_t value;       // present version, 0: free entry
  uint32_t grad;        // gradient value, 0: zeros
  uint32_t updated_by;  // number of the backward that did so last
  uint8_t request;
  bool fresh;
  bool reached;  // by the last backward
} tir_live_variable;

// A module whose parameters are used in a target graph.
typedef struct tir_live_module {
  tir_module *module;
  TIR_VEC(uint32_t) values;  // present version by number, 0: not used yet
} tir_live_module;

// What autograd knows of one target graph: the live one or a capture.
typedef struct tir_live_frame {
  tir_ir_graph *graph;
  bool is_live;
  TIR_VEC(tir_live_value) values;  // by value id
  TIR_VEC(tir_live_node) nodes;    // by node id
  TIR_VEC(tir_live_variable) variables;
  TIR_VEC(tir_live_module) modules;
  TIR_VEC(uint32_t) stack;    // scratch of traversals
  TIR_VEC(uint32_t) reached;  // scratch: nodes of the last traversal
  TIR_VEC(uint32_t) wrt;      // scratch: pairs variable, value met
  uint32_t epoch;
  size_t first_free_variable;  // no free entry below
  uint32_t n_backwards;
} tir_live_frame;

typedef enum tir_live_kind {
  TIR_LIVE_INPUT,     // read from its buffer, or only its shape is looked at
  TIR_LIVE_STATE,     // an assign of the slice overwrites its buffer
  TIR_LIVE_CONSTANT,  // shaped literal: part of the plan
} tir_live_kind;

typedef struct tir_live_external {
  uint32_t value;
  uint8_t kind;
  bool has_data;
  uint32_t binding;  // number among the inputs or the params of the plan
} tir_live_external;

// An assign of the slice. Of a chain of assigns only the last is real.
typedef struct tir_live_assign {
  uint32_t node;
  uint32_t root;  // external value whose new version the chain makes, or 0
  bool is_last;   // of its chain
  bool in_place;  // root is a STATE external and this assign writes it
  tir_pool_buffer *spare;  // for root's old data, if they must move out
} tir_live_assign;

// Words of the key at which a node's part begins, and its operands in it.
typedef struct tir_live_key_part {
  uint32_t start, operands;
} tir_live_key_part;

// One run being prepared; all scratch, kept between runs.
typedef struct tir_live_slice {
  TIR_VEC(uint32_t) nodes;  // ascending
  TIR_VEC(tir_live_external) externals;
  TIR_VEC(bool) runs;           // by nodes: not mere context
  TIR_VEC(uint32_t) survivors;  // values
  TIR_VEC(uint64_t) key;
  TIR_VEC(tir_live_key_part) key_parts;  // by nodes
  size_t key_nodes_end;                  // word after the nodes' parts
  TIR_VEC(uint32_t) to_free;             // values whose counts reached zero
  TIR_VEC(uint32_t) substitutes;         // pairs context value, external
  TIR_VEC(tir_live_assign) assigns;
  TIR_VEC(void *) inputs, params, outputs;
  TIR_VEC(tir_module *) modules;
  uint32_t low, high;  // range of marked nodes
} tir_live_slice;

typedef struct tir_live {
  tir_tape *tape;
  tir_live_frame root;
  tir_live_frame *frame;  // present target: root or a capture's
  tir_tape_options options;
  tir_pool pool;
  tir_plan_cache cache;
  tir_live_slice slice;
  TIR_VEC(uint32_t) asked;    // scratch of flush
  TIR_VEC(uint32_t) effects;  // pending effect nodes in order
  uint32_t n_pending;
  uint32_t first_pending;  // no pending node below
  size_t collected_nodes;  // after the last full collection
  struct tir_live_collector *collector;
  uint32_t lowest_released;  // no node below has released_by
  uint32_t random_state;     // leaf i64[2] of this step, 0: not made yet
  int64_t step;
  void *arena;  // shared by all plans
  size_t arena_bytes, arena_alloc;
  void *scratch;
  size_t scratch_bytes, scratch_alloc;
  bool running;  // guards against a run inside a run
  tir_tape_statistics stats;
  char miss[256];
} tir_live;

static inline tir_live *tir_live_of(const tir_tape *tape) {
  return (tir_live *)tape->live;
}
static inline tir_live_frame *tir_live_frame_of(const tir_tape *tape) {
  return tir_live_of(tape)->frame;
}

// --- frame.c ---------------------------------------------------------------
tir_status tir_live_frame_init(tir_live_frame *frame, tir_ir_graph *graph,
                               bool is_live, tir_error *error);
void tir_live_frame_free(tir_live_frame *frame);
// Extends the side tables to the graph's size; false when memory ran out.
bool tir_live_frame_sync(tir_live_frame *frame);
// A gradient flows from node's operand i.
static inline bool tir_live_wants(const tir_live_frame *frame, tir_ir_node node,
                                  uint32_t i) {
  const tir_ir_graph *g = frame->graph;
  const uint32_t v = g->operands.data[g->nodes.data[node.id].in_first + i];
  return (g->values.data[v].flags & TIR_VALUE_NEEDS_GRAD) &&
         !tir_ir_op_shape_only(tir_ir_desc(g, node), i);
}
// Reads the data of operand i: not a shape-only operand, nor the heads and
// variables of a gradient call, which only say where the history lies. The
// target of an assign counts: its memory is where the new version goes, and
// what stays in force if the run fails.
static inline bool tir_live_reads(const tir_ir_graph *graph, tir_ir_node node,
                                  uint32_t i) {
  if (tir_ir_op(graph, node) == TIR_OP_GRADIENT) {
    const tir_attrs_gradient *attrs = tir_ir_attrs(graph, node);
    return i >= attrs->n_heads && i < 2 * attrs->n_heads;
  }
  return tir_ir_op(graph, node) == TIR_OP_ASSIGN ||
         !tir_ir_op_shape_only(tir_ir_desc(graph, node), i);
}
// Walks the history from heads. Fills frame->reached (nodes) and frame->wrt
// (variables and the versions of them that were met). *out_released is a node
// on the way whose history was released, 0 if there is none.
tir_status tir_live_walk_history(tir_live_frame *frame, const uint32_t *heads,
                                 size_t n_heads, uint32_t *out_released,
                                 tir_error *error);

// --- live.c: hooks and counts ----------------------------------------------
extern const tir_ir_hooks tir_live_hooks;
void tir_live_own(tir_tape *tape, uint32_t value);
void tir_live_disown(tir_tape *tape, uint32_t value);
// Makes the one-operand node an alias of its operand's memory, without a run,
// if the operand has any.
void tir_live_alias(tir_live *live, tir_ir_node node);
// Gives the residuals of a node up.
void tir_live_release_history(tir_live *live, uint32_t node);
// Releases every node whose history `call` released.
void tir_live_release_cone(tir_live *live, uint32_t call);
// Drops a pending node that nothing wants.
void tir_live_drop(tir_live *live, uint32_t node);
void tir_live_count_down(tir_live *live, uint32_t value, bool read, bool use);
// Leaf with data: takes the buffer over.
tir_value tir_live_leaf(tir_tape *tape, const tir_ir_type *type,
                        tir_pool_buffer *buffer);

// --- collect.c -------------------------------------------------------------
tir_status tir_live_collector_create(tir_live *live, tir_error *error);
void tir_live_collector_destroy(tir_live *live, tir_context *context);
// Drops dead nodes that were recorded since the scope began, and compacts when
// that pays.
void tir_live_collect(tir_live *live, const tir_ir_scope *scope);

// --- slice.c ---------------------------------------------------------------
// Marks what a run for `asked` values executes.
tir_status tir_live_mark(tir_live *live, const uint32_t *asked, size_t n_asked,
                         tir_error *error);
// Counts the slice's nodes as run; fills survivors and to_free.
tir_status tir_live_settle(tir_live *live, tir_error *error);

// --- key.c -----------------------------------------------------------------
// Numbers the slice's values, finds externals and assigns, writes the key.
tir_status tir_live_key(tir_live *live, tir_error *error);
// The value is made by an assign of the slice that overwrites its root.
bool tir_live_is_in_place(const tir_live *live, uint32_t value);

// --- build.c ---------------------------------------------------------------
// The slice as a graph, gradients expanded, compiled.
tir_status tir_live_build(tir_live *live, tir_program **out_program,
                          tir_error *error);

// --- explain.c -------------------------------------------------------------
// Says in live->miss why no cached plan fits the slice.
void tir_live_explain(tir_live *live);

// --- flush.c ---------------------------------------------------------------
// Runs all effects and the cone of the asked values as one program.
tir_status tir_live_run(tir_live *live, const uint32_t *asked, size_t n_asked,
                        tir_error *error);
// Runs all effects and every pending value that somebody owns.
tir_status tir_live_flush(tir_live *live, tir_error *error);

// --- variables.c, autograd.c ------------------------------------------------
// The variable of a value, NULL if it is none.
tir_live_variable *tir_live_variable_of(tir_live_frame *frame, uint32_t value);
// Puts a value (0: zeros) into the gradient slot.
void tir_live_set_grad(tir_tape *tape, tir_live_variable *variable,
                       uint32_t grad);
// The value is gone for good: so is its mark.
void tir_live_forget_variable(tir_live *live, uint32_t value);
// An assign made `value` the new version of `target`.
void tir_live_assigned(tir_tape *tape, uint32_t target, uint32_t value);
bool tir_live_in_history(tir_tape *tape, uint32_t value);

// --- capture.c -------------------------------------------------------------
void tir_capture_abandon(tir_tape *tape);

#endif
