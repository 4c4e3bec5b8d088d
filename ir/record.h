// The recorder: what a tape is without execution.
//
// It owns the target graph, modes, scopes, value handles and the first error.
// exec/live.c fills `hooks` to make a live tape; the gradient pass, capture
// and importers use a recorder without hooks, where reading is an error. Op
// functions and gradient rules only know this file.
#ifndef TAPEIR_IR_RECORD_H
#define TAPEIR_IR_RECORD_H

#include "ir/base/table.h"
#include "ir/graph.h"

// What a handle's slot holds. `value` is what the handle means as an operand,
// `head` what it means as a head of backward (they differ after a cut).
typedef struct tir_ir_slot {
  uint32_t generation;  // even: free, odd: in use
  uint32_t value;
  uint32_t head;
  uint32_t scope;  // depth of the scope it belongs to
  uint32_t next;   // in its scope's list, or in the free list
  uint32_t previous;
  uint32_t target;  // serial of the target graph
  uint64_t bound;   // when it got its value or scope, counted in bindings
} tir_ir_slot;

typedef struct tir_ir_scope {
  uint32_t first_slot;  // list of the scope's slots, the last bound first
  uint32_t first_node;  // nodes from here on were recorded inside it
  size_t first_dim;     // and their new shapes stand from here on in dims
  uint64_t n_bound;     // bindings made before it
  bool is_step;
} tir_ir_scope;

typedef struct tir_ir_mode {
  bool recording;
  bool training;
} tir_ir_mode;

// Calls made by the recorder; every pointer is set or hooks is NULL. They are
// off (tape->hooks is NULL) while a capture is the target.
typedef struct tir_ir_hooks {
  // A node was appended to the live graph.
  void (*recorded)(tir_tape *tape, tir_ir_node node);
  // A handle began or stopped to own a value.
  void (*own)(tir_tape *tape, uint32_t value);
  void (*disown)(tir_tape *tape, uint32_t value);
  // A scope ended: its handles are gone.
  void (*scope_ended)(tir_tape *tape, const tir_ir_scope *scope);
  // Nodes were recorded while runs were held; they may run now.
  void (*caught_up)(tir_tape *tape);
} tir_ir_hooks;

typedef struct tir_ir_failed_call {
  const char *op;
  const char *site;
  uint32_t serial;
} tir_ir_failed_call;

enum { TIR_N_FAILED_CALLS = 16, TIR_PLACE_MAX = 160 };

// A body being recorded (ir/record_body.c).
typedef struct tir_ir_body_recorder tir_ir_body_recorder;

struct tir_tape {
  tir_context *context;
  tir_ir_graph *graph;              // target
  const tir_ir_graph *first_graph;  // of target 1: on a live tape the live one
  uint32_t target;                  // serial of the target, for slots
  uint32_t n_targets;
  const tir_ir_hooks *hooks;       // NULL unless the target is a live graph
  const tir_ir_hooks *live_hooks;  // the same, whatever the target is
  void *live;                      // exec/live.c
  void *capture;                   // exec/capture.c, NULL outside captures
  size_t capture_scopes;  // scopes open when the capture began, and its own
  tir_ir_body_recorder *body;  // innermost one being recorded; NULL: none
  // Gives the i64[2] {seed, step} operand of random ops; NULL: an error.
  tir_value (*random_state)(tir_tape *tape);
  // Told when an assign made `value` the new version of `target`; may be NULL.
  void (*assigned)(tir_tape *tape, uint32_t target, uint32_t value);
  // Makes room for n more assigns, so that what follows them (`recorded`,
  // `assigned`) finds it; false when memory ran out. May be NULL.
  bool (*reserve_assigns)(tir_tape *tape, size_t n);
  bool holds_runs;           // hooks record, but run nothing
  tir_value step_condition;  // bool[] that optimiser steps ask; may be none
  // Is the value part of a recorded history that is still alive? May be NULL.
  bool (*in_history)(tir_tape *tape, uint32_t value);

  TIR_VEC(tir_ir_slot) slots;  // [0] is unused
  uint32_t free_slot;
  uint32_t generation;  // start value for new slots, differs between tapes
  TIR_VEC(tir_ir_scope) scopes;  // [0] is the root
  uint64_t n_bound;              // bindings of slots so far
  TIR_VEC(tir_ir_mode) modes;    // [0] is the present one's parent, …
  tir_ir_mode mode;

