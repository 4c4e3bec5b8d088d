// The tables of a graph: ops, dim names, types, places.
//
// Entries are numbered from 1 in the order of the file. A node refers to them
// by number, and the decoder looks the number up in the vectors filled here.
// Names in the graph are its own: nothing points into the file afterwards.
#include <inttypes.h>
#include <string.h>

#include "serialize/decode_graph.h"

// protobuf-c has no const; the union says that nobody writes.
ProtobufCBinaryData tir_ser_content_of(const tir_ser_graph_decoder *d,
                                       const tir_ser_field *field) {
  union {
    const uint8_t *in;
    uint8_t *out;
  } cast = {d->cursor.bytes + field->offset};
  return (ProtobufCBinaryData){field->size, cast.out};
}

// Ops are stored by name once per graph. Internal ones are refused too: a file
// with one would be a graph half expanded.
tir_status tir_ser_decode_op(tir_ser_graph_decoder *d,
                             const tir_ser_field *field) {
  const ProtobufCBinaryData name = tir_ser_content_of(d, field);
  const tir_op op = tir_ir_op_find((const char *)name.data, name.len);
  char quoted[TIR_QUOTED_MAX];
  if (op == TIR_OP_NONE || (tir_ir_op_desc(op)->traits & TIR_TRAIT_INTERNAL))
    return tir_ser_graph_fail(d, field, TIR_ERR_UNSUPPORTED,
                              "op %s is not known",
                              tir_ser_quote(&name, quoted));
  return TIR_VEC_PUSH(d->decoder->context, &d->ops, (uint32_t)op)
             ? TIR_OK
             : tir_ser_graph_no_memory(d);
}

tir_status tir_ser_decode_symbol(tir_ser_graph_decoder *d,
                                 const tir_ser_field *field) {
  const ProtobufCBinaryData content = tir_ser_content_of(d, field);
  const char *name = NULL;
  TIR_TRY(tir_ser_decode_name(d->decoder, field->start, "dim name", &content,
                              &name));
  if (!name[0])
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT, "a dim name is empty");
  uint32_t id = 0;
  // Dims of one name share one id, also where the file lists the name twice.
  if (!tir_base_strings_intern(&d->graph->strings, name, content.len, &id) ||
      !TIR_VEC_PUSH(d->decoder->context, &d->symbols, id))
    return tir_ser_graph_no_memory(d);
  return TIR_OK;
}

// Places must outlive the file: the graph keeps a copy.
tir_status tir_ser_decode_site(tir_ser_graph_decoder *d,
                               const tir_ser_field *field) {
  const ProtobufCBinaryData content = tir_ser_content_of(d, field);
  const char *text = NULL;
  TIR_TRY(
      tir_ser_decode_name(d->decoder, field->start, "place", &content, &text));
  const char *site = tir_ir_keep_site(d->graph, text);
  if (!site || !TIR_VEC_PUSH(d->decoder->context, &d->sites, site))
    return tir_ser_graph_no_memory(d);
  return TIR_OK;
}

// All dims or none: 0 stands for a dim without a name.
static tir_status decode_symbols(tir_ser_graph_decoder *d,
                                 const tir_ser_field *field,
                                 const Tapeir__Type *message,
                                 tir_ir_type *type) {
  if (message->n_symbols == 0) return TIR_OK;
  if (message->n_symbols != message->n_dims)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "type has %zu dims, %zu symbols", message->n_dims,
                              message->n_symbols);
  for (size_t i = 0; i < message->n_symbols; i++) {
    const uint32_t number = message->symbols[i];
    if (number > d->symbols.count)
      return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                                "type refers to dim name %" PRIu32
                                ", there are %zu",
                                number, d->symbols.count);
    type->symbols[i] = number ? d->symbols.data[number - 1] : 0;
  }
  return TIR_OK;
}

// Zeroed first: types are compared and hashed whole further on.
tir_status tir_ser_decode_type(tir_ser_graph_decoder *d,
                               const tir_ser_field *field) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(d->decoder, &tapeir__type__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Type *message = (const Tapeir__Type *)base;
  tir_ir_type type;
  memset(&type, 0, sizeof type);
  TIR_TRY(tir_ser_decode_dtype(d->decoder, field->start, &message->dtype,
                               &type.dtype));
  if (message->n_dims > TIR_MAX_RANK)
    return tir_ser_graph_fail(d, field, TIR_ERR_LIMIT,
                              "type has rank %zu, at most %d", message->n_dims,
                              TIR_MAX_RANK);
  type.rank = (int)message->n_dims;
  for (int i = 0; i < type.rank; i++) type.dims[i] = message->dims[i];
  TIR_TRY(decode_symbols(d, field, message, &type));
  const tir_status status = tir_ir_type_check(&type, d->decoder->error);
  if (status != TIR_OK) {
    tir_ser_decode_place(d->decoder, field->start);
    return status;
  }
  return TIR_VEC_PUSH(d->decoder->context, &d->types, type)
             ? TIR_OK
             : tir_ser_graph_no_memory(d);
}
