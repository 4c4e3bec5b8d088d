// The message File to a module: tensor table, params, metadata.
//
// Fields are walked in place; each part is unpacked on its own into scratch
// memory and converted, so the peak is the module itself and one part.
//
// Order of calls: scan, tensors, then (once the caller has the tensors' data)
// the module. What is kept for good is counted against the budget before it is
// made.
#include "serialize/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/base/checked.h"
#include "serialize/header.h"
#include "serialize/prescan.h"
#include "serialize/schema.h"
#include "serialize/source.h"
#include "serialize/wire.h"
#include "tapeir.pb-c.h"

// --- life ------------------------------------------------------------------

void tir_ser_decoder_init(tir_ser_decoder *decoder, tir_context *context,
                          const tir_load_options *options, uint64_t file_size,
                          tir_error *error) {
  *decoder = (tir_ser_decoder){
      .context = context,
      .file_offset = TIR_SER_HEADER_BYTES,
      .limits = tir_ser_load_limits(options, file_size),
      .error = error,
  };
  decoder->budget.limit = decoder->limits.max_bytes;
  tir_ser_scratch_init(&decoder->scratch, context, &decoder->budget);
}

void tir_ser_decoder_free(tir_ser_decoder *decoder) {
  for (size_t i = 0; i < decoder->tensors.count; i++)
    tir_tensor_release(decoder->tensors.data[i].tensor);
  for (size_t i = 0; i < decoder->bodies.count; i++)
    tir_ir_body_release(decoder->bodies.data[i].body);
  TIR_VEC_FREE(decoder->context, &decoder->bodies);
  TIR_VEC_FREE(decoder->context, &decoder->tensors);
  tir_ser_scratch_free(&decoder->scratch);
}

// --- helpers ---------------------------------------------------------------

tir_status tir_ser_decode_fail(tir_ser_decoder *decoder, size_t offset,
                               tir_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(decoder->error, status, format, args);
  va_end(args);
  tir_ser_decode_place(decoder, offset);
  return status;
}

// Errors tell offsets in the file, so that of the section is added.
void tir_ser_decode_place(tir_ser_decoder *decoder, size_t offset) {
  if (decoder->error)
    decoder->error->byte_offset = decoder->file_offset + offset;
}

// The allocator fails for two reasons, and the caller can only mend one: a
// limit of the load is not memory that ran out.
static tir_status no_scratch(tir_ser_decoder *decoder, size_t offset,
                             size_t size) {
  if (!decoder->scratch.over_budget)
    return tir_base_fail_memory(decoder->error, size);
  return tir_ser_decode_fail(decoder, offset, TIR_ERR_LIMIT,
                             "loading needs more memory than the limit of "
                             "%" PRIu64 " bytes",
                             decoder->budget.limit);
}

tir_status tir_ser_unpack(tir_ser_decoder *decoder,
                          const ProtobufCMessageDescriptor *message,
                          size_t offset, size_t size,
                          ProtobufCMessage **out_message) {
  tir_ser_scratch *scratch = &decoder->scratch;
  tir_ser_scratch_reset(scratch);
  scratch->over_budget = false;
  *out_message = protobuf_c_message_unpack(message, &scratch->allocator, size,
                                           decoder->bytes + offset);
  // After the pre-scan, only memory is left as a reason.
  return *out_message ? TIR_OK : no_scratch(decoder, offset, size);
}

// Into scratch memory: names go on into string tables, which copy them.
tir_status tir_ser_decode_text(tir_ser_decoder *decoder, size_t offset,
                               const ProtobufCBinaryData *text,
                               const char **out_text) {
  *out_text = "";
  tir_ser_scratch *scratch = &decoder->scratch;
  char *copy = scratch->allocator.alloc(scratch, text->len + 1);
  if (!copy) return no_scratch(decoder, offset, text->len);
  if (text->len) memcpy(copy, text->data, text->len);
  copy[text->len] = '\0';
  *out_text = copy;
  return TIR_OK;
}

