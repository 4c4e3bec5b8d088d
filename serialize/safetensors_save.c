// Saving a module's parameters as safetensors.
//
// Tensors of larger elements come first, so that each starts at a multiple of
// its element size; their data starts at a multiple of 64. Graphs and the kind
// of a parameter have no place in the format and are not saved.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/checked.h"
#include "ir/base/tensor.h"
#include "serialize/header.h"
#include "serialize/replace.h"
#include "serialize/safetensors.h"
#include "serialize/tir_file.h"

typedef struct saving {
  const tir_module *module;
  tir_ser_bytes text;  // the header, its size included
  TIR_VEC(uint32_t) order;
  size_t data_bytes;
} saving;

// --- header ----------------------------------------------------------------

// Running out of memory is remembered in `text` and asked for at the end.
static void put(saving *s, const char *text) {
  tir_ser_put(&s->text, text, strlen(text));
}

static void put_number(saving *s, uint64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, value);
  put(s, digits);
}

// UTF-8 stays as it is; what JSON does not allow is escaped.
static void put_string(saving *s, const char *text) {
  put(s, "\"");
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    // Of a control character: \u00XX and its NUL.
    char escape[8];
    if (c == '"' || c == '\\')
      snprintf(escape, sizeof escape, "\\%c", c);
    else if (c < 0x20)
      snprintf(escape, sizeof escape, "\\u%04x", c);
    else
      snprintf(escape, sizeof escape, "%c", c);
    put(s, escape);
  }
  put(s, "\"");
}

static void put_metadata(saving *s) {
  put_string(s, tir_ser_st_metadata);
  put(s, ":{");
  const size_t n = tir_module_n_metadata(s->module);
  for (size_t i = 0; i < n; i++) {
    const char *key = tir_module_metadata_key(s->module, i);
    if (i > 0) put(s, ",");
    put_string(s, key);
    put(s, ":");
    put_string(s, tir_module_get_metadata(s->module, key));
  }
  put(s, "}");
}

// The entry of one parameter, whose data comes behind all before it.
static tir_status put_tensor(saving *s, size_t index, tir_error *error) {
  const tir_tensor *tensor = s->module->params.data[index].tensor;
  const size_t begin = s->data_bytes;
  if (!tir_base_size_add(begin, tensor->size_bytes, &s->data_bytes))
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "parameters are too large for a file");
  put_string(s, tir_module_param_name(s->module, index));
  put(s, ":{\"dtype\":\"");
  put(s, tir_ser_st_dtype(tensor->dtype));
  put(s, "\",\"shape\":[");
  for (int i = 0; i < tensor->rank; i++) {
    if (i > 0) put(s, ",");
    put_number(s, (uint64_t)tensor->dims[i]);
  }
  put(s, "],\"data_offsets\":[");
  put_number(s, begin);
  put(s, ",");
  put_number(s, s->data_bytes);
  put(s, "]}");
  return TIR_OK;
}

// Larger elements first; else the order of the module.
static tir_status find_order(saving *s, tir_error *error) {
  const tir_module *module = s->module;
  if (!TIR_VEC_RESERVE(module->context, &s->order, module->params.count))
    return tir_base_fail_memory(error, module->params.count);
  // Element sizes are 8, 4, 2 and 1: one pass over the parameters for each.
  for (size_t size = 8; size > 0; size /= 2)
    for (size_t i = 0; i < module->params.count; i++)
      if (tir_dtype_size(module->params.data[i].tensor->dtype) == size)
        s->order.data[s->order.count++] = (uint32_t)i;
  return TIR_OK;
}

static tir_status put_header(saving *s, tir_error *error) {
  // Room for the size of the header, which is known in the end.
  uint64_t size = 0;
  tir_ser_put(&s->text, &size, sizeof size);
  put(s, "{");
  bool first = tir_module_n_metadata(s->module) == 0;
  if (!first) put_metadata(s);
  for (size_t i = 0; i < s->order.count; i++, first = false) {
    if (!first) put(s, ",");
    TIR_TRY(put_tensor(s, s->order.data[i], error));
  }
  put(s, "}");
  // Spaces belong to the header: the format allows them behind it.
  while (!s->text.out_of_memory && s->text.vec.count % TIR_SER_ALIGN != 0)
    put(s, " ");
  if (s->text.out_of_memory)
    return tir_base_fail_memory(error, s->text.vec.count);
  size = s->text.vec.count - sizeof size;
  // What no reader would take is not written.
  if (size > TIR_SER_ST_MAX_HEADER)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "header of %" PRIu64 " bytes, at most %d", size,
                         TIR_SER_ST_MAX_HEADER);
  memcpy(s->text.vec.data, &size, sizeof size);
  return TIR_OK;
}

// --- file ------------------------------------------------------------------

// The reserved name, and damage of mapped data: the new file has no checksum
// that would show it.
static tir_status check_params(const tir_module *module, tir_error *error) {
  if (tir_ir_module_param(module, tir_ser_st_metadata))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "a parameter is named \"%s\", which safetensors "
                         "keeps for metadata",
                         tir_ser_st_metadata);
  for (size_t i = 0; i < module->params.count; i++)
    TIR_TRY(tir_ir_check_param(module, &module->params.data[i], error));
  return TIR_OK;
}

// The header, then the data in the order of its entries.
static tir_status write_content(void *user, tir_ser_output *output,
                                tir_error *error) {
  const saving *s = user;
  TIR_TRY(tir_ser_write(output, s->text.vec.data, s->text.vec.count, error));
  for (size_t i = 0; i < s->order.count; i++) {
    const tir_tensor *tensor = s->module->params.data[s->order.data[i]].tensor;
    TIR_TRY(tir_ser_write(output, tensor->data, tensor->size_bytes, error));
  }
  return TIR_OK;
}

static tir_status save_held(const tir_ser_io *io, tir_module *module,
                            const char *path, tir_error *error) {
  saving s = {.module = module};
  tir_ser_bytes_init(&s.text, module->context);
  tir_status status = check_params(module, error);
  if (status == TIR_OK) status = find_order(&s, error);
  if (status == TIR_OK) status = put_header(&s, error);
  if (status == TIR_OK)
    status = tir_ser_replace_file(io, path, write_content, &s, error);
  tir_ser_bytes_free(&s.text);
  TIR_VEC_FREE(module->context, &s.order);
  return status;
}

tir_status tir_ser_st_save(const tir_ser_io *io, tir_module *module,
                           const char *path, tir_error *error) {
  TIR_TRY(tir_ir_module_acquire(module, false, error));
  const tir_status status = save_held(io, module, path, error);
  tir_ir_module_end_lease(module);
  if (status != TIR_OK) tir_base_error_prefix(error, "save");
  return status;
}

tir_status tir_safetensors_save(tir_module *module, const char *path,
                                tir_error *error) {
  if (!module || !path)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "save: %s is NULL",
                         module ? "path" : "module");
  return tir_ser_st_save(&tir_ser_io_system, module, path, error);
}
