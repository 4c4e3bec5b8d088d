// Attribute structs of the ops that have any.
//
// Every field is made of 8-byte words (a number, a tir_ir_ints, _floats or
// _label), so a struct has no padding and may be hashed, compared and copied
// as bytes. Attributes are structural:
// numbers that change from run to run are operands, not attributes.
#ifndef TAPEIR_IR_ATTRS_H
#define TAPEIR_IR_ATTRS_H

#include <stdint.h>

#include "tapeir/base.h"

typedef struct tir_ir_ints {
  int64_t n;
  int64_t v[TIR_MAX_RANK];
} tir_ir_ints;

typedef struct tir_ir_floats {
  int64_t n;
  double v[TIR_MAX_RANK];
} tir_ir_floats;

// Letters, digits and _ . - / in front of zero bytes, of which there is one at
// least: a name that is no string of a graph, so that it compares as words.
typedef struct tir_ir_label {
  char text[64];
} tir_ir_label;

typedef struct tir_attrs_param {
  int64_t kind;  // tir_param_kind
} tir_attrs_param;

// A constant is one element repeated (tensor = 0, `bits` are the element's
// bytes, zero-extended), or graph tensor number tensor − 1.
typedef struct tir_attrs_constant {
  uint64_t bits;
  int64_t tensor;
} tir_attrs_constant;

// Operands are heads, head gradients (as many), then wrt; outputs as wrt.
typedef struct tir_attrs_gradient {
  int64_t n_heads;
  int64_t create_graph;
} tir_attrs_gradient;

// custom, custom_pure. Bit i of `wants`: the node is the op's vjp_run and gives
// operand i's gradient; 0: it is the op itself.
typedef struct tir_attrs_custom {
  tir_ir_label op;
  int64_t version;
  int64_t wants;
  tir_ir_ints ints;
  tir_ir_floats floats;
} tir_attrs_custom;

typedef struct tir_attrs_dtype {  // cast, arange is {dtype, n}
  int64_t dtype;
} tir_attrs_dtype;

typedef struct tir_attrs_arange {
  int64_t dtype;
  int64_t n;
} tir_attrs_arange;

typedef struct tir_attrs_dim_product {
  int64_t dtype;
  tir_ir_ints axes;  // none: all
} tir_attrs_dim_product;

// Reductions: axes empty means all axes.
typedef struct tir_attrs_reduce {
  tir_ir_ints axes;
  int64_t keep_dims;
} tir_attrs_reduce;

typedef struct tir_attrs_argmax {  // argmin, logsumexp
  int64_t axis;
  int64_t keep_dims;
} tir_attrs_argmax;

typedef struct tir_attrs_matmul {
  int64_t transpose_a;
  int64_t transpose_b;
} tir_attrs_matmul;

typedef struct tir_attrs_dims {  // reshape, broadcast_to
  tir_ir_ints dims;
} tir_attrs_dims;

typedef struct tir_attrs_axes {  // expand_dims, transpose, flip, normalize
  tir_ir_ints axes;
} tir_attrs_axes;

typedef struct tir_attrs_axis {  // concat, gather, softmax, …
  int64_t axis;
} tir_attrs_axis;

typedef struct tir_attrs_concat_part {
  int64_t axis;
  int64_t index;
} tir_attrs_concat_part;

// slice, unslice: one entry per leading axis.
typedef struct tir_attrs_slice {
  tir_ir_ints starts;
  tir_ir_ints stops;
  tir_ir_ints steps;  // empty: all 1
} tir_attrs_slice;

// pad: one entry per leading axis.
typedef struct tir_attrs_pad {
  tir_ir_ints before;
  tir_ir_ints after;
} tir_attrs_pad;

typedef struct tir_attrs_triangle {  // tril, triu
  int64_t diagonal;
} tir_attrs_triangle;

typedef struct tir_attrs_scan {
  int64_t axis;
  int64_t exclusive;
  int64_t reverse;
} tir_attrs_scan;

// Control nodes: bodies first (numbers in the graph, ir/body.h).
typedef struct tir_attrs_loop {  // scan
  int64_t body;
  int64_t n_carry;
  int64_t n_xs;
  int64_t length;  // trips when there are no xs
  int64_t reverse;
} tir_attrs_loop;

typedef struct tir_attrs_cond {
  int64_t then_body;
  int64_t else_body;
} tir_attrs_cond;

typedef struct tir_attrs_while {
  int64_t condition;
  int64_t body;
  int64_t n_carry;
  int64_t max_trips;  // 0: no bound
} tir_attrs_while;

typedef struct tir_attrs_one_hot {
  int64_t depth;
  int64_t dtype;
} tir_attrs_one_hot;

// check_range, slice_at: `size` is 0 where an operand gives it.
typedef struct tir_attrs_window {
  int64_t axis;
  int64_t size;
} tir_attrs_window;

typedef struct tir_attrs_attention {
  int64_t causal;
  int64_t has_mask;    // an operand behind q, k, v
  int64_t has_length;  // the last operand
} tir_attrs_attention;

typedef struct tir_attrs_random {
  int64_t dtype;
  tir_ir_ints dims;  // when there is no `like` operand
} tir_attrs_random;

#endif
