/// @file
/// Tapes: recording, running imperatively, and autograd.
///
/// An op function appends a node to the tape and returns a `tir_value`;
/// nothing is computed until a value is read, a step ends or a graph is
/// captured. Op functions never report errors themselves: the tape keeps the
/// first one, every later op returns an invalid value, and nothing runs until
/// `tir_tape_check` has returned and cleared it.
#ifndef TAPEIR_TAPE_H
#define TAPEIR_TAPE_H

#include "tapeir/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Where ops are recorded, and run when values are needed.
typedef struct tir_tape tir_tape;

/// Handle of a value, passed by value. All-zero is invalid. It belongs to the
/// scope in which it was made and needs no release.
typedef struct tir_value {
  tir_tape *owner;      ///< tape it belongs to
  uint32_t slot;        ///< place on it
  uint32_t generation;  ///< tells a slot's values apart
} tir_value;

/// Flags of tir_tape_options.
enum {
  TIR_TAPE_EAGER = 1,     ///< run every op as it is recorded
  TIR_TAPE_NAN_HUNT = 2,  ///< a run fails at the first NaN it computes
};

/// All-zero means defaults.
typedef struct tir_tape_options {
  uint32_t flags;            ///< TIR_TAPE_… or 0
  uint32_t max_pending;      ///< run when so many nodes wait; 0 = 65,536
  uint64_t seed;             ///< of the random ops
  uint64_t max_cache_bytes;  ///< bound of the plan cache; 0 = 64 MiB
  uint64_t reserved[8];
} tir_tape_options;

/// Creates a live tape. `options` may be NULL.
TIR_API tir_status tir_tape_create(tir_context *context,
                                   const tir_tape_options *options,
                                   tir_tape **out_tape, tir_error *error);
/// Frees the tape and everything recorded on it; its handles become invalid.
TIR_API void tir_tape_destroy(tir_tape *tape);

/// The first error since the last check; returns and clears it. Modes and
/// scopes stay as they are.
TIR_API tir_status tir_tape_check(tir_tape *tape, tir_error *error);
/// The standing error's status, without clearing it. O(1).
TIR_API tir_status tir_tape_status(const tir_tape *tape);

// --- scopes and steps ------------------------------------------------------

/// Values made after `begin` end with the matching `end`. Nothing is run.
TIR_API void tir_scope_begin(tir_tape *tape);
/// Ends the innermost scope.
TIR_API void tir_scope_end(tir_tape *tape);
/// Ends the scope but hands `value` to the parent scope: the idiom for layer
/// functions, `return tir_scope_end_keep(t, y);`. Returns the same handle.
TIR_API tir_value tir_scope_end_keep(tir_tape *tape, tir_value value);
/// Moves a value to the parent scope now. Returns the same handle.
TIR_API tir_value tir_keep(tir_tape *tape, tir_value value);
/// A scope whose end runs every recorded effect and every value that outlives
/// it as one program, and advances the random step.
TIR_API void tir_step_begin(tir_tape *tape);
/// Ends the step; `keep[0..n_keep)` live on in the parent scope.
/// Errors  those of the run, or the tape's standing error (kept for check).
TIR_API tir_status tir_step_end(tir_tape *tape, const tir_value *keep,
                                size_t n_keep, tir_error *error);
/// Ends a value early, in any order (for bindings).
TIR_API void tir_value_release(tir_tape *tape, tir_value value);

// --- modes -----------------------------------------------------------------

/// Recording and training on (or training off with train = false), until the
/// matching tir_mode_end. Modes nest.
TIR_API void tir_record_begin(tir_tape *tape, bool train);
/// Recording off, training as given.
TIR_API void tir_pause_begin(tir_tape *tape, bool train);
/// Training on, recording untouched.
TIR_API void tir_train_begin(tir_tape *tape);
/// Training off, recording untouched.
TIR_API void tir_predict_begin(tir_tape *tape);
/// Leaves the innermost of the four, restoring what entering it found.
TIR_API void tir_mode_end(tir_tape *tape);
/// Are ops part of a history?
TIR_API bool tir_is_recording(const tir_tape *tape);
/// Do dropout and the like take part?
TIR_API bool tir_is_training(const tir_tape *tape);
/// Sets the flag and returns its former value.
TIR_API bool tir_set_recording(tir_tape *tape, bool on);
/// Sets the flag and returns its former value.
TIR_API bool tir_set_training(tir_tape *tape, bool on);

