// Moving elements without computing any: reshape, transpose, broadcast. Joining
// and cutting are in slice.c.
//
// Views keep the order of elements and may share memory with their operand;
// transpose and the broadcasts are no views. No rule here reads data, so none
// of the operands is kept for a gradient.

#include <inttypes.h>
#include <stddef.h>

#include "ir/base/checked.h"
#include "ir/ops/checks.h"
#include "ir/ops/rules.h"

enum {
  MOVEMENT = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT,
  VIEW = TIR_TRAIT_MOVEMENT | TIR_TRAIT_EXACT | TIR_TRAIT_VIEW,
};

// --- reshape ---------------------------------------------------------------

static const tir_ir_attr dims_attrs[] = {
    {.name = "dims",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_dims, dims)},
};

// Numbers of elements say more than shapes: they are what does not fit.
static tir_status reshape_fail(const tir_ir_infer_query *q,
                               const tir_ir_ints *dims) {
  tir_ir_type wanted = {.rank = (int)dims->n};
  for (int64_t i = 0; i < dims->n; i++) wanted.dims[i] = dims->v[i];
  char x[TIR_OPERAND_TEXT_MAX], shape[TIR_TYPE_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_SHAPE,
                     "%s has %" PRId64 " elements, dims %s do not fit them",
                     tir_ir_operand_text(q, 0, x), tir_ir_type_numel(&q->in[0]),
                     tir_ir_shape_text(&wanted, shape));
}

// The symbol of a dim computed as -1: it follows the operand's one symbolic dim
// when all other sizes cancel out. With n = s·others elements, s of them
// symbolic, the free dim is n / product: s itself just if others = product, at
// every size of s.
static uint32_t free_symbol(const tir_ir_type *x, int64_t product) {
  uint32_t symbol = 0;
  int64_t others = 1;
  for (int i = 0; i < x->rank; i++) {
    if (x->symbols[i] && symbol) return 0;
    if (x->symbols[i])
      symbol = x->symbols[i];
    else if (!tir_base_i64_mul(others, x->dims[i], &others))
      return 0;
  }
  return others == product ? symbol : 0;
}

// One dim may be −1; with a zero among the others it would not be determined.
// Dims may come from a file, so their product is checked on the way.
static tir_status reshape_infer(const tir_ir_infer_query *q) {
  const tir_attrs_dims *attrs = q->attrs;
  const tir_ir_ints *dims = &attrs->dims;
  tir_ir_type *out = &q->out[0];
  out->dtype = q->in[0].dtype;
  out->rank = (int)dims->n;
  int free_axis = -1;
  int64_t product = 1;
  for (int i = 0; i < out->rank; i++) {
    const int64_t dim = dims->v[i];
    if (dim < -1 || (dim == -1 && free_axis >= 0))
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "dim %d is %" PRId64
                         ", expected 0 or more, and -1 "
                         "at most once",
                         i, dim);
    out->dims[i] = dim;
    if (dim == -1)
      free_axis = i;
    else if (!tir_base_i64_mul(product, dim, &product))
      return reshape_fail(q, dims);
  }
  const int64_t numel = tir_ir_type_numel(&q->in[0]);
  if (free_axis >= 0) {
    // With −1 beside a 0 any size would fit.
    if (product == 0 || numel % product != 0) return reshape_fail(q, dims);
    out->dims[free_axis] = numel / product;
    out->symbols[free_axis] = free_symbol(&q->in[0], product);
  } else if (product != numel) {
    return reshape_fail(q, dims);
  }
  return TIR_OK;
}

// The order of elements is the same, so g only changes its shape.
static void reshape_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_ir_grad_reshape(q->tape, q->out_grad[0], q->in[0]);
}

const tir_op_desc tir_op_reshape = {
    .name = "reshape",
    .family = "movement",
    .summary = "The same elements in the same order in another shape.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = VIEW,
    .attrs = dims_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_dims),
    .infer = reshape_infer,
    .vjp = reshape_vjp,
};

