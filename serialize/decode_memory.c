// Memory of a graph being decoded, against the budget of the load.
//
// The graph counts by what its arrays hold, plus what growing them for the
// next item would take, so that the budget bounds the peak and not the result.
#include "serialize/decode_graph.h"
#include "serialize/schema.h"

// What the decoder's own tables hold.
static uint64_t table_bytes(const tir_ser_graph_decoder *d) {
  return d->ops.capacity * sizeof *d->ops.data +
         d->symbols.capacity * sizeof *d->symbols.data +
         d->types.capacity * sizeof *d->types.data +
         d->sites.capacity * sizeof *d->sites.data;
}

// What growing a vector for the next item may add for a moment: the new, twice
// as large block beside the old one.
#define GROWTH(vec, room)                                             \
  ((vec).count + (room) > (vec).capacity                              \
       ? 2 * (uint64_t)((vec).capacity + (room)) * sizeof *(vec).data \
       : 0)

static uint64_t growth_bytes(const tir_ser_graph_decoder *d) {
  // Dims and symbols of all results of a node; chunks of a string table's arena
  // double up to this size.
  enum { ROOM = 2 * TIR_MAX_RANK * TIR_MAX_OUTPUTS, CHUNK = 1 << 18 };
  const tir_ir_graph *g = d->graph;
  const tir_base_strings *s = &g->strings;
  const uint64_t chunk =
      s->arena.total_bytes < CHUNK ? 2 * (uint64_t)s->arena.total_bytes : CHUNK;
  const uint64_t buckets = 2 * (s->texts.count + TIR_MAX_OUTPUTS) > s->n_buckets
                               ? 2 * s->n_buckets * sizeof *s->buckets
                               : 0;
  return GROWTH(g->dims, ROOM) + GROWTH(g->attrs, TIR_N_ZERO_WORDS) +
         GROWTH(g->tensors, 1) + GROWTH(g->bodies, 4) + GROWTH(g->inputs, 1) +
         GROWTH(g->outputs, 1) + GROWTH(s->texts, TIR_MAX_OUTPUTS) + buckets +
         chunk + GROWTH(d->ops, 1) + GROWTH(d->symbols, 1) +
         GROWTH(d->types, 1) + GROWTH(d->sites, 1);
}

// Only what is more than was taken: the need grows, and is given back whole.
tir_status tir_ser_graph_take(tir_ser_graph_decoder *d, uint64_t extra) {
  const uint64_t need =
      tir_ir_graph_bytes(d->graph) + table_bytes(d) + growth_bytes(d) + extra;
  if (need <= d->taken) return TIR_OK;
  TIR_TRY(tir_ser_budget_take(&d->decoder->budget, need - d->taken,
                              d->decoder->error));
  d->taken = need;
  return TIR_OK;
}

// The pre-scan found whole varints: each has one last byte.
static size_t count_packed(const uint8_t *bytes, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < size; i++) n += bytes[i] < 0x80;
  return n;
}

static void count_node(const tir_ser_graph_decoder *d,
                       const tir_ser_field *node, size_t *n_in, size_t *n_out) {
  tir_ser_cursor cursor = {d->cursor.bytes, node->offset,
                           node->offset + node->size};
  tir_ser_field field;
  while (cursor.pos < cursor.end && !tir_ser_read_field(&cursor, &field)) {
    size_t n = 1;
    if (field.type == TIR_SER_WIRE_BYTES)
      n = count_packed(cursor.bytes + field.offset, field.size);
    if (field.number == TIR_SER_NODE_INPUTS) *n_in += n;
    if (field.number == TIR_SER_NODE_TYPES) *n_out += n;
  }
}

tir_status tir_ser_graph_reserve(tir_ser_graph_decoder *d) {
  size_t n_nodes = 0, n_in = 0, n_out = 0;
  tir_ser_cursor cursor = d->cursor;
  tir_ser_field field;
  while (cursor.pos < cursor.end && !tir_ser_read_field(&cursor, &field)) {
    if (field.number != TIR_SER_GRAPH_NODES) continue;
    n_nodes++;
    count_node(d, &field, &n_in, &n_out);
  }
  tir_ir_graph *g = d->graph;
  // Each count is bounded by the bytes of the message.
  TIR_TRY(tir_ser_graph_take(d, n_nodes * sizeof *g->nodes.data +
                                    n_out * sizeof *g->values.data +
                                    n_in * sizeof *g->operands.data));
  tir_context *context = d->decoder->context;
  if (!TIR_VEC_RESERVE(context, &g->nodes, n_nodes) ||
      !TIR_VEC_RESERVE(context, &g->values, n_out) ||
      !TIR_VEC_RESERVE(context, &g->operands, n_in))
    return tir_ser_graph_no_memory(d);
  return TIR_OK;
}