// --- values from and to C --------------------------------------------------

/// Copies `data` at the call.
TIR_API tir_value tir_value_from_data(tir_tape *tape, tir_dtype dtype,
                                      const int64_t *dims, int rank,
                                      const void *data);
/// Uses the tensor by reference and freezes it while the tape needs it.
TIR_API tir_value tir_value_from_tensor(tir_tape *tape, tir_tensor *tensor);
/// Scalar literal. On a live tape a literal is an input of the plan, so a
/// number that changes never recompiles.
TIR_API tir_value tir_scalar(tir_tape *tape, tir_dtype dtype, double value);

/// Gives a value a name for messages, dumps and graph outputs.
TIR_API tir_value tir_set_name(tir_tape *tape, tir_value value,
                               const char *name);

/// False for a value that has ended or failed, or is of another tape.
TIR_API bool tir_value_is_valid(const tir_tape *tape, tir_value value);
/// INVALID, and an error of the tape, for an invalid value.
TIR_API tir_dtype tir_value_dtype(tir_tape *tape, tir_value value);
/// Number of axes; −1 for an invalid value.
TIR_API int tir_value_rank(tir_tape *tape, tir_value value);
/// Size of an axis (negative counts from the end). Reading a symbolic dim in
/// a capture pins it to its present size.
TIR_API int64_t tir_value_dim(tir_tape *tape, tir_value value, int axis);

/// Runs what is needed and copies the value out as a new tensor.
/// Errors  STATE in a capture or while an error stands; those of the run.
TIR_API tir_status tir_read(tir_tape *tape, tir_value value,
                            tir_tensor **out_tensor, tir_error *error);
/// Same, into the caller's memory of exactly `size_bytes`.
TIR_API tir_status tir_read_into(tir_tape *tape, tir_value value, void *data,
                                 size_t size_bytes, tir_error *error);
/// One-element value as double; NaN and a tape error when it cannot be read.
TIR_API double tir_read_scalar(tir_tape *tape, tir_value value);
/// Truth of a one-element value, for C control flow; false on an error.
TIR_API bool tir_read_bool(tir_tape *tape, tir_value value);
/// NumPy-like text of a value: "[[0.] [1.]]", cut to the buffer. Returns the
/// length it would have had, 0 on an error.
TIR_API size_t tir_format_value(tir_tape *tape, tir_value value, char *buffer,
                                size_t size);
/// Runs everything pending that is still wanted.
TIR_API tir_status tir_tape_flush(tir_tape *tape, tir_error *error);

// --- autograd --------------------------------------------------------------

/// What a backward does with the gradient of a variable.
typedef enum tir_grad_request {
  TIR_GRAD_WRITE = 0,  ///< each backward that reaches the variable replaces
  TIR_GRAD_ADD,        ///< each backward adds; only the caller zeroes
  TIR_GRAD_NULL,       ///< never written
} tir_grad_request;

/// Makes a variable with a zero gradient. On a recorded intermediate it cuts:
/// what is computed from the handle afterwards stops there, while the handle
/// as a head continues into the history that made it.
TIR_API void tir_attach_grad(tir_tape *tape, tir_value x,
                             tir_grad_request request);
/// Keeps the gradient of a recorded value without cutting.
TIR_API void tir_retain_grad(tir_tape *tape, tir_value y,
                             tir_grad_request request);
/// attach_grad for lists, with given starting gradients (NULL: zeros).
TIR_API void tir_mark_variables(tir_tape *tape, const tir_value *values,
                                const tir_value *gradients,
                                const tir_grad_request *requests, size_t n);
