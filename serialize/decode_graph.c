// One graph from its message.
//
// The tables come first, then the nodes, each through tir_ir_append_checked:
// the loader trusts nothing that the op's own check does not confirm. Inferred
// types are compared with the stored ones. Any error ends the load; the graph
// and its tables are then freed here, and the message names the graph.
#include "serialize/decode_graph.h"

#include <inttypes.h>
#include <stdio.h>

#include "serialize/schema.h"

enum {
  // What a graph takes before anything is in it, generously: its struct and
  // the first rooms of its arrays.
  NEW_GRAPH_BYTES = 8192,
  // And what its entry in the module takes for good.
  ENTRY_BYTES = 512,
};

tir_status tir_ser_graph_fail(tir_ser_graph_decoder *d,
                              const tir_ser_field *field, tir_status status,
                              const char *format, ...) {
  va_list args;
  va_start(args, format);
  tir_base_fail_v(d->decoder->error, status, format, args);
  va_end(args);
  tir_ser_decode_place(d->decoder, field->start);
  return status;
}

tir_status tir_ser_graph_no_memory(tir_ser_graph_decoder *d) {
  return tir_base_fail_memory(d->decoder->error, 0);
}

// --- fields ----------------------------------------------------------------

// Behind all nodes, so that any value may be one.
static tir_status decode_output(tir_ser_graph_decoder *d,
                                const tir_ser_field *field) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(d->decoder, &tapeir__output__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Output *message = (const Tapeir__Output *)base;
  const char *name = NULL;
  TIR_TRY(tir_ser_decode_name(d->decoder, field->start, "output name",
                              &message->name, &name));
  if (message->value == 0 || message->value > tir_ir_n_values(d->graph))
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "output is value %" PRIu32
                              ", the graph has %" PRIu32,
                              message->value, tir_ir_n_values(d->graph));
  return tir_ir_add_output(d->graph, (tir_ir_value){message->value}, name,
                           d->decoder->error);
}

static tir_status decode_field(tir_ser_graph_decoder *d,
                               const tir_ser_field *field) {
  // Names are copied into the graph: at most the bytes of the field.
  TIR_TRY(tir_ser_graph_take(d, field->size));
  switch (field->number) {
    case TIR_SER_GRAPH_OPS:
      return tir_ser_decode_op(d, field);
    case TIR_SER_GRAPH_SYMBOLS:
      return tir_ser_decode_symbol(d, field);
    case TIR_SER_GRAPH_TYPES:
      return tir_ser_decode_type(d, field);
    case TIR_SER_GRAPH_SITES:
      return tir_ser_decode_site(d, field);
    case TIR_SER_GRAPH_NODES:
      return tir_ser_decode_node(d, field);
    case TIR_SER_GRAPH_OUTPUTS:
      return decode_output(d, field);
    case TIR_SER_GRAPH_NAME:
      return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT, "a second name");
    default:
      return TIR_OK;  // an extra field
  }
}

static tir_status decode_fields(tir_ser_graph_decoder *d) {
  tir_ser_field field = {.start = d->cursor.pos};
  // The name was read by create_graph.
  uint32_t last = TIR_SER_GRAPH_NAME;
  while (d->cursor.pos < d->cursor.end) {
    const char *wrong = tir_ser_read_field(&d->cursor, &field);
    if (!wrong && field.number < last)
      wrong = "fields are not in the order of their numbers";
    if (wrong)
      return tir_ser_decode_fail(d->decoder, d->cursor.pos, TIR_ERR_FORMAT,
                                 "%s", wrong);
    last = field.number;
    // Scratch memory of the field before.
    tir_ser_scratch_reset(&d->decoder->scratch);
    TIR_TRY(decode_field(d, &field));
  }
  return TIR_OK;
}

// --- the whole -------------------------------------------------------------

// The name comes first: the graph is created with it.
static tir_status create_graph(tir_ser_graph_decoder *d) {
  tir_ser_field field = {.start = d->cursor.pos};
  const char *wrong = "it has no name";
  if (d->cursor.pos < d->cursor.end)
    wrong = tir_ser_read_field(&d->cursor, &field);
  if (!wrong && field.number != TIR_SER_GRAPH_NAME) wrong = "it has no name";
  if (wrong)
    return tir_ser_decode_fail(d->decoder, field.start, TIR_ERR_FORMAT, "%s",
                               wrong);
  const ProtobufCBinaryData content = tir_ser_content_of(d, &field);
  const char *name = NULL;
  tir_ser_scratch_reset(&d->decoder->scratch);
  TIR_TRY(tir_ser_decode_name(d->decoder, field.start, "graph name", &content,
                              &name));
  TIR_TRY(tir_ser_budget_take(&d->decoder->budget, NEW_GRAPH_BYTES,
                              d->decoder->error));
  return tir_ir_graph_create(d->decoder->context, name, &d->graph,
                             d->decoder->error);
}

static void free_tables(tir_ser_graph_decoder *d) {
  tir_context *context = d->decoder->context;
  TIR_VEC_FREE(context, &d->ops);
  TIR_VEC_FREE(context, &d->symbols);
  TIR_VEC_FREE(context, &d->types);
  TIR_VEC_FREE(context, &d->results);
  TIR_VEC_FREE(context, &d->sites);
}

// By its name, once it has one.
static void name_graph(tir_ser_graph_decoder *d) {
  char prefix[TIR_QUOTED_MAX + 16] = "graph", quoted[TIR_QUOTED_MAX];
  if (d->graph)
    snprintf(
        prefix, sizeof prefix, "graph %s",
        tir_base_quote(
            tir_base_strings_text(&d->graph->strings, d->graph->name), quoted));
  tir_base_error_prefix(d->decoder->error, prefix);
}

tir_status tir_ser_decode_graph(tir_ser_decoder *decoder, size_t offset,
                                size_t size, tir_ir_graph **out_graph,
                                uint64_t *out_unfolded) {
  *out_graph = NULL;
  // A new serial: what tensors know of another graph does not hold here.
  decoder->n_graphs++;
  tir_ser_graph_decoder d = {
      .decoder = decoder,
      .cursor = {decoder->bytes, offset, offset + size},
  };
  tir_status status = create_graph(&d);
  if (status == TIR_OK) status = tir_ser_graph_reserve(&d);
  if (status == TIR_OK) status = decode_fields(&d);
  free_tables(&d);
  if (status != TIR_OK) {
    name_graph(&d);
    tir_ir_graph_destroy(d.graph);
    return status;
  }
  // The graph stays, the room for growth goes back.
  tir_ser_budget_give(&decoder->budget, d.taken + NEW_GRAPH_BYTES);
  const uint64_t kept = tir_ir_graph_bytes(d.graph) + ENTRY_BYTES;
  status = tir_ser_budget_take(&decoder->budget, kept, decoder->error);
  if (status != TIR_OK) {
    tir_ir_graph_destroy(d.graph);
    return status;
  }
  *out_graph = d.graph;
  // All of it was taken from the budget: no sum overflows.
  *out_unfolded = kept + d.unfolded;
  return TIR_OK;
}
