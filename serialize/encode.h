// Modules to the graph section of a file.
#ifndef TAPEIR_SERIALIZE_ENCODE_H
#define TAPEIR_SERIALIZE_ENCODE_H

#include "ir/base/table.h"
#include "ir/module.h"
#include "serialize/bytes.h"

// What the graphs of a file share. The tensor section to be written: distinct
// tensors in order, borrowed.
typedef struct tir_ser_tensor_list {
  tir_context *context;
  TIR_VEC(const tir_tensor *) tensors;
  TIR_VEC(uint64_t) offsets;                   // in the section
  tir_base_table table;                        // by address
  size_t end;                                  // bytes of the section so far
  TIR_VEC(const struct tir_ir_body *) bodies;  // written so far, borrowed
  tir_base_table body_table;                   // by address
  tir_ser_bytes body_bytes;                    // their fields File.bodies
} tir_ser_tensor_list;

void tir_ser_tensors_init(tir_ser_tensor_list *list, tir_context *context);
void tir_ser_tensors_free(tir_ser_tensor_list *list);
// Number of a constant in the file; the same tensor keeps its number. Storage
// of a param gets a number of its own: its data may change.
tir_status tir_ser_tensors_add(tir_ser_tensor_list *list,
                               const tir_tensor *tensor, bool is_param,
                               uint32_t *out_number, tir_error *error);

// Appends the message File. The module must not change meanwhile.
tir_status tir_ser_encode_module(const tir_module *module,
                                 tir_ser_tensor_list *tensors,
                                 tir_ser_bytes *out_bytes, tir_error *error);
// Appends the field File.graphs for one graph, and its bodies to
// tensors->body_bytes (encode_graph.c).
tir_status tir_ser_encode_graph(const tir_ir_graph *graph,
                                tir_ser_tensor_list *tensors,
                                tir_ser_bytes *out_bytes, tir_error *error);

#endif
