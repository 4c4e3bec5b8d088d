// Ops: identity, descriptor, attribute schemas, traits, and the queries that
// inference and gradient rules answer.
#ifndef TAPEIR_IR_OP_H
#define TAPEIR_IR_OP_H

#include "ir/attrs.h"
#include "ir/type.h"
#include "tapeir/tape.h"

typedef enum tir_op {
  TIR_OP_NONE = 0,
#define TIR_OP(ID, name) TIR_OP_##ID,
#include "ir/ops.def"
#undef TIR_OP
  TIR_N_OPS
} tir_op;

// What passes read. A pass does not switch on op ids.
enum {
  TIR_TRAIT_ELEMENTWISE = 1 << 0,  // out[i] depends on in[i] (broadcast) only
  TIR_TRAIT_COMMUTATIVE = 1 << 1,  // the first two operands may be swapped
  TIR_TRAIT_IN_PLACE = 1 << 2,     // an output may overwrite any operand of
                                   // the same type
  TIR_TRAIT_VIEW = 1 << 3,         // output 0 may alias operand 0's memory
                                   // whole (same bytes, same order)
  TIR_TRAIT_RANDOM = 1 << 4,
  TIR_TRAIT_EFFECT = 1 << 5,     // never removed as dead
  TIR_TRAIT_EXACT = 1 << 6,      // one rounding per element at most: may be
                                 // folded by the reference evaluator
  TIR_TRAIT_DECLARED = 1 << 7,   // type is given, not inferred
  TIR_TRAIT_MOVEMENT = 1 << 8,   // copies elements, computes none
  TIR_TRAIT_FALLIBLE = 1 << 9,   // a run may fail on its data
  TIR_TRAIT_INTERNAL = 1 << 10,  // never in a file (gradient call)
  TIR_TRAIT_WHOLE = 1 << 11,     // elementwise, but computed by a kernel of
                                 // its own: never a part of a fused step
};

// --- attributes ------------------------------------------------------------

typedef enum tir_ir_attr_kind {
  TIR_ATTR_I64,
  TIR_ATTR_F64,     // stored as double
  TIR_ATTR_BOOL,    // int64_t 0 or 1
  TIR_ATTR_DTYPE,   // int64_t, printed as its name
  TIR_ATTR_INTS,    // tir_ir_ints
  TIR_ATTR_BODY,    // int64_t number of a body of the graph, from 1; such
                    // attributes stand first, all required (ir/body.h)
  TIR_ATTR_FLOATS,  // tir_ir_floats
  TIR_ATTR_LABEL,   // tir_ir_label, empty unless required
} tir_ir_attr_kind;

typedef struct tir_ir_attr {
  const char *name;
  tir_ir_attr_kind kind;
  uint32_t offset;
  int64_t default_i64;  // I64, BOOL, DTYPE
  double default_f64;   // F64; the default of a list is always empty
  bool required;        // no default: always written
} tir_ir_attr;

// --- queries ---------------------------------------------------------------

typedef struct tir_op_desc tir_op_desc;
typedef struct tir_ir_graph tir_ir_graph;

// Validates operand types and attributes and gives the output types. The one
// check of an op: builders, parser, loader, passes and compile all call it.
typedef struct tir_ir_infer_query {
  const tir_op_desc *desc;
  const tir_ir_type *in;
  size_t n_in;
  const void *attrs;
  tir_ir_type *out;  // n_out entries, zeroed; of a DECLARED op the types
                     // given, for infer to check
  size_t n_out;
  const tir_ir_graph *graph;  // for names in messages; may be NULL
  const uint32_t *in_values;  // value ids in graph; may be NULL
  tir_error *error;
} tir_ir_infer_query;

// Operand i in the descriptor's list, *out_size bytes; *out_repeats: by the
// last name of a variadic op, which stands for all that follow.
const char *tir_ir_operand_name(const tir_op_desc *desc, size_t i,
                                int *out_size, bool *out_repeats);
// `a "x" f32[4, 3]`: the operand's name in the descriptor, the user's name if
// it has one, and its type. For messages.
#define TIR_OPERAND_TEXT_MAX 320
const char *tir_ir_operand_text(const tir_ir_infer_query *q, size_t i,
                                char buffer[TIR_OPERAND_TEXT_MAX]);
// tir_base_fail with the op's name before the message.
tir_status tir_ir_fail(const tir_ir_infer_query *q, tir_status status,
                       const char *format, ...) TIR_PRINTF(3, 4);

// Builds the vector-Jacobian product with ordinary op functions.
typedef struct tir_ir_vjp {
  tir_tape *tape;
  const void *attrs;
  const tir_value *in;
  size_t n_in;
  const tir_value *out;
  size_t n_out;
  const tir_value *out_grad;  // all-zero where no gradient reaches that output
  const bool *wants;          // which operands need a gradient
  tir_value *in_grad;         // to fill where wants; all-zero = exact zero
} tir_ir_vjp;

