// Parameters, state and metadata of a module.
//
// A name is found by one hash: it becomes a string id, and a table leads from
// there to the parameter. Callers get and give copies, so that nobody outside
// holds what a run overwrites.
#include <string.h>

#include "ir/base/hash.h"
#include "ir/base/utf8.h"
#include "ir/module.h"
#include "ir/module_names.h"

// --- parameters ------------------------------------------------------------

// Room first, then the check for the name, then only stores: a failure leaves
// the module as it was.
tir_status tir_ir_module_add_tensor(tir_module *module, const char *name,
                                    size_t name_size, tir_param_kind kind,
                                    tir_tensor *tensor, uint32_t *out_index,
                                    tir_error *error) {
  *out_index = 0;
  TIR_TRY(tir_ir_module_check_name("param", name, name_size, error));
  if (kind != TIR_PARAM_TRAINABLE && kind != TIR_PARAM_STATE)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: no kind of param has number %d", (int)kind);
  uint32_t string = 0;
  // The name goes in before it is looked for: a failure leaves at worst a
  // string nobody uses.
  if (!tir_base_strings_intern(&module->strings, name, name_size, &string) ||
      !tir_ir_names_reserve(module->context, &module->param_of_string,
                            string) ||
      !TIR_VEC_RESERVE(module->context, &module->params, 1))
    return tir_base_fail_memory(error, sizeof *module->params.data);
  char quoted[TIR_QUOTED_MAX];
  if (tir_ir_names_get(&module->param_of_string, string))
    return tir_base_fail(
        error, TIR_ERR_ARGUMENT, "module: there is a param named %s already",
        tir_base_quote(tir_base_strings_text(&module->strings, string),
                       quoted));
  const size_t index = module->params.count++;
  module->params.data[index] =
      (tir_ir_param){.name = string, .kind = kind, .tensor = tensor};
  module->param_of_string.data[string] = (uint32_t)index + 1;
  *out_index = (uint32_t)index;
  return TIR_OK;
}

// Data and type alone; neither versions nor what the tensor is mapped from.
static tir_status copy_tensor(tir_context *context, const tir_tensor *from,
                              tir_tensor **out_tensor, tir_error *error) {
  return tir_tensor_from_data(context, from->dtype, from->dims, from->rank,
                              from->data, out_tensor, error);
}

// A writer's lease: instances bind to the list of parameters.
tir_status tir_module_add_param(tir_module *module, const char *name,
                                tir_param_kind kind, const tir_tensor *initial,
                                tir_error *error) {
  tir_tensor *copy = NULL;
  uint32_t index = 0;
  TIR_TRY(tir_ir_module_acquire(module, true, error));
  tir_status status = copy_tensor(module->context, initial, &copy, error);
  if (status == TIR_OK)
    status = tir_ir_module_add_tensor(module, name, strlen(name), kind, copy,
                                      &index, error);
  // Taken over on success only.
  if (status != TIR_OK) tir_tensor_release(copy);
  tir_ir_module_end_lease(module);
  return status;
}

// Parameters are only ever added, so an index stays what it is.
size_t tir_module_n_params(const tir_module *module) {
  return module->params.count;
}

const char *tir_module_param_name(const tir_module *module, size_t index) {
  if (index >= module->params.count) return NULL;
  return tir_base_strings_text(&module->strings,
                               module->params.data[index].name);
}

tir_param_kind tir_module_param_kind(const tir_module *module, size_t index) {
  return index < module->params.count ? module->params.data[index].kind
                                      : TIR_PARAM_TRAINABLE;
}

int64_t tir_module_find_param(const tir_module *module, const char *name) {
  const uint32_t string =
      tir_base_strings_find(&module->strings, name, strlen(name));
  return (int64_t)tir_ir_names_get(&module->param_of_string, string) - 1;
}

// Valid until the next parameter is added, which may move the array.
tir_ir_param *tir_ir_module_param(const tir_module *module, const char *name) {
  const int64_t index = tir_module_find_param(module, name);
  return index < 0 ? NULL : &module->params.data[index];
}

static tir_status find_param(const tir_module *module, const char *name,
                             tir_ir_param **out_param, tir_error *error) {
  *out_param = tir_ir_module_param(module, name);
  if (*out_param) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(error, TIR_ERR_ARGUMENT, "module: no param is named %s",
                       tir_base_quote(name, quoted));
}

tir_status tir_ir_check_param(const tir_module *module,
                              const tir_ir_param *param, tir_error *error) {
  // After a write the checksum says nothing any more.
  if (!param->unverified || param->version != 0) return TIR_OK;
  const tir_tensor *tensor = param->tensor;
  if (tir_base_hash(tensor->data, tensor->size_bytes) == param->checksum)
    return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(
      error, TIR_ERR_FORMAT,
      "parameter %s is damaged: its checksum does not match",
      tir_base_quote(tir_base_strings_text(&module->strings, param->name),
                     quoted));
}

// A copy: the storage itself is written by runs. What cannot be told from
// damage is not handed on, or it would pass for sound elsewhere.
tir_status tir_module_get_param(tir_module *module, const char *name,
                                tir_tensor **out_tensor, tir_error *error) {
  *out_tensor = NULL;
  tir_ir_param *param = NULL;
  TIR_TRY(tir_ir_module_acquire(module, false, error));
  tir_status status = find_param(module, name, &param, error);
  if (status == TIR_OK) status = tir_ir_check_param(module, param, error);
  if (status == TIR_OK)
    status = copy_tensor(module->context, param->tensor, out_tensor, error);
  tir_ir_module_end_lease(module);
  return status;
}