tir_status tir_ser_decode_name(tir_ser_decoder *decoder, size_t offset,
                               const char *what,
                               const ProtobufCBinaryData *name,
                               const char **out_name) {
  *out_name = "";
  if (name->len > decoder->limits.max_name)
    return tir_ser_decode_fail(decoder, offset, TIR_ERR_LIMIT,
                               "%s of %zu bytes is longer than the limit of "
                               "%" PRIu64,
                               what, name->len, decoder->limits.max_name);
  return tir_ser_decode_text(decoder, offset, name, out_name);
}

tir_status tir_ser_decode_dtype(tir_ser_decoder *decoder, size_t offset,
                                const ProtobufCBinaryData *name,
                                tir_dtype *out_dtype) {
  *out_dtype =
      tir_ir_dtype_parse(name->len ? (const char *)name->data : "", name->len);
  if (*out_dtype != TIR_DTYPE_INVALID) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_decode_fail(decoder, offset, TIR_ERR_UNSUPPORTED,
                             "dtype %s is not known",
                             tir_ser_quote(name, quoted));
}

// --- scan ------------------------------------------------------------------

// Before anything is unpacked: malformed bytes end here, and the counts are
// known, so that tables are allocated once and within the budget.
tir_status tir_ser_decode_scan(tir_ser_decoder *decoder) {
  const tir_load_options *limits = &decoder->limits;
  tir_ser_count counts[] = {
      {&tapeir__graph__descriptor, TIR_SER_GRAPH_NODES, "nodes",
       limits->max_nodes, 0},
      {&tapeir__file__descriptor, TIR_SER_FILE_TENSORS, "tensors",
       limits->max_tensors, 0},
      {&tapeir__file__descriptor, TIR_SER_FILE_PARAMS, "parameters",
       limits->max_tensors, 0},
  };
  const tir_ser_prescan scan = {
      .root = &tapeir__file__descriptor,
      .bytes = decoder->bytes,
      .size = decoder->size,
      .file_offset = decoder->file_offset,
      .bytes_are_text = true,
      .first_extra = TIR_SER_FIRST_EXTRA,
      .counts = counts,
      .n_counts = sizeof counts / sizeof *counts,
  };
  TIR_TRY(tir_ser_prescan_run(&scan, decoder->error));
  const uint64_t n_tensors = counts[1].n;
  // An entry here, and the tensor that will be made for it.
  const uint64_t each = sizeof(tir_ser_tensor) + sizeof(struct tir_tensor);
  TIR_TRY(
      tir_ser_budget_take(&decoder->budget, n_tensors * each, decoder->error));
  if (!TIR_VEC_RESERVE(decoder->context, &decoder->tensors, n_tensors))
    return tir_base_fail_memory(decoder->error,
                                n_tensors * sizeof(tir_ser_tensor));
  return TIR_OK;
}

// --- tensors ---------------------------------------------------------------

// Every offset follows from the sizes before it. So ranges cannot overlap,
// leave holes or point outside, and there is nothing to choose.
static tir_status check_place(tir_ser_decoder *decoder, size_t at,
                              const Tapeir__Tensor *message, uint64_t end,
                              uint64_t tensor_bytes, tir_ser_tensor *tensor) {
  const size_t number = decoder->tensors.count + 1;
  size_t bytes = 0, expected = 0;
  if (!tir_base_tensor_bytes(tensor->dims, tensor->rank,
                             tir_dtype_size(tensor->dtype), &bytes))
    return tir_ser_decode_fail(decoder, at, TIR_ERR_LIMIT,
                               "tensor %zu: its dims are negative or too large",
                               number);
  if (message->size != bytes)
    return tir_ser_decode_fail(decoder, at, TIR_ERR_FORMAT,
                               "tensor %zu: %" PRIu64
                               " bytes, its type needs %zu",
                               number, message->size, bytes);
  if (!tir_base_size_align((size_t)end, TIR_SER_ALIGN, &expected) ||
      message->offset != expected)
    return tir_ser_decode_fail(decoder, at, TIR_ERR_FORMAT,
                               "tensor %zu: starts at %" PRIu64
                               ", expected %zu",
                               number, message->offset, expected);
  if (expected > tensor_bytes || bytes > tensor_bytes - expected)
    return tir_ser_decode_fail(decoder, at, TIR_ERR_FORMAT,
                               "tensor %zu: ends past the tensor section of "
                               "%" PRIu64 " bytes",
                               number, tensor_bytes);
  tensor->offset = expected;
  tensor->size = bytes;
  return TIR_OK;
}

