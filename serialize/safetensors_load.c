// Loading safetensors: into a module of its own.
//
// Order: size of the header, header (everything it says is checked), then one
// tensor after the other. Nothing is allocated by a size the file itself is not
// long enough for. The format has no checksums: that the sizes agree is all
// that can be told about the data.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/tensor.h"
#include "serialize/header.h"
#include "serialize/safetensors.h"
#include "serialize/source.h"

// `text` is the header as read; the entries of `header` point into it.
typedef struct loading {
  tir_context *context;
  tir_ser_source *source;
  tir_load_options limits;
  tir_ser_budget budget;
  char *text;
  size_t text_size;
  tir_ser_st_header header;
  tir_module *module;
  tir_error *error;
} loading;

static tir_status load_header(loading *l) {
  uint8_t start[TIR_SER_ST_START];
  const uint64_t size = l->source->size;
  uint64_t text_size = 0;
  if (size < sizeof start)
    return tir_ser_fail_at(l->error, size, TIR_ERR_FORMAT,
                           "not a safetensors file: it has %" PRIu64 " bytes",
                           size);
  TIR_TRY(tir_ser_source_read(l->source, start, sizeof start, l->error));
  memcpy(&text_size, start, sizeof text_size);  // a little-endian host
  if (text_size > size - sizeof start)
    return tir_ser_fail_at(l->error, 0, TIR_ERR_FORMAT,
                           "not a safetensors file, or cut short: its header "
                           "has %" PRIu64 " bytes, %" PRIu64 " are there",
                           text_size, size - (uint64_t)sizeof start);
  if (text_size > TIR_SER_ST_MAX_HEADER)
    return tir_ser_fail_at(l->error, 0, TIR_ERR_LIMIT,
                           "header of %" PRIu64 " bytes, at most %d", text_size,
                           TIR_SER_ST_MAX_HEADER);
  TIR_TRY(tir_ser_budget_take(&l->budget, text_size, l->error));
  l->text_size = (size_t)text_size;
  l->text = tir_base_alloc(l->context, l->text_size, 1);
  if (!l->text) return tir_base_fail_memory(l->error, l->text_size);
  TIR_TRY(tir_ser_source_read(l->source, l->text, l->text_size, l->error));
  return tir_ser_st_parse(&l->header, l->text, l->text_size,
                          size - sizeof start - text_size, &l->limits,
                          &l->budget, l->error);
}

// Limits hold for this format as for .tir.
static tir_status check_name(loading *l, const char *name, size_t size,
                             uint64_t place) {
  if (size <= l->limits.max_name) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_fail_at(l->error, place, TIR_ERR_LIMIT,
                         "header: name %s has %zu bytes, at most %" PRIu64,
                         tir_base_quote(name, quoted), size,
                         l->limits.max_name);
}

// An error of the module about what stands at `place`.
static tir_status refuse_at(loading *l, uint64_t place, tir_status status) {
  if (status != TIR_OK && l->error) l->error->byte_offset = place;
  return tir_ser_as_format(status, l->error);
}

// The data of `entry` into `tensor`, which the module then owns. Tensors were
// sorted by place and leave no gaps, so the data comes in order.
static tir_status read_tensor(loading *l, const tir_ser_st_tensor *entry,
                              tir_tensor *tensor) {
  TIR_TRY(tir_ser_source_read(l->source, tensor->data, tensor->size_bytes,
                              l->error));
  if (tensor->dtype == TIR_DTYPE_BOOL) {
    // Any byte that is not 0 is true there; here it is 1.
    uint8_t *bytes = tensor->data;
    for (size_t i = 0; i < tensor->size_bytes; i++) bytes[i] = bytes[i] != 0;
  }
  uint32_t index = 0;
  return refuse_at(
      l, entry->place,
      tir_ir_module_add_tensor(l->module, entry->name, entry->name_size,
                               TIR_PARAM_TRAINABLE, tensor, &index, l->error));
}

static tir_status load_tensor(loading *l, const tir_ser_st_tensor *entry) {
  // Counted whole before anything of it is allocated.
  TIR_TRY(check_name(l, entry->name, entry->name_size, entry->place));
  // Names are kept in blocks that double.
  TIR_TRY(tir_ser_budget_take(&l->budget,
                              entry->end - entry->begin + sizeof(tir_tensor) +
                                  TIR_SER_ALIGN + TIR_SER_NAMED_BYTES +
                                  3 * (uint64_t)entry->name_size,
                              l->error));
  tir_tensor *tensor = NULL;
  TIR_TRY(tir_tensor_create(l->context, entry->dtype, entry->dims, entry->rank,
                            &tensor, l->error));
  const tir_status status = read_tensor(l, entry, tensor);
  if (status != TIR_OK) tir_tensor_release(tensor);
  return status;
}

// A key that comes twice is refused: which value counts would be a guess.
static tir_status load_metadata(loading *l, const tir_ser_st_text *item) {
  TIR_TRY(check_name(l, item->key, item->key_size, item->place));
  char quoted[TIR_QUOTED_MAX];
  if (tir_module_get_metadata(l->module, item->key))
    return tir_ser_fail_at(l->error, item->place, TIR_ERR_FORMAT,
                           "header: metadata %s is given twice",
                           tir_base_quote(item->key, quoted));
  TIR_TRY(tir_ser_budget_take(
      &l->budget,
      TIR_SER_NAMED_BYTES + item->value_size + 3 * (uint64_t)item->key_size,
      l->error));
  return refuse_at(
      l, item->place,
      tir_module_set_metadata(l->module, item->key, item->value, l->error));
}

