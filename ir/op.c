// Ops: the descriptor table, lookup by name, and messages about operands.
//
// The table comes from ops.def, so an op on the roster without a descriptor is
// a link error naming it. Nothing here knows a particular op.
#include "ir/op.h"

#include <stdio.h>
#include <string.h>

#include "ir/graph.h"

const tir_op_desc *const tir_ir_op_descs[TIR_N_OPS] = {
    NULL,
#define TIR_OP(ID, name) &tir_op_##name,
#include "ir/ops.def"
#undef TIR_OP
};

// Lengths beside each other, so that a lookup skips nearly every op without
// touching its text.
static const uint8_t name_sizes[TIR_N_OPS] = {
    0,
#define TIR_OP(ID, name) sizeof(#name) - 1,
#include "ir/ops.def"
#undef TIR_OP
};

tir_op tir_ir_op_find(const char *name, size_t size) {
  for (int op = 1; op < TIR_N_OPS; op++)
    if (name_sizes[op] == size &&
        memcmp(tir_ir_op_descs[op]->name, name, size) == 0)
      return (tir_op)op;
  return TIR_OP_NONE;
}

// Where attributes decide, refuses_gradient gives the reason.
const char *tir_ir_op_no_gradient(const tir_op_desc *desc,
                                  const tir_context *context,
                                  const void *attrs) {
  if (!desc->vjp) return desc->no_gradient;
  return desc->refuses_gradient ? desc->refuses_gradient(context, attrs) : NULL;
}

// The name of operand i in a list like "a, b" or "state, x...": the last name
// of a variadic op stands for all that follow.
const char *tir_ir_operand_name(const tir_op_desc *desc, size_t i,
                                int *out_size, bool *out_repeats) {
  const char *at = desc->operands ? desc->operands : "";
  for (size_t k = 0;; k++) {
    const size_t size = strcspn(at, ",");
    const bool last = at[size] == '\0';
    *out_repeats = size > 3 && memcmp(at + size - 3, "...", 3) == 0;
    *out_size = (int)(*out_repeats ? size - 3 : size);
    if (k == i || last) return at;
    at += size + 1;
    while (*at == ' ') at++;
  }
}

// `b "w" f32[2, 1]`: the op's name for it, the user's, the type.
const char *tir_ir_operand_text(const tir_ir_infer_query *q, size_t i,
                                char buffer[TIR_OPERAND_TEXT_MAX]) {
  int size = 0;
  bool repeats = false;
  const char *name = tir_ir_operand_name(q->desc, i, &size, &repeats);
  // Past its last name a variadic op tells operands by number.
  int n = snprintf(buffer, TIR_OPERAND_TEXT_MAX, "%.*s", size, name);
  if (repeats)
    n += snprintf(buffer + n, TIR_OPERAND_TEXT_MAX - (size_t)n, "[%zu]", i);

  const char *user_name = "";
  if (q->graph && q->in_values)
    user_name = tir_ir_value_name(q->graph, (tir_ir_value){q->in_values[i]});
  char quoted[TIR_QUOTED_MAX];
  if (*user_name)
    n += snprintf(buffer + n, TIR_OPERAND_TEXT_MAX - (size_t)n, " %s",
                  tir_base_quote(user_name, quoted));

  char type[TIR_TYPE_TEXT_MAX];
  snprintf(buffer + n, TIR_OPERAND_TEXT_MAX - (size_t)n, " %s",
           tir_ir_type_text(&q->in[i], type));
  return buffer;
}

tir_status tir_ir_fail(const tir_ir_infer_query *q, tir_status status,
                       const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(q->error, status, format, args);
  va_end(args);
  tir_base_error_prefix(q->error, q->desc->name);
  return status;
}
