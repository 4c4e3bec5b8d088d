// One node: attributes, types, names, through the op's own check.
//
// All numbers are looked up with their bounds. An error says which node it was
// and where in the file it begins.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/attr.h"
#include "ir/base/hash.h"
#include "ir/body.h"
#include "serialize/attributes.h"
#include "serialize/decode_graph.h"

// A tensor serves any number of constants, but never a parameter too: a run
// would write through the parameter into the constant.
static tir_status decode_constant(tir_ser_graph_decoder *d,
                                  const tir_ser_field *field,
                                  const Tapeir__Node *message,
                                  tir_attrs_constant *attrs) {
  *attrs = (tir_attrs_constant){.bits = message->splat};
  if (message->n_attributes || message->n_bodies)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "constant has no attributes");
  if (message->tensor == 0) return TIR_OK;
  const size_t n = d->decoder->tensors.count;
  if (message->tensor > n)
    return tir_ser_graph_fail(
        d, field, TIR_ERR_FORMAT,
        "constant is tensor %" PRIu32 ", the file has %zu", message->tensor, n);
  tir_ser_tensor *tensor = &d->decoder->tensors.data[message->tensor - 1];
  if (tensor->is_param)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "constant is tensor %" PRIu32
                              ", which belongs to a parameter",
                              message->tensor);
  // A mapped constant is part of what the graph means: checked now. A mapped
  // param may wait for tir_module_verify_param.
  if (tensor->unverified &&
      tir_base_hash(tensor->tensor->data, tensor->size) != tensor->hash)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "tensor %" PRIu32
                              " is damaged: its checksum does not match",
                              message->tensor);
  tensor->unverified = false;
  // Once per graph, however many constants name it.
  if (tensor->graph != d->decoder->n_graphs) {
    uint32_t index = 0;
    TIR_TRY(
        tir_ir_add_tensor(d->graph, tensor->tensor, &index, d->decoder->error));
    tensor->graph = d->decoder->n_graphs;
    tensor->graph_number = index + 1;
  }
  attrs->tensor = tensor->graph_number;
  return TIR_OK;
}

// A body may serve many nodes, but passes and programs have one for each: every
// further use takes from the budget what the body unfolds to.
static tir_status take_body(tir_ser_graph_decoder *d,
                            const tir_ser_field *field, uint32_t number,
                            int64_t *out_number) {
  tir_ser_decoder *decoder = d->decoder;
  const size_t n = decoder->bodies.count;
  if (number == 0 || number > n)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "body number %" PRIu32 ", there are %zu so far",
                              number, n);
  tir_ser_body *entry = &decoder->bodies.data[number - 1];
  if (entry->is_used)
    TIR_TRY(
        tir_ser_budget_take(&decoder->budget, entry->unfolded, decoder->error));
  entry->is_used = true;
  d->unfolded += entry->unfolded;
  return tir_ir_add_body(d->graph, entry->body, out_number, decoder->error);
}

// In the order of the op's attributes: the file only lists their numbers.
static tir_status decode_bodies(tir_ser_graph_decoder *d,
                                const tir_ser_field *field,
                                const tir_op_desc *desc,
                                const Tapeir__Node *message,
                                tir_ir_any_attrs *attrs) {
  size_t n = 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    if (desc->attrs[i].kind != TIR_ATTR_BODY) continue;
    int64_t number = 0;
    // Too few: the count below tells, with 0 for what is missing.
    if (n < message->n_bodies)
      TIR_TRY(take_body(d, field, message->bodies[n], &number));
    n++;
    memcpy((char *)attrs + desc->attrs[i].offset, &number, sizeof number);
  }
  if (n == message->n_bodies) return TIR_OK;
  return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                            "%s: %zu bodies, expected %zu", desc->name,
                            message->n_bodies, n);
}

// Only constants hold data; on other ops it would be lost silently.
static tir_status decode_attrs(tir_ser_graph_decoder *d,
                               const tir_ser_field *field, tir_op op,
                               const Tapeir__Node *message,
                               tir_ir_any_attrs *attrs) {
  if (op == TIR_OP_CONSTANT) {
    tir_attrs_constant constant;
    TIR_TRY(decode_constant(d, field, message, &constant));
    // The union may be larger; the op's inference reads this much of it.
    memcpy(attrs, &constant, sizeof constant);
    return TIR_OK;
  }
  const tir_op_desc *desc = tir_ir_op_desc(op);
  if (message->tensor || message->splat)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "%s: only a constant has data", desc->name);
  TIR_TRY(tir_ser_attrs_decode(desc, message->attributes, message->n_attributes,
                               attrs, d->decoder->error));
  return decode_bodies(d, field, desc, message, attrs);
}

