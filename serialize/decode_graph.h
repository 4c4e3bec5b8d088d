// Inside of the graph decoder: what its files share.
#ifndef TAPEIR_SERIALIZE_DECODE_GRAPH_H
#define TAPEIR_SERIALIZE_DECODE_GRAPH_H

#include "serialize/decode.h"
#include "serialize/wire.h"
#include "tapeir.pb-c.h"

typedef struct tir_ser_graph_decoder {
  tir_ser_decoder *decoder;
  tir_ser_cursor cursor;
  tir_ir_graph *graph;
  uint64_t taken;         // of the budget, for the graph and the tables here
  uint64_t unfolded;      // of the bodies of its nodes, one by one
  TIR_VEC(uint32_t) ops;  // file number − 1 → tir_op
  TIR_VEC(uint32_t) symbols;  // → string id
  TIR_VEC(tir_ir_type) types;
  TIR_VEC(tir_ir_type) results;  // stored types of the present node
  TIR_VEC(const char *) sites;
  uint32_t n_nodes;  // decoded so far
} tir_ser_graph_decoder;

// An error at a field.
tir_status tir_ser_graph_fail(tir_ser_graph_decoder *d,
                              const tir_ser_field *field, tir_status status,
                              const char *format, ...) TIR_PRINTF(4, 5);
tir_status tir_ser_graph_no_memory(tir_ser_graph_decoder *d);

// Budget (decode_memory.c). Called before whatever makes the graph larger by
// one item and `extra` bytes.
tir_status tir_ser_graph_take(tir_ser_graph_decoder *d, uint64_t extra);
// Exact room for nodes, values and operands, so that a million nodes do not
// pay for doubling.
tir_status tir_ser_graph_reserve(tir_ser_graph_decoder *d);

// Tables (decode_tables.c): one entry each.
tir_status tir_ser_decode_op(tir_ser_graph_decoder *d,
                             const tir_ser_field *field);
tir_status tir_ser_decode_symbol(tir_ser_graph_decoder *d,
                                 const tir_ser_field *field);
tir_status tir_ser_decode_site(tir_ser_graph_decoder *d,
                               const tir_ser_field *field);
tir_status tir_ser_decode_type(tir_ser_graph_decoder *d,
                               const tir_ser_field *field);
// One node (decode_node.c).
tir_status tir_ser_decode_node(tir_ser_graph_decoder *d,
                               const tir_ser_field *field);
// The content of a bytes field, in place.
ProtobufCBinaryData tir_ser_content_of(const tir_ser_graph_decoder *d,
                                       const tir_ser_field *field);

#endif