// One entry of the table. *end is where the tensors so far end.
static tir_status decode_tensor(tir_ser_decoder *decoder,
                                const tir_ser_field *field,
                                uint64_t tensor_bytes, uint64_t *end) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(decoder, &tapeir__tensor__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Tensor *message = (const Tapeir__Tensor *)base;
  tir_ser_tensor tensor = {.hash = message->xxh3};
  TIR_TRY(tir_ser_decode_dtype(decoder, field->start, &message->dtype,
                               &tensor.dtype));
  if (message->n_dims > TIR_MAX_RANK)
    return tir_ser_decode_fail(decoder, field->start, TIR_ERR_LIMIT,
                               "tensor %zu: rank %zu, at most %d",
                               decoder->tensors.count + 1, message->n_dims,
                               TIR_MAX_RANK);
  tensor.rank = (int)message->n_dims;
  for (int i = 0; i < tensor.rank; i++) tensor.dims[i] = message->dims[i];
  TIR_TRY(
      check_place(decoder, field->start, message, *end, tensor_bytes, &tensor));
  *end = tensor.offset + tensor.size;
  // Room was reserved by the scan, which counted this very field.
  decoder->tensors.data[decoder->tensors.count++] = tensor;
  return TIR_OK;
}

// The next field of File; numbers must not fall.
static bool next_field(tir_ser_decoder *decoder, tir_ser_cursor *cursor,
                       tir_ser_field *field, uint32_t *last,
                       tir_status *status) {
  *status = TIR_OK;
  if (cursor->pos == cursor->end) return false;
  // The pre-scan has read all of these: only the order is new.
  const char *wrong = tir_ser_read_field(cursor, field);
  if (!wrong && field->number < *last)
    wrong = "fields are not in the order of their numbers";
  if (wrong) {
    *status = tir_ser_decode_fail(decoder, cursor->pos, TIR_ERR_FORMAT,
                                  "File: %s", wrong);
    return false;
  }
  *last = field->number;
  return true;
}

tir_status tir_ser_decode_tensors(tir_ser_decoder *decoder,
                                  uint64_t tensor_bytes) {
  tir_ser_cursor cursor = {decoder->bytes, 0, decoder->size};
  tir_ser_field field;
  uint32_t last = 0;
  uint64_t end = 0;
  tir_status status = TIR_OK;
  while (next_field(decoder, &cursor, &field, &last, &status) &&
         field.number == TIR_SER_FILE_TENSORS)
    TIR_TRY(decode_tensor(decoder, &field, tensor_bytes, &end));
  TIR_TRY(status);
  // Nor may the section hold bytes that belong to no tensor.
  if (end != tensor_bytes)
    return tir_ser_decode_fail(decoder, 0, TIR_ERR_FORMAT,
                               "tensors end at %" PRIu64
                               ", the tensor section at %" PRIu64,
                               end, tensor_bytes);
  return TIR_OK;
}

// --- params and metadata ---------------------------------------------------

// By name, so that a kind a later version adds is refused, not guessed.
static tir_status param_kind(tir_ser_decoder *decoder, size_t at,
                             const ProtobufCBinaryData *kind,
                             tir_param_kind *out_kind) {
  static const char *const names[] = {"trainable", "state"};
  for (int i = 0; i < 2; i++) {
    *out_kind = (tir_param_kind)i;
    if (kind->len == strlen(names[i]) &&
        memcmp(kind->data, names[i], kind->len) == 0)
      return TIR_OK;
  }
  char quoted[TIR_QUOTED_MAX];
  return tir_ser_decode_fail(decoder, at, TIR_ERR_UNSUPPORTED,
                             "parameter kind %s is not known",
                             tir_ser_quote(kind, quoted));
}