/// True if the value has a gradient.
TIR_API bool tir_has_grad(tir_tape *tape, tir_value x);
/// The gradient as a value of the current scope; invalid (no error) if none.
TIR_API tir_value tir_grad_of(tir_tape *tape, tir_value x);
/// Replaces the gradient; an all-zero `gradient` means zeros.
/// Errors  SHAPE, DTYPE if it is not of the type of x; STATE if x has none.
TIR_API void tir_set_grad(tir_tape *tape, tir_value x, tir_value gradient);
/// Takes the gradient: returns it and leaves zeros.
TIR_API tir_value tir_take_grad(tir_tape *tape, tir_value x);
/// True once a backward reached the variable; the caller resets it.
TIR_API bool tir_grad_is_fresh(tir_tape *tape, tir_value x);
/// Forgets that a backward reached the variable.
TIR_API void tir_grad_reset_fresh(tir_tape *tape, tir_value x);

/// All-zero means defaults.
typedef struct tir_backward_options {
  bool retain_graph;  ///< keep the history for another backward
  bool create_graph;  ///< record the backward itself; implies retain_graph
  bool allow_unused;  ///< tir_grad: zeros for an unreached variable
  uint64_t reserved[8];
} tir_backward_options;

/// Adds d sum(head)/dx to the gradient slot of every variable reached.
/// Errors  kept by the tape; see docs/autograd.md for every message.
TIR_API void tir_backward(tir_tape *tape, tir_value head);
/// Several heads; `head_gradients` NULL or entries all-zero mean ones.
TIR_API void tir_backward_ex(tir_tape *tape, const tir_value *heads,
                             size_t n_heads, const tir_value *head_gradients,
                             size_t n_head_gradients,
                             const tir_backward_options *options);
/// Gradients of the heads with respect to `wrt`, as new values in `out_grads`.
/// Gradient slots stay as they are.
TIR_API void tir_grad(tir_tape *tape, const tir_value *heads, size_t n_heads,
                      const tir_value *head_gradients, size_t n_head_gradients,
                      const tir_value *wrt, size_t n_wrt,
                      const tir_backward_options *options,
                      tir_value *out_grads);
/// Marked variables that the last backward did not reach; returns how many
/// there are and fills up to `n_max` handles made in the current scope.
TIR_API size_t tir_tape_unreached(tir_tape *tape, tir_value *out_values,
                                  size_t n_max);
/// Same data, no history.
TIR_API tir_value tir_detach(tir_tape *tape, tir_value x);

// --- statistics ------------------------------------------------------------

/// Counts since the tape was created, and sizes as they are now.
typedef struct tir_tape_statistics {
  uint64_t n_recorded;        ///< nodes recorded since creation
  uint64_t n_runs;            ///< programs run
  uint64_t n_plan_hits;       ///< runs that found their plan
  uint64_t n_plan_misses;     ///< runs that compiled one
  uint64_t n_plan_evictions;  ///< plans given up for room
  uint64_t compile_time_ns;   ///< spent on them
  uint64_t n_nodes;           ///< nodes held now
  uint64_t n_pending;         ///< of these, not yet run
  uint64_t n_plans;           ///< plans held now
  uint64_t plan_bytes;        ///< of them
  uint64_t arena_bytes;       ///< shared by all plans of the tape
  uint64_t survivor_bytes;    ///< buffers of values that outlived their run
  uint64_t tape_bytes;        ///< everything the tape holds
  uint64_t reserved[8];
} tir_tape_statistics;

/// Fills the report. O(1).
TIR_API void tir_tape_stats(const tir_tape *tape,
                            tir_tape_statistics *out_stats);
/// Why the last run missed the plan cache: the nearest cached plan, the first
/// node that differs and where it was recorded. Empty when there was no miss.
TIR_API size_t tir_tape_explain_miss(const tir_tape *tape, char *buffer,
                                     size_t size);

#ifdef __cplusplus
}
#endif
#endif