static tir_ir_type tensor_type(const tir_tensor *tensor) {
  tir_ir_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
  memcpy(type.dims, tensor->dims, sizeof type.dims);
  return type;
}

// Programs were compiled for the parameter's type, so only data may change.
static tir_status overwrite(tir_module *module, const char *name,
                            const tir_tensor *value, tir_error *error) {
  tir_ir_param *param = NULL;
  TIR_TRY(find_param(module, name, &param, error));
  const tir_ir_type is = tensor_type(value);
  const tir_ir_type expected = tensor_type(param->tensor);
  if (is.dtype != expected.dtype || !tir_ir_same_shape(&is, &expected)) {
    char a[TIR_TYPE_TEXT_MAX], b[TIR_TYPE_TEXT_MAX], quoted[TIR_QUOTED_MAX];
    return tir_base_fail(
        error, is.dtype != expected.dtype ? TIR_ERR_DTYPE : TIR_ERR_SHAPE,
        "module: param %s is %s, the new value is %s",
        tir_base_quote(name, quoted), tir_ir_type_text(&expected, b),
        tir_ir_type_text(&is, a));
  }
  void *data = NULL;
  TIR_TRY(tir_tensor_write_begin(param->tensor, &data, error));
  // The value may be the parameter's own tensor.
  if (value->size_bytes) memmove(data, value->data, value->size_bytes);
  tir_tensor_write_end(param->tensor);
  // A checksum from a file no longer says anything about the data.
  param->version++;
  param->unverified = false;
  return TIR_OK;
}

tir_status tir_module_set_param(tir_module *module, const char *name,
                                const tir_tensor *value, tir_error *error) {
  TIR_TRY(tir_ir_module_acquire(module, true, error));
  const tir_status status = overwrite(module, name, value, error);
  tir_ir_module_end_lease(module);
  return status;
}

// --- metadata --------------------------------------------------------------

// Number + 1 of the item, 0 if there is none.
static uint32_t find_metadata(const tir_module *module, const char *key) {
  const uint32_t string =
      tir_base_strings_find(&module->strings, key, strlen(key));
  return tir_ir_names_get(&module->metadata_of_string, string);
}

static void free_value(const tir_module *module, char *value) {
  if (value) tir_base_free(module->context, value, strlen(value) + 1, 1);
}

// The order of the others stays. Later items move up by one, and their entries
// in the table with them.
static void remove_metadata(tir_module *module, const char *key) {
  const size_t found = find_metadata(module, key);
  if (found == 0) return;
  tir_ir_metadata *items = module->metadata.data;
  free_value(module, items[found - 1].value);
  module->metadata_of_string.data[items[found - 1].key] = 0;
  for (size_t i = found; i < module->metadata.count; i++) {
    items[i - 1] = items[i];
    module->metadata_of_string.data[items[i].key] = (uint32_t)i;
  }
  module->metadata.count--;
}

// Makes room for one more item, whether the key is new or not.
static tir_status add_key(tir_module *module, const char *key,
                          uint32_t *out_string, tir_error *error) {
  const size_t size = strlen(key);
  TIR_TRY(tir_ir_module_check_name("metadata", key, size, error));
  if (!tir_base_strings_intern(&module->strings, key, size, out_string) ||
      !tir_ir_names_reserve(module->context, &module->metadata_of_string,
                            *out_string) ||
      !TIR_VEC_RESERVE(module->context, &module->metadata, 1))
    return tir_base_fail_memory(error, size);
  return TIR_OK;
}

// The copy is made before the old value goes. A value of NULL takes the key
// away.
static tir_status set_metadata(tir_module *module, const char *key,
                               const char *value, tir_error *error) {
  if (!value) {
    remove_metadata(module, key);
    return TIR_OK;
  }
  const size_t size = strlen(value);
  char quoted[TIR_QUOTED_MAX];
  if (!tir_base_is_utf8(value, size))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "module: metadata %s is not UTF-8",
                         tir_base_quote(key, quoted));
  uint32_t string = 0;
  TIR_TRY(add_key(module, key, &string, error));
  char *copy = tir_base_alloc(module->context, size + 1, 1);
  if (!copy) return tir_base_fail_memory(error, size);
  memcpy(copy, value, size + 1);

  // Room and copy are there: nothing below can fail.
  uint32_t *index = &module->metadata_of_string.data[string];
  if (*index == 0) {
    module->metadata.data[module->metadata.count++] =
        (tir_ir_metadata){.key = string};
    *index = (uint32_t)module->metadata.count;
  }
  tir_ir_metadata *item = &module->metadata.data[*index - 1];
  free_value(module, item->value);
  item->value = copy;
  return TIR_OK;
}

// Runs never read metadata, but a save in another thread does.
tir_status tir_module_set_metadata(tir_module *module, const char *key,
                                   const char *value, tir_error *error) {
  TIR_TRY(tir_ir_module_acquire(module, true, error));
  const tir_status status = set_metadata(module, key, value, error);
  tir_ir_module_end_lease(module);
  return status;
}

const char *tir_module_get_metadata(const tir_module *module, const char *key) {
  const uint32_t index = find_metadata(module, key);
  return index ? module->metadata.data[index - 1].value : NULL;
}

size_t tir_module_n_metadata(const tir_module *module) {
  return module->metadata.count;
}

const char *tir_module_metadata_key(const tir_module *module, size_t index) {
  if (index >= module->metadata.count) return NULL;
  return tir_base_strings_text(&module->strings,
                               module->metadata.data[index].key);
}