tir_value tir_reshape(tir_tape *tape, tir_value x, const int64_t *dims,
                      int rank) {
  tir_attrs_dims attrs;
  if (!tir_ir_list_attr(tape, "reshape", "dims", dims, rank, &attrs.dims))
    return tir_ir_refused(tape, "reshape");
  return tir_ir_record(tape, TIR_OP_RESHAPE, &x, 1, &attrs);
}

// --- reshape_like ----------------------------------------------------------

// The shape is another value's, symbols included: it follows every size.
static tir_status reshape_like_infer(const tir_ir_infer_query *q) {
  const int64_t n = tir_ir_type_numel(&q->in[0]);
  const int64_t n_like = tir_ir_type_numel(&q->in[1]);
  char x[TIR_OPERAND_TEXT_MAX], like[TIR_OPERAND_TEXT_MAX];
  if (n != n_like)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "%s has %" PRId64 " elements, %s has %" PRId64,
                       tir_ir_operand_text(q, 0, x), n,
                       tir_ir_operand_text(q, 1, like), n_like);
  q->out[0] = q->in[1];
  q->out[0].dtype = q->in[0].dtype;
  return TIR_OK;
}

// What a gradient rule uses where reshape would need dims as numbers.
const tir_op_desc tir_op_reshape_like = {
    .name = "reshape_like",
    .family = "movement",
    .summary = "The same elements in the same order in another value's shape.",
    .operands = "x, like",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = VIEW,
    .shape_only = 1 << 1,
    .infer = reshape_like_infer,
    .vjp = reshape_vjp,
};

tir_value tir_reshape_like(tir_tape *tape, tir_value x, tir_value like) {
  const tir_value in[] = {x, like};
  return tir_ir_record(tape, TIR_OP_RESHAPE_LIKE, in, 2, NULL);
}

// --- expand_dims -----------------------------------------------------------

static const tir_ir_attr expand_attrs[] = {
    {.name = "axes",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_axes, axes),
     .required = true},
};

// Axes are those of the result, as in NumPy. The other axes keep their order
// and their symbols.
static tir_status expand_dims_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axes *attrs = q->attrs;
  const tir_ir_type *x = &q->in[0];
  tir_ir_type *out = &q->out[0];
  bool is_new[TIR_MAX_RANK] = {false};
  const int rank = x->rank + (int)attrs->axes.n;
  char text[TIR_OPERAND_TEXT_MAX];
  if (rank > TIR_MAX_RANK)
    return tir_ir_fail(
        q, TIR_ERR_SHAPE,
        "%s with %" PRId64 " new axes has rank %d, expected at most %d",
        tir_ir_operand_text(q, 0, text), attrs->axes.n, rank, TIR_MAX_RANK);
  for (int64_t i = 0; i < attrs->axes.n; i++) {
    int axis = 0;
    if (!tir_ir_axis(attrs->axes.v[i], rank, &axis))
      return tir_ir_fail(q, TIR_ERR_SHAPE,
                         "axis %" PRId64
                         " is out of range for a result of rank %d",
                         attrs->axes.v[i], rank);
    if (is_new[axis])
      return tir_ir_fail(q, TIR_ERR_ARGUMENT, "axis %d is given twice", axis);
    is_new[axis] = true;
  }
  out->dtype = x->dtype;
  out->rank = rank;
  for (int i = 0, from = 0; i < rank; i++) {
    if (is_new[i])
      out->dims[i] = 1;
    else
      tir_ir_copy_dim(x, from++, out, i);
  }
  return TIR_OK;
}

const tir_op_desc tir_op_expand_dims = {
    .name = "expand_dims",
    .family = "movement",
    .summary = "The operand with new axes of size 1.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = VIEW,
    .attrs = expand_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axes),
    .infer = expand_dims_infer,
    .vjp = reshape_vjp,
};

// Each axis becomes non-negative, so that equal calls have equal attributes.
tir_value tir_expand_dims(tir_tape *tape, tir_value x, const int *axes,
                          int n_axes) {
  const char *op = "expand_dims";
  tir_attrs_axes attrs;
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  // Axes count in the result. A wild n_axes is refused before it is used.
  const int rank = n_axes > TIR_MAX_RANK ? 0 : type.rank + n_axes;
  if (!tir_ir_axes_attr(tape, op, "axes", rank, axes, n_axes, &attrs.axes))
    return tir_ir_refused(tape, op);
  return tir_ir_record(tape, TIR_OP_EXPAND_DIMS, &x, 1, &attrs);
}