// The module is half made on an error; load_source destroys it.
static tir_status load_all(loading *l) {
  TIR_TRY(load_header(l));
  TIR_TRY(tir_module_create(l->context, &l->module, l->error));
  for (size_t i = 0; i < l->header.metadata.count; i++)
    TIR_TRY(load_metadata(l, &l->header.metadata.data[i]));
  for (size_t i = 0; i < l->header.tensors.count; i++)
    TIR_TRY(load_tensor(l, &l->header.tensors.data[i]));
  return tir_ser_source_check(l->source, l->error);
}

static tir_status load_source(tir_context *context, tir_ser_source *source,
                              const tir_load_options *options,
                              tir_module **out_module, tir_error *error) {
  loading l = {
      .context = context,
      .source = source,
      .limits = tir_ser_load_limits(options, source->size),
      .header = {.context = context},
      .error = error,
  };
  l.budget.limit = l.limits.max_bytes;
  const tir_status status =
      // Refused rather than ignored: who asks for a mapping counts on its
      // memory.
      l.limits.map
          ? tir_base_fail(error, TIR_ERR_UNSUPPORTED,
                          "safetensors data is not aligned: it is not mapped")
          : load_all(&l);
  tir_ser_st_free(&l.header);
  tir_base_free(context, l.text, l.text_size, 1);
  if (status == TIR_OK) {
    *out_module = l.module;
  } else {
    tir_module_destroy(l.module);
    tir_ser_source_prefix(source, error);
  }
  return status;
}

tir_status tir_ser_st_load(const tir_ser_io *io, tir_context *context,
                           const char *path, const tir_load_options *options,
                           tir_module **out_module, tir_error *error) {
  return tir_ser_load_path(io, context, path, options, load_source, out_module,
                           error);
}

tir_status tir_safetensors_load(tir_context *context, const char *path,
                                const tir_load_options *options,
                                tir_module **out_module, tir_error *error) {
  return tir_ser_st_load(&tir_ser_io_system, context, path, options, out_module,
                         error);
}

tir_status tir_safetensors_load_memory(tir_context *context, const void *bytes,
                                       size_t size,
                                       const tir_load_options *options,
                                       tir_module **out_module,
                                       tir_error *error) {
  return tir_ser_load_bytes(context, bytes, size, options, load_source,
                            out_module, error);
}

// --- into a module ---------------------------------------------------------

// Every parameter of `a` is one of `b` too. The message names the first that is
// not, and how many more there are.
static tir_status check_names(const tir_module *a, const tir_module *b,
                              const char *missing, tir_error *error) {
  const char *first = NULL;
  size_t n = 0;
  for (size_t i = 0; i < a->params.count; i++) {
    const char *name = tir_module_param_name(a, i);
    if (tir_ir_module_param(b, name)) continue;
    if (n++ == 0) first = name;
  }
  if (n == 0) return TIR_OK;
  char quoted[TIR_QUOTED_MAX], more[40] = "";
  if (n > 1) snprintf(more, sizeof more, " and %zu more", n - 1);
  return tir_base_fail(error, TIR_ERR_ARGUMENT, "%s %s%s", missing,
                       tir_base_quote(first, quoted), more);
}

// Names first, then all data: on an error no parameter has changed.
static tir_status copy_into(tir_module *module, tir_module *weights,
                            uint32_t flags, tir_error *error) {
  TIR_TRY(tir_ir_module_acquire(module, false, error));
  tir_status status = TIR_OK;
  if (!(flags & TIR_WEIGHTS_ALLOW_MISSING))
    status = check_names(module, weights, "no tensor for param", error);
  if (status == TIR_OK && !(flags & TIR_WEIGHTS_ALLOW_EXTRA))
    status = check_names(weights, module, "no param for tensor", error);
  tir_ir_module_end_lease(module);
  TIR_TRY(status);
  return tir_module_copy_params(module, weights, NULL, NULL, error);
}

tir_status tir_safetensors_load_into(tir_module *module, const char *path,
                                     uint32_t flags,
                                     const tir_load_options *options,
                                     tir_error *error) {
  // Flags of a later version are refused, as reserved options are.
  const uint32_t known = TIR_WEIGHTS_ALLOW_MISSING | TIR_WEIGHTS_ALLOW_EXTRA;
  if (!module || !path)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "load: %s is NULL",
                         module ? "path" : "module");
  if (flags & ~known)
    return tir_base_fail(
        error, TIR_ERR_ARGUMENT,
        "load: flags are 0x%" PRIx32 ", expected 0 to %" PRIu32, flags, known);
  tir_module *weights = NULL;
  TIR_TRY(
      tir_safetensors_load(module->context, path, options, &weights, error));
  const tir_status status = copy_into(module, weights, flags, error);
  if (status != TIR_OK) {
    // Only for the prefix of the message.
    const tir_ser_source s = {.path = path};
    tir_ser_source_prefix(&s, error);
  }
  tir_module_destroy(weights);
  return status;
}