// Types as stored, by number. Most ops have a few results at most; those with
// any number of them say so by n_outputs 0.
static tir_status stored_types(tir_ser_graph_decoder *d,
                               const tir_ser_field *field, tir_op op,
                               const Tapeir__Node *message) {
  d->results.count = 0;
  if (message->n_types > TIR_MAX_OUTPUTS && tir_ir_op_desc(op)->n_outputs)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "%zu results, at most %d", message->n_types,
                              TIR_MAX_OUTPUTS);
  if (!TIR_VEC_RESERVE(d->decoder->context, &d->results, message->n_types))
    return tir_ser_graph_no_memory(d);
  for (size_t i = 0; i < message->n_types; i++) {
    const uint32_t number = message->types[i];
    if (number == 0 || number > d->types.count)
      return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                                "type number %" PRIu32 ", there are %zu",
                                number, d->types.count);
    d->results.data[d->results.count++] = d->types.data[number - 1];
  }
  return TIR_OK;
}

// Sizes and dtypes; which dims carry a symbol follows from the inputs.
static tir_status compare_types(tir_ser_graph_decoder *d,
                                const tir_ser_field *field, tir_ir_node node,
                                const tir_ir_type *stored) {
  for (uint32_t i = 0; i < tir_ir_n_out(d->graph, node); i++) {
    tir_ir_type type;
    tir_ir_type_of(d->graph, tir_ir_out(d->graph, node, i), &type);
    if (type.dtype == stored[i].dtype && tir_ir_same_shape(&type, &stored[i]))
      continue;
    char has[TIR_TYPE_TEXT_MAX], says[TIR_TYPE_TEXT_MAX];
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "%s: result %" PRIu32 " is %s, the file says %s",
                              tir_ir_desc(d->graph, node)->name, i,
                              tir_ir_type_text(&type, has),
                              tir_ir_type_text(&stored[i], says));
  }
  return TIR_OK;
}

// Names and places come last: they may refer to what is there by now.
static tir_status decode_labels(tir_ser_graph_decoder *d,
                                const tir_ser_field *field,
                                const Tapeir__Node *message, tir_ir_node node) {
  if (message->site > d->sites.count)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "place number %" PRIu32 ", there are %zu",
                              message->site, d->sites.count);
  if (message->site)
    tir_ir_node_at(d->graph, node)->site = d->sites.data[message->site - 1];
  if (message->n_names > message->n_types)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "%zu names for %zu results", message->n_names,
                              message->n_types);
  for (uint32_t i = 0; i < message->n_names; i++) {
    const char *name = NULL;
    TIR_TRY(tir_ser_decode_name(d->decoder, field->start, "value name",
                                &message->names[i], &name));
    TIR_TRY(tir_ir_set_value_name(d->graph, tir_ir_out(d->graph, node, i), name,
                                  message->names[i].len, d->decoder->error));
  }
  return TIR_OK;
}

// The op's own check sees the node before anything else does. What it infers
// must be what the file says, so that a reader can trust stored types.
static tir_status append_node(tir_ser_graph_decoder *d,
                              const tir_ser_field *field,
                              const Tapeir__Node *message) {
  if (message->op == 0 || message->op > d->ops.count)
    return tir_ser_graph_fail(d, field, TIR_ERR_FORMAT,
                              "op number %" PRIu32 ", there are %zu",
                              message->op, d->ops.count);
  const tir_op op = (tir_op)d->ops.data[message->op - 1];
  const bool is_declared =
      (tir_ir_op_desc(op)->traits & TIR_TRAIT_DECLARED) != 0;
  tir_ir_any_attrs attrs;
  TIR_TRY(stored_types(d, field, op, message));
  const tir_ir_type *types = d->results.data;
  TIR_TRY(decode_attrs(d, field, op, message, &attrs));
  tir_ir_node node;
  TIR_TRY(tir_ir_append_checked(
      d->graph, op, message->inputs, message->n_inputs, &attrs,
      is_declared ? types : NULL, message->n_types, &node, d->decoder->error));
  // Results of most ops are inferred; of the others the file is what declares
  // them.
  if (!is_declared) TIR_TRY(compare_types(d, field, node, types));
  return decode_labels(d, field, message, node);
}

tir_status tir_ser_decode_node(tir_ser_graph_decoder *d,
                               const tir_ser_field *field) {
  ProtobufCMessage *base = NULL;
  TIR_TRY(tir_ser_unpack(d->decoder, &tapeir__node__descriptor, field->offset,
                         field->size, &base));
  const Tapeir__Node *message = (const Tapeir__Node *)base;
  // Inference of a node with many operands takes memory for their types.
  const uint64_t extra =
      message->n_inputs > TIR_MAX_FIXED_INPUTS ||
              message->n_types > TIR_MAX_OUTPUTS
          ? (2 * message->n_inputs + 3 * message->n_types + TIR_MAX_OUTPUTS) *
                sizeof(tir_ir_type)
          : 0;
  TIR_TRY(tir_ser_budget_take(&d->decoder->budget, extra, d->decoder->error));
  d->n_nodes++;
  const tir_status status = append_node(d, field, message);
  tir_ser_budget_give(&d->decoder->budget, extra);
  if (status == TIR_OK) return TIR_OK;
  char prefix[32];
  snprintf(prefix, sizeof prefix, "node %" PRIu32, d->n_nodes);
  tir_base_error_prefix(d->decoder->error, prefix);
  if (d->decoder->error) d->decoder->error->node = d->n_nodes;
  tir_ser_decode_place(d->decoder, field->start);
  return status;
}