// --- transpose -------------------------------------------------------------

static const tir_ir_attr transpose_attrs[] = {
    {.name = "perm",
     .kind = TIR_ATTR_INTS,
     .offset = offsetof(tir_attrs_axes, axes),
     .required = true},
};

// Axes of perm are 0 … rank-1: passes compose permutations as they stand.
// out.dims[i] = x.dims[perm[i]], symbols alike. A file may hold any list: each
// entry is checked before it is an index.
static tir_status transpose_infer(const tir_ir_infer_query *q) {
  const tir_attrs_axes *attrs = q->attrs;
  const tir_ir_type *x = &q->in[0];
  tir_ir_type *out = &q->out[0];
  bool seen[TIR_MAX_RANK] = {false};
  char text[TIR_OPERAND_TEXT_MAX];
  if (attrs->axes.n != x->rank)
    return tir_ir_fail(q, TIR_ERR_SHAPE,
                       "perm has %" PRId64 " entries, %s has rank %d",
                       attrs->axes.n, tir_ir_operand_text(q, 0, text), x->rank);
  for (int i = 0; i < x->rank; i++) {
    const int64_t from = attrs->axes.v[i];
    if (from < 0 || from >= x->rank || seen[from])
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "perm[%d] is %" PRId64
                         ", expected each of 0 to %d once",
                         i, from, x->rank - 1);
    seen[from] = true;
    tir_ir_copy_dim(x, (int)from, out, i);
  }
  out->dtype = x->dtype;
  out->rank = x->rank;
  return TIR_OK;
}

// Back by the inverse permutation. Axis i of the result was axis perm[i], so
// inverse[perm[i]] = i.
static void transpose_vjp(const tir_ir_vjp *q) {
  const tir_attrs_axes *attrs = q->attrs;
  tir_attrs_axes inverse = {.axes.n = attrs->axes.n};
  for (int64_t i = 0; i < attrs->axes.n; i++)
    inverse.axes.v[attrs->axes.v[i]] = i;
  q->in_grad[0] =
      tir_ir_record(q->tape, TIR_OP_TRANSPOSE, &q->out_grad[0], 1, &inverse);
}

const tir_op_desc tir_op_transpose = {
    .name = "transpose",
    .family = "movement",
    .summary = "The operand with its axes in another order.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .attrs = transpose_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_axes),
    .infer = transpose_infer,
    .vjp = transpose_vjp,
};

// Without perm the axes are reversed.
tir_value tir_transpose(tir_tape *tape, tir_value x, const int *perm,
                        int n_perm) {
  tir_attrs_axes attrs = {0};
  tir_ir_type type;
  tir_ir_value_type(tape, x, &type);
  if (perm) {
    if (!tir_ir_axes_attr(tape, "transpose", "perm", type.rank, perm, n_perm,
                          &attrs.axes))
      return tir_ir_refused(tape, "transpose");
  } else {
    attrs.axes.n = type.rank;
    for (int i = 0; i < type.rank; i++) attrs.axes.v[i] = type.rank - 1 - i;
  }
  return tir_ir_record(tape, TIR_OP_TRANSPOSE, &x, 1, &attrs);
}

// --- broadcast_to ----------------------------------------------------------

// Shape and operand as given, also where only one axis does not fit.
static tir_status broadcast_fail(const tir_ir_infer_query *q,
                                 const tir_ir_type *wanted) {
  char x[TIR_OPERAND_TEXT_MAX], shape[TIR_TYPE_TEXT_MAX];
  return tir_ir_fail(q, TIR_ERR_SHAPE, "%s does not broadcast to %s",
                     tir_ir_operand_text(q, 0, x),
                     tir_ir_shape_text(wanted, shape));
}