  tir_error error;        // first error; status TIR_OK when none
  bool error_wants_site;  // tir_site may still add the place to it
  uint32_t n_failed;      // serial of failed calls
  tir_ir_failed_call failed[TIR_N_FAILED_CALLS];  // ring

  uint32_t n_stamped;   // nodes up to here have their place
  uint32_t origin;      // given to nodes recorded now
  uint16_t node_flags;  // added to nodes recorded now (BACKWARD)
  const char *site;     // given to nodes recorded now, until stamped
  uint32_t n_random;    // draws so far, in this step or trip
  uint64_t seed;
};

// A recorder into `graph` (borrowed), without hooks.
tir_status tir_ir_recorder_create(tir_context *context, tir_ir_graph *graph,
                                  tir_tape **out_tape, tir_error *error);
void tir_ir_recorder_destroy(tir_tape *tape);

// Records op with operands; attrs as in tir_ir_append. Returns output 0, or
// an invalid value with the error kept. The core of every op function.
tir_value tir_ir_record(tir_tape *tape, tir_op op, const tir_value *in,
                        size_t n_in, const void *attrs);
// Handle of output i of the node that made `value` (the last record call).
tir_value tir_ir_result(tir_tape *tape, tir_value value, uint32_t i);
// Makes room for n assigns: recording them then cannot fail for want of
// memory, so that several happen together or not at all. False with an error
// kept.
bool tir_ir_reserve_assigns(tir_tape *tape, const char *call, size_t n);
// For DECLARED ops: the type is given.
tir_value tir_ir_record_declared(tir_tape *tape, tir_op op, const void *attrs,
                                 const tir_ir_type *type, const char *name);
// Constant of type `type` with every element `x`.
tir_value tir_ir_splat(tir_tape *tape, const tir_ir_type *type, double x);
// Every element `x`, with the shape of a value of the target graph: a literal
// where that is fixed, else one broadcast to the value.
tir_value tir_ir_fill_like(tir_tape *tape, tir_ir_value like, double x);
// Scalar of x's dtype: the literal of the _scalar forms.
tir_value tir_ir_scalar_like(tir_tape *tape, tir_value x, double value);
// New handle for a value of the target graph, owned by the present scope.
tir_value tir_ir_handle(tir_tape *tape, tir_ir_value value);
// Checks a handle; on failure keeps an error naming `op` and `operand` and
// returns id 0. An all-zero handle counts as failed call result.
tir_ir_value tir_ir_use(tir_tape *tape, tir_value value, const char *op,
                        const char *operand);
// As tir_ir_use, but what the handle means as a head.
tir_ir_value tir_ir_use_head(tir_tape *tape, tir_value value, const char *op,
                             const char *operand);
// No check and no error: id 0 if invalid. A value of outside becomes an input
// of the body being recorded.
tir_ir_value tir_ir_peek(tir_tape *tape, tir_value value);
// Type of a valid handle; zeroed type if invalid. Never pins a dim.
void tir_ir_value_type(tir_tape *tape, tir_value value, tir_ir_type *out_type);
// Keeps an error (if none stands) and returns the invalid value that
// remembers the call. The message gets "op: " before it.
tir_value tir_ir_keep_error(tir_tape *tape, const char *op, tir_status status,
                            const char *format, ...) TIR_PRINTF(4, 5);
// How messages call a value: ` "w"`, "" without a name; and where it was made,
// ` (net.c:41)`, "" if that is not known.
const char *tir_ir_name_text(const tir_ir_graph *graph, tir_ir_value value,
                             char buffer[TIR_QUOTED_MAX + 1]);
const char *tir_ir_place_text(const tir_ir_graph *graph, tir_ir_value value,
                              char buffer[TIR_PLACE_MAX]);
// Makes a handle mean another value from now on (assign, cut).
void tir_ir_rebind(tir_tape *tape, tir_value handle, tir_ir_value value,
                   tir_ir_value head);
