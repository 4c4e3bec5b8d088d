/// @file
/// Custom ops: a caller's C functions as an op of the graph.
///
/// An op is registered with a context under a name and a version, and from
/// then on usable on tapes, in captures and in saved graphs. A file or a text
/// holds its name, version and attributes; loading binds it to what the
/// context has registered. `docs/custom-ops.md` shows one from end to end.
///
/// All callbacks may be called by any thread that uses objects of the context,
/// by several at a time. They may not call Tapeir, except `vjp_build`, which
/// records ops on the tape that it is given.
#ifndef TAPEIR_CUSTOM_H
#define TAPEIR_CUSTOM_H

#include "tapeir/base.h"
#include "tapeir/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Most operands, and most results, of a custom op.
#define TIR_CUSTOM_MAX_VALUES 8
/// Most numbers of each kind a custom op may have as attributes.
#define TIR_CUSTOM_MAX_NUMBERS 8
/// Bytes of the longest name.
#define TIR_CUSTOM_MAX_NAME 63

/// Numbers that are part of a call, not of its data: equal calls of a pure op
/// with equal numbers are one. All-zero: none, and the newest version.
typedef struct tir_custom_attrs {
  int64_t version;                        ///< 0: the newest registered
  size_t n_ints;                          ///< used entries of `ints`
  int64_t ints[TIR_CUSTOM_MAX_NUMBERS];   ///< in an order the op defines
  size_t n_floats;                        ///< used entries of `floats`
  double floats[TIR_CUSTOM_MAX_NUMBERS];  ///< in an order the op defines
  uint64_t reserved[8];
} tir_custom_attrs;

/// Type of an operand or a result.
typedef struct tir_custom_type {
  tir_dtype dtype;             ///< of the elements
  int32_t rank;                ///< used entries of `dims`
  int64_t dims[TIR_MAX_RANK];  ///< sizes
  /// Names of dims as numbers, 0 for none: a result's dim that is an operand's
  /// takes its entry too, and so follows a symbolic size.
  uint32_t symbols[TIR_MAX_RANK];
} tir_custom_type;

/// What `infer` is asked.
typedef struct tir_custom_infer {
  void *user;                     ///< of the op
  const tir_custom_attrs *attrs;  ///< as many numbers as the op declares
  const tir_custom_type *in;      ///< operand types
  size_t n_in;                    ///< n_inputs of the op
  tir_custom_type *out;           ///< to fill; zeroed
  size_t n_out;                   ///< n_outputs of the op
  char *message;                  ///< to fill on failure: one line of UTF-8
  size_t message_size;            ///< bytes of `message`, its NUL included
} tir_custom_infer;

/// What `run`, `vjp_run` and `scratch_bytes` get. All data is dense and
/// row-major; pointers are never NULL, also of empty tensors.
typedef struct tir_custom_call {
  void *user;                        ///< of the op
  const tir_custom_attrs *attrs;     ///< as many numbers as the op declares
  const tir_custom_type *in_types;   ///< types of the operands
  const tir_custom_type *out_types;  ///< types of the results
  size_t n_in;                       ///< n_inputs of the op
  size_t n_out;                      ///< n_outputs of the op
  const void *const *in;             ///< operands; not to be written
  void *const *out;  ///< results; vjp_run reads them, run writes them whole
  /// vjp_run only: gradients of the results, zeros where none arrived; NULL
  /// for results that are no floats.
  const void *const *out_grad;
  /// vjp_run only: gradients of the operands, to be written whole (never
  /// added to); NULL where none is wanted.
  void *const *in_grad;
  void *scratch;         ///< 64-byte aligned, contents undefined
  size_t scratch_bytes;  ///< what `scratch_bytes` answered
  char *message;         ///< to fill on failure: one line of UTF-8
  size_t message_size;   ///< bytes of `message`, its NUL included
} tir_custom_call;

