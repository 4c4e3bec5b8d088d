// The op table for the outside. Which dtypes an op takes is asked of its own
// infer, so that the answer cannot differ from what happens.
#include <string.h>

#include "ir/attr.h"
#include "tapeir/inspect.h"

// --- probing dtypes --------------------------------------------------------

// Dims of 2: they broadcast, multiply and reduce whatever the op.
static tir_ir_type probe_type(tir_dtype dtype, int rank) {
  tir_ir_type type = {.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank; i++) type.dims[i] = 2;
  return type;
}

// Lists tried for attributes that are lists: axes, permutations, dims.
static const tir_ir_ints probe_lists[] = {
    {0, {0}}, {1, {0}}, {2, {0, 1}}, {2, {2, 2}}, {1, {4}},
};
enum { N_LISTS = sizeof probe_lists / sizeof *probe_lists };

// Attributes at their defaults, a dtype attribute at `dtype`, required counts
// at 1 (with the first list) and 0, lists as given.
static void probe_attrs(const tir_op_desc *desc, tir_dtype dtype,
                        const tir_ir_ints *list, uint64_t *attrs) {
  for (int i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    uint64_t *word = &attrs[attr->offset / 8];
    if (attr->kind == TIR_ATTR_DTYPE)
      *word = (uint64_t)dtype;
    else if (attr->kind == TIR_ATTR_INTS)
      memcpy(word, list, sizeof *list);
    else if (tir_ir_attr_size(attr) == sizeof *word)
      *word = (uint64_t)(attr->required ? list->n == 0 : attr->default_i64);
  }
}

// Fills operand types by one of a few patterns ops follow: all alike; indices
// second; a condition first; the last `pattern` ones scalars.
static void probe_operands(tir_dtype dtype, int pattern, size_t n,
                           tir_ir_type *in) {
  for (size_t i = 0; i < n; i++) in[i] = probe_type(dtype, 2);
  if (pattern == 1 && n > 1) in[1] = probe_type(TIR_DTYPE_I64, 2);
  if (pattern == 2 && n > 1) in[1] = probe_type(TIR_DTYPE_I64, 1);
  if (pattern == 3 && n > 0) in[0] = probe_type(TIR_DTYPE_BOOL, 2);
  if (pattern == 4 && n > 1) {
    in[0] = probe_type(TIR_DTYPE_I64, 1);
    in[1] = probe_type(TIR_DTYPE_I64, 0);
  }
  for (int k = 5; k <= pattern && (size_t)(k - 4) < n; k++)
    in[n - (size_t)(k - 4)] = probe_type(dtype, 0);
}

// Was the dtype part of the call at all?
static bool mentions(const tir_ir_infer_query *q, tir_dtype dtype) {
  for (size_t i = 0; i < q->n_in; i++)
    if (q->in[i].dtype == dtype) return true;
  for (size_t i = 0; i < q->n_out; i++)
    if (q->out[i].dtype == dtype) return true;
  return false;
}

enum { N_PATTERNS = 11, MAX_INPUTS = 10, MAX_WORDS = 40 };

// One call of infer on made-up operands; its message goes nowhere.
static bool probe(const tir_op_desc *desc, tir_dtype dtype, int pattern,
                  const tir_ir_ints *list) {
  tir_ir_type in[MAX_INPUTS], out[TIR_MAX_OUTPUTS] = {{0}};
  uint64_t attrs[MAX_WORDS] = {0};
  const size_t n_in = desc->min_inputs;
  probe_attrs(desc, dtype, list, attrs);
  probe_operands(dtype, pattern % N_PATTERNS, n_in, in);
  // Adam's step count is an i64 scalar after the others.
  if (pattern >= N_PATTERNS && n_in)
    in[n_in - 1] = probe_type(TIR_DTYPE_I64, 0);
  const tir_ir_infer_query q = {.desc = desc,
                                .in = in,
                                .n_in = n_in,
                                .attrs = attrs,
                                .out = out,
                                .n_out = desc->n_outputs};
  return desc->infer(&q) == TIR_OK && mentions(&q, dtype);
}

// All patterns are tried until infer accepts one that has the dtype in it.
static bool takes(const tir_op_desc *desc, tir_dtype dtype) {
  // Of a custom op's node its own infer decides.
  if (desc->traits & TIR_TRAIT_DECLARED || desc->count_outputs) return true;
  if (desc->min_inputs > MAX_INPUTS || desc->attrs_size > MAX_WORDS * 8 ||
      desc->n_outputs == 0 || desc->n_outputs > TIR_MAX_OUTPUTS)
    return false;
  for (int list = 0; list < N_LISTS; list++)
    for (int pattern = 0; pattern < 2 * N_PATTERNS; pattern++)
      if (probe(desc, dtype, pattern, &probe_lists[list])) return true;
  return false;
}

// --- the table -------------------------------------------------------------

size_t tir_op_count(void) { return TIR_N_OPS - 1; }

tir_status tir_op_at(size_t index, tir_op_info *out_info) {
  if (index >= tir_op_count()) return TIR_ERR_ARGUMENT;
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)(index + 1));
  *out_info = (tir_op_info){
      .name = desc->name,
      .family = desc->family,
      .summary = desc->summary,
      .operands = desc->operands ? desc->operands : "",
      .min_inputs = desc->min_inputs,
      .max_inputs = desc->max_inputs == 255 ? -1 : desc->max_inputs,
      .n_outputs = desc->n_outputs,
      .n_attributes = desc->n_attrs,
      .no_gradient = desc->vjp ? NULL : desc->no_gradient,
  };
  for (int dtype = 1; dtype < TIR_N_DTYPES; dtype++)
    if (takes(desc, (tir_dtype)dtype)) out_info->dtypes |= 1u << dtype;
  return TIR_OK;
}

tir_status tir_op_attribute(size_t op, size_t index,
                            tir_attribute_info *out_info) {
  static const char *const kinds[] = {
      [TIR_ATTR_I64] = "int",    [TIR_ATTR_F64] = "float",
      [TIR_ATTR_BOOL] = "bool",  [TIR_ATTR_DTYPE] = "dtype",
      [TIR_ATTR_INTS] = "ints",  [TIR_ATTR_FLOATS] = "floats",
      [TIR_ATTR_LABEL] = "name", [TIR_ATTR_BODY] = "body",
  };
  if (op >= tir_op_count()) return TIR_ERR_ARGUMENT;
  const tir_op_desc *desc = tir_ir_op_desc((tir_op)(op + 1));
  if (index >= desc->n_attrs) return TIR_ERR_ARGUMENT;
  const tir_ir_attr *attr = &desc->attrs[index];
  *out_info = (tir_attribute_info){
      .name = attr->name,
      .kind = kinds[attr->kind],
      .required = attr->required,
      .default_int = attr->default_i64,
      .default_float = attr->default_f64,
  };
  return TIR_OK;
}