// Is the value read by a recorded history that is still alive? (For refusing
// an assign to it while recording.)
bool tir_ir_in_history(tir_tape *tape, tir_value value);
// For tir_step_end (exec/): may the innermost scope end (else an error is
// kept), and ending it.
bool tir_ir_scope_may_end(tir_tape *tape, const char *call, bool is_step);
void tir_ir_scope_pop(tir_tape *tape);
// May anything be recorded? False while an error stands.
bool tir_ir_ready(tir_tape *tape);

// --- random ----------------------------------------------------------------

// Random operands of the next random op: state i64[2] {seed, step} and stream
// i64[]. Live: leaves; capture: the module's state; in a body: the state taken
// in, and a stream from its root.
void tir_ir_random_operands(tir_tape *tape, tir_value *out_state,
                            tir_value *out_stream);
// For the node of a body that drew, i64[]: the root of its first trip. It
// counts as a draw where the node stands.
tir_value tir_ir_random_root(tir_tape *tape);
// In a body: the root of the trip behind this one.
tir_value tir_ir_random_next_root(tir_tape *tape);

// Switches the target while a capture or sub-graph is built; the caller
// restores the returned state with tir_ir_target_end.
typedef struct tir_ir_target {
  tir_ir_graph *graph;
  uint32_t target;
  const tir_ir_hooks *hooks;
  tir_ir_mode mode;
  tir_value step_condition;
  uint32_t n_random;
  uint32_t n_scopes;
  uint32_t n_stamped;
} tir_ir_target;
tir_ir_target tir_ir_target_begin(tir_tape *tape, tir_ir_graph *graph);
void tir_ir_target_end(tir_tape *tape, tir_ir_target saved);

// --- bodies ----------------------------------------------------------------

// A value of outside and the input of the body that stands for it.
typedef struct tir_ir_lifted {
  uint32_t outside, inside;
} tir_ir_lifted;

// The target is the body's graph from begin to end. Values of outside that ops
// use become inputs after the declared ones.
struct tir_ir_body_recorder {
  tir_ir_body_recorder *outer;
  const char *op;       // that will hold it
  tir_ir_graph *graph;  // owned by whoever began it
  tir_ir_target saved;
  size_t n_scopes, n_modes;  // of outside
  uint32_t depth;
  TIR_VEC(tir_ir_lifted) lifted;
  tir_base_table lifted_table;  // by the value of outside
  tir_ir_value root;            // input i64[]: what its streams come from
  uint32_t n_random;            // draws in it, known at the end
};
// False with an error kept; else tir_ir_body_end must follow.
bool tir_ir_body_begin(tir_tape *tape, tir_ir_body_recorder *body,
                       const char *op, const char *name);
void tir_ir_body_end(tir_tape *tape);
// A declared input; the type's symbols are strings of the graph outside.
tir_value tir_ir_body_input(tir_tape *tape, const tir_ir_type *type);
// The input for a value of outside, made on first use; 0 with an error kept.
uint32_t tir_ir_body_lift(tir_tape *tape, tir_ir_body_recorder *body,
                          uint32_t outside);
void tir_ir_body_free(tir_tape *tape, tir_ir_body_recorder *body);
// What a handle of outside means in the body, 0 if it means nothing.
uint32_t tir_ir_body_find(tir_tape *tape, const tir_ir_slot *slot);
// True, with an error kept, while a body is recorded: for calls that have no
// place in one.
bool tir_ir_refuse_in_body(tir_tape *tape, const char *call);

// For leaves and params asked for inside a body: they are made in the outermost
// target. `end` gives the value a scope there and goes back.
typedef struct tir_ir_outside {
  tir_ir_body_recorder *body;
  tir_ir_graph *graph;
  uint32_t target;
  uint32_t n_stamped;
  bool held_runs;
} tir_ir_outside;
tir_ir_outside tir_ir_outside_begin(tir_tape *tape);
tir_value tir_ir_outside_end(tir_tape *tape, tir_ir_outside outside,
                             tir_value value);

// What a node recorded now remembers of the mode: flags of it.
uint16_t tir_ir_mode_flags(const tir_tape *tape);

// Records a node of n_out results with operands that are ids of the target;
// all results get handles. False with an error kept (all are invalid then).
bool tir_ir_record_many(tir_tape *tape, tir_op op, const uint32_t *operands,
                        size_t n_in, const void *attrs, size_t n_out,
                        tir_value *out);

#endif