/// What `vjp_build` is asked: the gradients of the operands by ordinary ops.
typedef struct tir_custom_vjp {
  void *user;                     ///< of the op
  const tir_custom_attrs *attrs;  ///< as many numbers as the op declares
  tir_tape *tape;                 ///< to record on; nothing runs
  const tir_value *in;            ///< operands
  const tir_value *out;           ///< results
  size_t n_in;                    ///< n_inputs of the op
  size_t n_out;                   ///< n_outputs of the op
  /// Gradients of the results, zeros where none arrived; invalid for results
  /// that are no floats.
  const tir_value *out_grad;
  const bool *wants;    ///< which operands need a gradient
  tir_value *in_grad;   ///< to fill where `wants`; left alone: exact zeros
  char *message;        ///< to fill on failure: one line of UTF-8
  size_t message_size;  ///< bytes of `message`, its NUL included
} tir_custom_vjp;

/// A custom op. `name`, `version`, `n_outputs`, `infer` and `run` are needed,
/// the rest may be zero.
///
/// A callback that fails returns a status other than TIR_OK and may say why
/// in `message`. Statuses that mean something else to a run (BUSY, TORN,
/// CANCELLED) become VALUE.
typedef struct tir_custom_op {
  /// 1 to 63 letters, digits and `_ . - /`. Copied.
  const char *name;
  /// 1 or more. Counted up when results, attributes or operands change, so
  /// that a file of another version is refused instead of misread.
  int64_t version;
  int32_t n_inputs;   ///< 0 to 8
  int32_t n_outputs;  ///< 1 to 8
  int32_t n_ints;     ///< numbers every call has, 0 to 8
  int32_t n_floats;   ///< numbers every call has, 0 to 8
  /// Results depend on operands and attributes alone and nothing else is
  /// touched: calls may be merged or, when unread, left out. Otherwise every
  /// call is an effect that happens once, in the order recorded.
  bool pure;
  /// Checks operand types and attributes and gives the result types. Called
  /// when a node is made and again for every new size: depends on what it is
  /// given alone.
  tir_status (*infer)(const tir_custom_infer *q);
  /// Computes the results. Called only with types that `infer` agreed to.
  tir_status (*run)(const tir_custom_call *call);
  /// Scratch memory of `run` and `vjp_run`, planned before the first run;
  /// the data pointers of `call` are NULL. NULL: none.
  size_t (*scratch_bytes)(const tir_custom_call *call);
  /// Gradient over data. It has no derivative itself. NULL: none.
  tir_status (*vjp_run)(const tir_custom_call *call);
  /// Gradient by ordinary ops, for all orders; goes before `vjp_run`. Like
  /// any gradient rule it is also used at other sizes than those it was
  /// recorded with: shapes come from `tir_broadcast_like` and its like.
  tir_status (*vjp_build)(const tir_custom_vjp *q);
  void *user;                   ///< handed to all callbacks
  void (*release)(void *user);  ///< called when the context ends; may be NULL
  uint64_t reserved[8];
} tir_custom_op;

/// Registers an op for the life of the context. Any thread may do it at any
/// time; several versions of a name may stand side by side.
/// Errors  ARGUMENT for a bad field (named) or a name and version that are
///         taken; MEMORY. `release` is not called then.
/// Owner   `op` is copied; `user` must live as long as the context, whose end
///         calls `release`.
TIR_API tir_status tir_context_register_op(tir_context *context,
                                           const tir_custom_op *op,
                                           tir_error *error);

/// Calls the custom op `name` of the tape's context.
///
///   attrs    may be NULL: no numbers, newest version
///   in       n_in operands, any dtypes and shapes the op takes
///   out      gets the first n_out results; may be NULL when n_out is 0
///   returns  the first result
///
/// Gradient  by vjp_build or vjp_run of the op; without either the op is
///           refused on the way of a gradient. What vjp_run gives cannot be
///           differentiated again.
/// Errors    ARGUMENT for an unknown name or version, a wrong number of
///           operands, results or attribute numbers; what `infer` returns,
///           with its message. A run ends with what `run` returns and its
///           message, the node and its place; nothing is assigned then.
/// Cost      that of `run`, plus zeroing gradients that did not arrive.
TIR_API tir_value tir_custom(tir_tape *tape, const char *name,
                             const tir_custom_attrs *attrs, const tir_value *in,
                             size_t n_in, tir_value *out, size_t n_out);

#ifdef __cplusplus
}
#endif
#endif