// Which values the gradient of one operand reads (their data, not just their
// shape). Bit i of `in` is operand i, of `out` output i.
typedef struct tir_ir_needs {
  uint16_t in;
  uint16_t out;
} tir_ir_needs;

enum { TIR_MAX_OUTPUTS = 8, TIR_MAX_FIXED_INPUTS = 10 };

struct tir_op_desc {
  const char *name;
  const char *family;    // "unary", "reduce", … as the file name
  const char *summary;   // one line, full sentence
  const char *operands;  // names, comma-separated: "a, b"; "x..." if variadic
  uint8_t min_inputs;
  uint8_t max_inputs;  // 255: any number
  uint8_t n_outputs;   // fixed number; 0: given when recorded, or told by
                       // count_outputs
  uint32_t traits;
  // Bit i: operand i gives only its shape, its data is never read. For a
  // variadic op bit 15 stands for all operands from 15 on.
  uint16_t shape_only;
  const tir_ir_attr *attrs;
  uint8_t n_attrs;
  uint16_t attrs_size;  // bytes, a multiple of 8
  tir_status (*infer)(const tir_ir_infer_query *q);
  // Of an op with bodies: the types that the inputs of each body have, into
  // `out` (room for n_in); returns how many they are, SIZE_MAX if the
  // attributes do not fit the operands.
  size_t (*body_inputs)(const void *attrs, const tir_ir_type *in, size_t n_in,
                        tir_ir_type *out);
  // Exactly one of vjp and no_gradient is set.
  void (*vjp)(const tir_ir_vjp *q);
  const char *no_gradient;  // the reason
  // The rule may read the data of all operands and outputs: `needs` is unused.
  bool needs_all;
  // Of an op whose attributes decide (custom); else NULL. Results of a node,
  // and why it has no gradient after all (NULL: it has one).
  size_t (*count_outputs)(const tir_context *context, const void *attrs);
  const char *(*refuses_gradient)(const tir_context *context,
                                  const void *attrs);
  // By operand; a variadic op uses entry 0 for all.
  tir_ir_needs needs[TIR_MAX_FIXED_INPUTS];
  // Right identity: op(x, identity) = x bit for bit on floats.
  bool has_right_identity;
  double right_identity;
};

#define TIR_OP(ID, name) extern const tir_op_desc tir_op_##name;
#include "ir/ops.def"
#undef TIR_OP

// By op; entry 0 is NULL. These few are inline because recording asks them
// for every operand.
extern const tir_op_desc *const tir_ir_op_descs[TIR_N_OPS];
// Descriptor of op 1 … TIR_N_OPS − 1.
static inline const tir_op_desc *tir_ir_op_desc(tir_op op) {
  return (unsigned)op < TIR_N_OPS ? tir_ir_op_descs[op] : NULL;
}
// By name; TIR_OP_NONE if there is none.
tir_op tir_ir_op_find(const char *name, size_t size);
// Is operand i of the op only looked at for its shape? Fifteen operands have
// a bit of their own; later ones share the last.
static inline bool tir_ir_op_shape_only(const tir_op_desc *desc, size_t i) {
  return (desc->shape_only >> (i < 15 ? i : 15)) & 1;
}
// All operands of a variadic op are alike.
static inline tir_ir_needs tir_ir_op_needs(const tir_op_desc *desc, size_t i) {
  if (desc->needs_all) return (tir_ir_needs){UINT16_MAX, UINT16_MAX};
  if (desc->max_inputs == 255) i = 0;
  return i < TIR_MAX_FIXED_INPUTS ? desc->needs[i] : (tir_ir_needs){0, 0};
}
// Why a node with these attributes has no gradient; NULL if it has one.
const char *tir_ir_op_no_gradient(const tir_op_desc *desc,
                                  const tir_context *context,
                                  const void *attrs);

// --- generic inference -----------------------------------------------------
// For descriptors: each checks operand dtypes as its name says.

tir_status tir_ir_infer_same(const tir_ir_infer_query *q);    // any dtype
tir_status tir_ir_infer_float(const tir_ir_infer_query *q);   // f32, f64
tir_status tir_ir_infer_number(const tir_ir_infer_query *q);  // not bool, half
// Numbers of equal dtypes, broadcast; compare gives bool.
tir_status tir_ir_infer_binary(const tir_ir_infer_query *q);
tir_status tir_ir_infer_compare(const tir_ir_infer_query *q);

// Does the op use one of these, have no attributes, and take operands that
// are all of one type with this dtype? Then its one result has their shape and
// *out_dtype. A short cut: false only means that infer must be asked.
bool tir_ir_infer_one_type(const tir_op_desc *desc, tir_dtype dtype,
                           tir_dtype *out_dtype);

#endif