// A tensor belongs to one parameter at most: two would be written by one run.
static tir_status decode_param(tir_ser_decoder *decoder,
                               const tir_ser_field *field, tir_module *module) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(decoder, &tapeir__param__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Param *message = (const Tapeir__Param *)base;
  const char *name = NULL;
  TIR_TRY(tir_ser_decode_name(decoder, field->start, "parameter name",
                              &message->name, &name));
  tir_param_kind kind = TIR_PARAM_TRAINABLE;
  TIR_TRY(param_kind(decoder, field->start, &message->kind, &kind));
  char quoted[TIR_QUOTED_MAX];
  const size_t n = decoder->tensors.count;
  if (message->tensor == 0 || message->tensor > n)
    return tir_ser_decode_fail(
        decoder, field->start, TIR_ERR_FORMAT,
        "parameter %s: tensor %" PRIu32 ", the file has %zu",
        tir_base_quote(name, quoted), message->tensor, n);
  tir_ser_tensor *tensor = &decoder->tensors.data[message->tensor - 1];
  if (tensor->is_param)
    return tir_ser_decode_fail(decoder, field->start, TIR_ERR_FORMAT,
                               "parameter %s: tensor %" PRIu32
                               " belongs to another parameter",
                               tir_base_quote(name, quoted), message->tensor);
  // Of a body: those are read before the parameters.
  if (tensor->graph != 0)
    return tir_ser_decode_fail(decoder, field->start, TIR_ERR_FORMAT,
                               "parameter %s: tensor %" PRIu32
                               " belongs to a constant",
                               tir_base_quote(name, quoted), message->tensor);
  // The name and its entry in the module's tables.
  uint32_t index = 0;
  TIR_TRY(tir_ser_budget_take(
      &decoder->budget, 3 * (uint64_t)message->name.len + TIR_SER_NAMED_BYTES,
      decoder->error));
  const tir_status status =
      tir_ir_module_add_tensor(module, name, message->name.len, kind,
                               tensor->tensor, &index, decoder->error);
  if (status != TIR_OK) {
    tir_ser_decode_place(decoder, field->start);
    return status;
  }
  tir_tensor_retain(tensor->tensor);  // one for the module, one for the table
  tensor->is_param = true;
  // For a mapped tensor, which is compared when someone asks.
  module->params.data[index].checksum = tensor->hash;
  module->params.data[index].unverified = tensor->unverified;
  return TIR_OK;
}

// A key that comes twice is refused, as a second name of a parameter is.
static tir_status decode_metadata(tir_ser_decoder *decoder,
                                  const tir_ser_field *field,
                                  tir_module *module) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(decoder, &tapeir__metadata__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Metadata *message = (const Tapeir__Metadata *)base;
  const char *key = NULL;
  TIR_TRY(tir_ser_decode_name(decoder, field->start, "metadata key",
                              &message->key, &key));
  if (!key[0] || tir_module_get_metadata(module, key)) {
    char quoted[TIR_QUOTED_MAX];
    return tir_ser_decode_fail(
        decoder, field->start, TIR_ERR_FORMAT, "metadata key %s is %s",
        tir_base_quote(key, quoted), key[0] ? "there twice" : "empty");
  }
  // Values have no limit of their own: the budget bounds them.
  const char *value = NULL;
  tir_status status =
      tir_ser_decode_text(decoder, field->start, &message->value, &value);
  if (status == TIR_OK)
    status = tir_ser_budget_take(&decoder->budget,
                                 3 * (uint64_t)message->key.len +
                                     message->value.len + TIR_SER_NAMED_BYTES,
                                 decoder->error);
  if (status == TIR_OK)
    status = tir_module_set_metadata(module, key, value, decoder->error);
  if (status != TIR_OK) tir_ser_decode_place(decoder, field->start);
  return status;
}

