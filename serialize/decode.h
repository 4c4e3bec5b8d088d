// The graph section of a file to a module.
#ifndef TAPEIR_SERIALIZE_DECODE_H
#define TAPEIR_SERIALIZE_DECODE_H

#include "ir/body.h"
#include "ir/module.h"
#include "serialize/budget.h"
#include "serialize/bytes.h"
#include "tapeir/file.h"

// A tensor of the table, then of memory.
typedef struct tir_ser_tensor {
  tir_dtype dtype;
  int rank;
  int64_t dims[TIR_MAX_RANK];
  size_t offset;  // in the tensor section
  size_t size;
  uint64_t hash;
  tir_tensor *tensor;     // one reference, set by the caller of decode_tensors
  bool is_param;          // taken as storage of a parameter
  bool unverified;        // the checksum was not compared yet
  uint32_t graph;         // serial of the graph that used it last
  uint32_t graph_number;  // and its number there, from 1
} tir_ser_tensor;

typedef struct tir_ser_body {
  tir_ir_body *body;
  uint64_t unfolded;  // bytes with the bodies inside, each as often as used
  bool is_used;
} tir_ser_body;

typedef struct tir_ser_decoder {
  tir_context *context;
  const uint8_t *bytes;  // the message File, after tir_ser_decode_scan
  size_t size;
  uint64_t file_offset;     // of bytes[0]
  tir_load_options limits;  // no zeros
  tir_ser_budget budget;
  tir_ser_scratch scratch;
  TIR_VEC(tir_ser_tensor) tensors;
  uint32_t n_graphs;
  TIR_VEC(tir_ser_body) bodies;
  tir_error *error;
} tir_ser_decoder;

void tir_ser_decoder_init(tir_ser_decoder *decoder, tir_context *context,
                          const tir_load_options *options, uint64_t file_size,
                          tir_error *error);
void tir_ser_decoder_free(tir_ser_decoder *decoder);

// Pre-scan and counts. Nothing else may look at the bytes before.
tir_status tir_ser_decode_scan(tir_ser_decoder *decoder);
// Fills `tensors` and checks that they cover the section exactly.
tir_status tir_ser_decode_tensors(tir_ser_decoder *decoder,
                                  uint64_t tensor_bytes);
// Params, graphs and metadata, once every tensor is there.
tir_status tir_ser_decode_module(tir_ser_decoder *decoder, tir_module *module);
// One graph: bytes[offset … offset + size) (decode_graph.c). *out_unfolded is
// what it takes with its bodies.
tir_status tir_ser_decode_graph(tir_ser_decoder *decoder, size_t offset,
                                size_t size, tir_ir_graph **out_graph,
                                uint64_t *out_unfolded);

// Unpacks one message into the scratch memory, which is reset first.
tir_status tir_ser_unpack(tir_ser_decoder *decoder,
                          const ProtobufCMessageDescriptor *message,
                          size_t offset, size_t size,
                          ProtobufCMessage **out_message);
// FORMAT at bytes[offset].
tir_status tir_ser_decode_fail(tir_ser_decoder *decoder, size_t offset,
                               tir_status status, const char *format, ...)
    TIR_PRINTF(4, 5);
// Adds the place to an error that came from elsewhere.
void tir_ser_decode_place(tir_ser_decoder *decoder, size_t offset);
// A counted text as a C string in the scratch memory.
tir_status tir_ser_decode_text(tir_ser_decoder *decoder, size_t offset,
                               const ProtobufCBinaryData *text,
                               const char **out_text);
// A name of at most max_name bytes as a C string in the scratch memory.
tir_status tir_ser_decode_name(tir_ser_decoder *decoder, size_t offset,
                               const char *what,
                               const ProtobufCBinaryData *name,
                               const char **out_name);
tir_status tir_ser_decode_dtype(tir_ser_decoder *decoder, size_t offset,
                                const ProtobufCBinaryData *name,
                                tir_dtype *out_dtype);

#endif
