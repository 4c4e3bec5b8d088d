// Looking at constants.
#include <string.h>

#include "ir/graph.h"

bool tir_ir_is_constant(const tir_ir_graph *graph, tir_ir_value value) {
  return tir_ir_op(graph, tir_ir_producer(graph, value)) == TIR_OP_CONSTANT;
}

bool tir_ir_is_splat(const tir_ir_graph *graph, tir_ir_value value,
                     uint64_t *out_bits) {
  if (!tir_ir_is_constant(graph, value)) return false;
  const tir_attrs_constant *attrs =
      tir_ir_attrs(graph, tir_ir_producer(graph, value));
  if (!attrs->tensor) {
    *out_bits = attrs->bits;
    return true;
  }
  // A tensor of one element repeats that element.
  const tir_tensor *tensor = graph->tensors.data[attrs->tensor - 1];
  if (tensor->numel != 1) return false;
  *out_bits = 0;
  memcpy(out_bits, tensor->data, tir_dtype_size(tensor->dtype));
  return true;
}

// By bits: +0 is not −0, and a dtype that cannot hold x exactly has no such
// constant.
bool tir_ir_constant_is(const tir_ir_graph *graph, tir_ir_value value,
                        double x) {
  uint64_t bits, wanted = 0;
  if (!tir_ir_is_splat(graph, value, &bits)) return false;
  tir_ir_store_f64(tir_ir_dtype_of(graph, value), &wanted, x);
  return bits == wanted;
}
