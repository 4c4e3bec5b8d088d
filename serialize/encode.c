// A module to the message File: tensors, params, graphs, metadata.
//
// Params and graphs are encoded first, because they are what numbers the
// tensors; the tensor table goes before them in the file. Tensors are not
// copied: the list borrows them, and who writes the file writes their data.
#include "serialize/encode.h"

#include "ir/base/checked.h"
#include "ir/base/hash.h"
#include "serialize/header.h"
#include "serialize/schema.h"
#include "tapeir.pb-c.h"

void tir_ser_tensors_init(tir_ser_tensor_list *list, tir_context *context) {
  *list = (tir_ser_tensor_list){.context = context};
  tir_base_table_init(&list->table, context);
  tir_base_table_init(&list->body_table, context);
  tir_ser_bytes_init(&list->body_bytes, context);
}

void tir_ser_tensors_free(tir_ser_tensor_list *list) {
  TIR_VEC_FREE(list->context, &list->tensors);
  TIR_VEC_FREE(list->context, &list->offsets);
  tir_base_table_free(&list->table);
  TIR_VEC_FREE(list->context, &list->bodies);
  tir_base_table_free(&list->body_table);
  tir_ser_bytes_free(&list->body_bytes);
}

// Callback of the table: tensors are told apart by address.
static bool is_same_tensor(const void *user, uint32_t number,
                           const void *thing) {
  const tir_ser_tensor_list *list = user;
  return list->tensors.data[number - 1] == thing;
}

tir_status tir_ser_tensors_add(tir_ser_tensor_list *list,
                               const tir_tensor *tensor, bool is_param,
                               uint32_t *out_number, tir_error *error) {
  // The flag in the key keeps a constant off the entry of a parameter that has
  // the same storage.
  const uintptr_t key[2] = {(uintptr_t)tensor, is_param};
  const uint64_t hash = tir_base_hash(key, sizeof key);
  *out_number = is_param ? 0
                         : tir_base_table_find(&list->table, hash, tensor,
                                               is_same_tensor, list);
  if (*out_number) return TIR_OK;
  size_t offset = 0, end = 0;
  if (!tir_base_size_align(list->end, TIR_SER_ALIGN, &offset) ||
      !tir_base_size_add(offset, tensor->size_bytes, &end))
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "tensors are too large for a file");
  // Room first: after the table has a number, nothing may fail.
  if (!TIR_VEC_RESERVE(list->context, &list->tensors, 1) ||
      !TIR_VEC_RESERVE(list->context, &list->offsets, 1) ||
      !(*out_number = tir_base_table_add(&list->table, hash)))
    return tir_base_fail_memory(error, 0);
  list->tensors.data[list->tensors.count++] = tensor;
  list->offsets.data[list->offsets.count++] = offset;
  list->end = end;
  return TIR_OK;
}

// In the module's order, and each with a tensor of its own.
static tir_status encode_params(const tir_module *module,
                                tir_ser_tensor_list *tensors,
                                tir_ser_bytes *bytes, tir_error *error) {
  for (size_t i = 0; i < module->params.count; i++) {
    const tir_ir_param *param = &module->params.data[i];
    Tapeir__Param message = TAPEIR__PARAM__INIT;
    message.name =
        tir_ser_text(tir_base_strings_text(&module->strings, param->name));
    message.kind =
        tir_ser_text(param->kind == TIR_PARAM_STATE ? "state" : "trainable");
    TIR_TRY(tir_ser_tensors_add(tensors, param->tensor, true, &message.tensor,
                                error));
    tir_ser_put_message(bytes, TIR_SER_FILE_PARAMS, &message.base);
  }
  return TIR_OK;
}

// Bodies collect in tensors->body_bytes meanwhile.
static tir_status encode_graphs(const tir_module *module,
                                tir_ser_tensor_list *tensors,
                                tir_ser_bytes *bytes, tir_error *error) {
  for (size_t i = 0; i < module->graphs.count; i++) {
    const tir_ir_graph *graph = module->graphs.data[i]->ir;
    const tir_status status =
        tir_ser_encode_graph(graph, tensors, bytes, error);
    if (status != TIR_OK) {
      char quoted[TIR_QUOTED_MAX];
      tir_base_error_append(
          error, " (graph %s)",
          tir_base_quote(tir_base_strings_text(&graph->strings, graph->name),
                         quoted));
      return status;
    }
  }
  return TIR_OK;
}

// Last, when all are known. The checksum is the reason that saving reads every
// byte once before it writes it.
static void encode_tensors(const tir_ser_tensor_list *list,
                           tir_ser_bytes *bytes) {
  for (size_t i = 0; i < list->tensors.count; i++) {
    const tir_tensor *tensor = list->tensors.data[i];
    int64_t dims[TIR_MAX_RANK];
    for (int k = 0; k < tensor->rank; k++) dims[k] = tensor->dims[k];
    Tapeir__Tensor message = TAPEIR__TENSOR__INIT;
    message.dtype = tir_ser_text(tir_dtype_name(tensor->dtype));
    message.n_dims = (size_t)tensor->rank;
    message.dims = dims;
    message.offset = list->offsets.data[i];
    message.size = tensor->size_bytes;
    message.xxh3 = tir_base_hash(tensor->data, tensor->size_bytes);
    tir_ser_put_message(bytes, TIR_SER_FILE_TENSORS, &message.base);
  }
}

static void encode_metadata(const tir_module *module, tir_ser_bytes *bytes) {
  for (size_t i = 0; i < module->metadata.count; i++) {
    const tir_ir_metadata *item = &module->metadata.data[i];
    Tapeir__Metadata message = TAPEIR__METADATA__INIT;
    message.key =
        tir_ser_text(tir_base_strings_text(&module->strings, item->key));
    message.value = tir_ser_text(item->value);
    tir_ser_put_message(bytes, TIR_SER_FILE_METADATA, &message.base);
  }
}

tir_status tir_ser_encode_module(const tir_module *module,
                                 tir_ser_tensor_list *tensors,
                                 tir_ser_bytes *out_bytes, tir_error *error) {
  // Fields stand in the order of their numbers, which is not the order in which
  // they become known.
  tir_ser_bytes rest;
  tir_ser_bytes_init(&rest, module->context);
  tir_status status = encode_params(module, tensors, &rest, error);
  if (status == TIR_OK) status = encode_graphs(module, tensors, &rest, error);
  if (status == TIR_OK) {
    encode_metadata(module, &rest);
    encode_tensors(tensors, out_bytes);
    tir_ser_put(out_bytes, rest.vec.data, rest.vec.count);
    const tir_ser_bytes *bodies = &tensors->body_bytes;
    tir_ser_put(out_bytes, bodies->vec.data, bodies->vec.count);
    if (bodies->out_of_memory || rest.out_of_memory || out_bytes->out_of_memory)
      status = tir_base_fail_memory(error, rest.vec.count);
  }
  tir_ser_bytes_free(&rest);
  return status;
}