// --- the whole -------------------------------------------------------------

// A graph of the module. The module has it from here on, also on an error.
static tir_status decode_graph(tir_ser_decoder *decoder,
                               const tir_ser_field *field, tir_module *module) {
  tir_ir_graph *graph = NULL;
  uint64_t unfolded = 0;
  TIR_TRY(tir_ser_decode_graph(decoder, field->offset, field->size, &graph,
                               &unfolded));
  tir_graph *published = NULL;
  const tir_status status =
      tir_ir_module_add_graph(module, graph, &published, decoder->error);
  if (status != TIR_OK) tir_ser_decode_place(decoder, field->start);
  return status;
}

// A body may hold bodies that stand before it.
static tir_status decode_body(tir_ser_decoder *decoder,
                              const tir_ser_field *field) {
  tir_ir_graph *graph = NULL;
  tir_ir_body *body = NULL;
  uint64_t unfolded = 0;
  TIR_TRY(tir_ser_budget_take(&decoder->budget,
                              sizeof *body + 4 * sizeof(tir_ser_body),
                              decoder->error));
  // Before the body is made, so that it cannot be lost for want of room.
  if (!TIR_VEC_RESERVE(decoder->context, &decoder->bodies, 1))
    return tir_base_fail_memory(decoder->error, sizeof(tir_ser_body));
  TIR_TRY(tir_ser_decode_graph(decoder, field->offset, field->size, &graph,
                               &unfolded));
  const tir_status status = tir_ir_body_create(graph, &body, decoder->error);
  if (status == TIR_OK) {
    decoder->bodies.data[decoder->bodies.count++] =
        (tir_ser_body){.body = body, .unfolded = unfolded};
    return TIR_OK;
  }
  // A body's graph has no name that its writer would know: its number says
  // more.
  char prefix[32];
  snprintf(prefix, sizeof prefix, "body %zu", decoder->bodies.count + 1);
  tir_base_error_prefix(decoder->error, prefix);
  tir_ser_decode_place(decoder, field->start);
  return status;
}

// Bodies stand behind the graphs that use them, so they are read in a pass of
// their own, before the graphs.
static tir_status decode_bodies(tir_ser_decoder *decoder) {
  tir_ser_cursor cursor = {decoder->bytes, 0, decoder->size};
  tir_ser_field field;
  uint32_t last = 0;
  tir_status status = TIR_OK;
  while (next_field(decoder, &cursor, &field, &last, &status))
    if (field.number == TIR_SER_FILE_BODIES)
      TIR_TRY(decode_body(decoder, &field));
  return status;
}

// One that no node took means that the file is not what was written.
static tir_status check_bodies(tir_ser_decoder *decoder) {
  for (size_t i = 0; i < decoder->bodies.count; i++)
    if (!decoder->bodies.data[i].is_used)
      return tir_ser_decode_fail(decoder, 0, TIR_ERR_FORMAT,
                                 "body %zu is used by no node", i + 1);
  return TIR_OK;
}

tir_status tir_ser_decode_module(tir_ser_decoder *decoder, tir_module *module) {
  TIR_TRY(decode_bodies(decoder));
  tir_ser_cursor cursor = {decoder->bytes, 0, decoder->size};
  tir_ser_field field;
  uint32_t last = 0;
  tir_status status = TIR_OK;
  // Tensors are there, bodies were read, extra fields are skipped.
  while (next_field(decoder, &cursor, &field, &last, &status)) {
    if (field.number == TIR_SER_FILE_PARAMS)
      status = decode_param(decoder, &field, module);
    else if (field.number == TIR_SER_FILE_GRAPHS)
      status = decode_graph(decoder, &field, module);
    else if (field.number == TIR_SER_FILE_METADATA)
      status = decode_metadata(decoder, &field, module);
    if (status != TIR_OK) break;
  }
  return status == TIR_OK ? check_bodies(decoder) : status;
}
