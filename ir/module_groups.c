// Parameters of a module by the beginning of their names: copying, freezing,
// and as variables of a tape.
//
// A prefix such as "encoder." names a group; the empty one names them all. No
// group is stored anywhere: names decide, each time anew.
#include <string.h>

#include "ir/module.h"
#include "ir/ops/rules.h"

static const char *name_of(const tir_module *module, size_t i) {
  return tir_base_strings_text(&module->strings, module->params.data[i].name);
}

static bool begins(const tir_module *module, size_t i, const char *prefix) {
  return strncmp(name_of(module, i), prefix, strlen(prefix)) == 0;
}

// --- copying ---------------------------------------------------------------

// What `to` has of the i-th parameter of `from`; NULL if the copy does not
// concern it.
static tir_ir_param *counterpart(const tir_module *to, const tir_module *from,
                                 size_t i, const char *prefix) {
  if (!begins(from, i, prefix)) return NULL;
  return tir_ir_module_param(to, name_of(from, i));
}

static tir_status check_same(const char *name, const tir_tensor *a,
                             const tir_tensor *b, tir_error *error) {
  tir_ir_type to = {.dtype = a->dtype, .rank = a->rank};
  tir_ir_type from = {.dtype = b->dtype, .rank = b->rank};
  memcpy(to.dims, a->dims, sizeof to.dims);
  memcpy(from.dims, b->dims, sizeof from.dims);
  if (to.dtype == from.dtype && tir_ir_same_shape(&to, &from)) return TIR_OK;
  char to_text[TIR_TYPE_TEXT_MAX], from_text[TIR_TYPE_TEXT_MAX];
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(
      error, to.dtype != from.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
      "module: param %s is %s, the one to copy is %s",
      tir_base_quote(name, quoted), tir_ir_type_text(&to, to_text),
      tir_ir_type_text(&from, from_text));
}

// Types first, and whether each may be written. Before anything is written, so
// that a copy is made whole or not at all.
static tir_status check_all(const tir_module *to, const tir_module *from,
                            const char *prefix, tir_error *error) {
  for (size_t i = 0; i < from->params.count; i++) {
    tir_ir_param *param = counterpart(to, from, i, prefix);
    if (!param) continue;
    void *data = NULL;
    TIR_TRY(check_same(name_of(from, i), param->tensor,
                       from->params.data[i].tensor, error));
    TIR_TRY(tir_ir_check_param(from, &from->params.data[i], error));
    TIR_TRY(tir_tensor_write_begin(param->tensor, &data, error));
    tir_tensor_write_end(param->tensor);
  }
  return TIR_OK;
}

// Every version steps: what was known about the old data, such as the checksum
// of a file, no longer holds.
static tir_status copy_all(tir_module *to, const tir_module *from,
                           const char *prefix, size_t *out_n,
                           tir_error *error) {
  for (size_t i = 0; i < from->params.count; i++) {
    tir_ir_param *param = counterpart(to, from, i, prefix);
    if (!param) continue;
    const tir_tensor *source = from->params.data[i].tensor;
    void *data = NULL;
    TIR_TRY(tir_tensor_write_begin(param->tensor, &data, error));
    if (source->size_bytes) memcpy(data, source->data, source->size_bytes);
    tir_tensor_write_end(param->tensor);
    param->version++;
    param->unverified = false;
    ++*out_n;
  }
  return TIR_OK;
}

// Both leases at once; the order is fixed, and neither waits, so two calls in
// opposite directions cannot block each other.
tir_status tir_module_copy_params(tir_module *to, tir_module *from,
                                  const char *prefix, size_t *out_n,
                                  tir_error *error) {
  size_t n = 0;
  if (out_n) *out_n = 0;
  if (!to || !from || to == from)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module_copy_params: expected two modules");
  if (!prefix) prefix = "";
  TIR_TRY(tir_ir_module_acquire(from, false, error));
  tir_status status = tir_ir_module_acquire(to, true, error);
  if (status == TIR_OK) {
    status = check_all(to, from, prefix, error);
    if (status == TIR_OK) status = copy_all(to, from, prefix, &n, error);
    if (out_n) *out_n = n;
    tir_ir_module_end_lease(to);
  }
  tir_ir_module_end_lease(from);
  return status;
}

// --- freezing --------------------------------------------------------------

// State is the optimiser's, not a group's.
static bool is_trainable(const tir_module *module, size_t i,
                         const char *prefix) {
  return module->params.data[i].kind == TIR_PARAM_TRAINABLE &&
         begins(module, i, prefix);
}

tir_status tir_module_freeze(tir_module *module, const char *prefix,
                             bool frozen, size_t *out_n, tir_error *error) {
  if (out_n) *out_n = 0;
  if (!prefix) prefix = "";
  TIR_TRY(tir_ir_module_acquire(module, true, error));
  size_t n = 0;
  for (size_t i = 0; i < module->params.count; i++)
    if (is_trainable(module, i, prefix)) {
      module->params.data[i].frozen = frozen;
      n++;
    }
  tir_ir_module_end_lease(module);
  if (out_n) *out_n = n;
  if (n) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(error, TIR_ERR_ARGUMENT,
                       "module: no trainable param begins with %s",
                       tir_base_quote(prefix, quoted));
}

bool tir_module_is_frozen(const tir_module *module, size_t index) {
  return index < module->params.count && module->params.data[index].frozen;
}

// Returns how many variables there are, also when fewer have room, and 0 with
// an error kept on the tape. A gradient is attached where there is none; what
// is attached already stays.
size_t tir_module_variables(tir_tape *tape, tir_module *module,
                            const char *prefix, tir_value *out_values,
                            size_t n_max) {
  if (!tape || !tir_ir_ready(tape)) return 0;
  if (!module || (!out_values && n_max)) {
    tir_ir_keep_error(tape, "module_variables", TIR_ERR_ARGUMENT,
                      "module or out_values is NULL");
    return 0;
  }
  if (!prefix) prefix = "";
  size_t n = 0;
  for (size_t i = 0; i < module->params.count && tir_ir_ready(tape); i++) {
    if (!is_trainable(module, i, prefix) || module->params.data[i].frozen)
      continue;
    if (n++ >= n_max) continue;
    const tir_value w = tir_param(tape, module, name_of(module, i));
    // One that has a gradient keeps it, and how it is written.
    if (tir_ir_ready(tape) && !tir_has_grad(tape, w))
      tir_attach_grad(tape, w, TIR_GRAD_WRITE);
    out_values[n - 1] = w;
  }
  return tir_ir_ready(tape) ? n : 0;
}