// −1 keeps the operand's size, symbol and all. Aligned at the last axes. Sizes
// other than 1 must agree; axes in front are new. A size given as a number has
// no symbol.
static tir_status broadcast_to_infer(const tir_ir_infer_query *q) {
  const tir_attrs_dims *attrs = q->attrs;
  const tir_ir_type *x = &q->in[0];
  tir_ir_type *out = &q->out[0];
  out->dtype = x->dtype;
  out->rank = (int)attrs->dims.n;
  for (int i = 0; i < out->rank; i++) out->dims[i] = attrs->dims.v[i];
  const int n_new = out->rank - x->rank;
  if (n_new < 0) return broadcast_fail(q, out);
  for (int i = 0; i < out->rank; i++) {
    const int64_t dim = attrs->dims.v[i];
    if (dim < -1 || (dim == -1 && i < n_new))
      return tir_ir_fail(q, TIR_ERR_ARGUMENT,
                         "dim %d is %" PRId64 ", expected 0 or more%s", i, dim,
                         i < n_new ? " for a new axis" : ", or -1 to keep it");
  }
  for (int i = n_new; i < out->rank; i++) {
    const int64_t from = x->dims[i - n_new];
    if (attrs->dims.v[i] == -1)
      tir_ir_copy_dim(x, i - n_new, out, i);
    else if (from != 1 && from != attrs->dims.v[i])
      return broadcast_fail(q, out);
  }
  return TIR_OK;
}

// What was repeated is summed. dx = g summed over the new axes and those of
// size 1.
static void broadcast_vjp(const tir_ir_vjp *q) {
  q->in_grad[0] = tir_ir_grad_reduce(q->tape, q->out_grad[0], q->in[0]);
}

const tir_op_desc tir_op_broadcast_to = {
    .name = "broadcast_to",
    .family = "movement",
    .summary = "The operand repeated to a shape by the rules of broadcasting.",
    .operands = "x",
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .attrs = dims_attrs,
    .n_attrs = 1,
    .attrs_size = sizeof(tir_attrs_dims),
    .infer = broadcast_to_infer,
    .vjp = broadcast_vjp,
};

// A dim of −1 keeps what x has there, also a size that follows a symbol.
tir_value tir_broadcast_to(tir_tape *tape, tir_value x, const int64_t *dims,
                           int rank) {
  tir_attrs_dims attrs;
  if (!tir_ir_list_attr(tape, "broadcast_to", "dims", dims, rank, &attrs.dims))
    return tir_ir_refused(tape, "broadcast_to");
  return tir_ir_record(tape, TIR_OP_BROADCAST_TO, &x, 1, &attrs);
}

// --- broadcast_like --------------------------------------------------------

// The operand must fit into the other's shape, not only beside it. The result
// has like's symbols, not only its sizes.
static tir_status broadcast_like_infer(const tir_ir_infer_query *q) {
  tir_ir_type whole = {0};
  if (!tir_ir_broadcast(&q->in[0], &q->in[1], &whole) ||
      !tir_ir_same_shape(&whole, &q->in[1])) {
    char x[TIR_OPERAND_TEXT_MAX], like[TIR_OPERAND_TEXT_MAX];
    return tir_ir_fail(q, TIR_ERR_SHAPE, "%s does not broadcast to %s",
                       tir_ir_operand_text(q, 0, x),
                       tir_ir_operand_text(q, 1, like));
  }
  q->out[0] = q->in[1];
  q->out[0].dtype = q->in[0].dtype;
  return TIR_OK;
}

// What a rule uses where broadcast_to would need dims as numbers.
const tir_op_desc tir_op_broadcast_like = {
    .name = "broadcast_like",
    .family = "movement",
    .summary =
        "The operand repeated to another value's shape by the rules of "
        "broadcasting.",
    .operands = "x, like",
    .min_inputs = 2,
    .max_inputs = 2,
    .n_outputs = 1,
    .traits = MOVEMENT,
    .shape_only = 1 << 1,
    .infer = broadcast_like_infer,
    .vjp = broadcast_vjp,
};

tir_value tir_broadcast_like(tir_tape *tape, tir_value x, tir_value like) {
  const tir_value in[] = {x, like};
  return tir_ir_record(tape, TIR_OP_BROADCAST_LIKE, in, 2, NULL);
}
