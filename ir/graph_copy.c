// Copying: a whole graph, or one node into another graph.
//
// Nothing is made permanent on the way: replacements and removed nodes are
// copied as they stand. What takes a graph apart and builds it anew is in the
// passes.
#include <string.h>

#include "ir/attr.h"
#include "ir/base/checked.h"
#include "ir/body.h"

// --- whole graphs ----------------------------------------------------------

// Appends all of `from` to the empty `to`; element sizes are equal.
#define COPY_VEC(context, to, from)                                            \
  (TIR_VEC_RESERVE((context), (to), (from)->count) &&                          \
   ((from)->count == 0 ||                                                      \
    memcpy((to)->data, (from)->data, (from)->count * sizeof *(from)->data)) && \
   ((to)->count = (from)->count, true))

// Interned in the same order, the texts get the same ids.
static bool copy_strings(tir_ir_graph *to, const tir_ir_graph *from) {
  for (size_t i = 1; i < from->strings.texts.count; i++) {
    const char *text = from->strings.texts.data[i];
    uint32_t id = 0;
    if (!tir_base_strings_intern(&to->strings, text, strlen(text), &id) ||
        id != i)
      return false;
  }
  return true;
}

// By reference: constants do not change.
static bool copy_tensors(tir_ir_graph *to, const tir_ir_graph *from) {
  if (!TIR_VEC_RESERVE(to->context, &to->tensors, from->tensors.count))
    return false;
  for (size_t i = 0; i < from->tensors.count; i++)
    to->tensors.data[to->tensors.count++] =
        tir_tensor_retain(from->tensors.data[i]);
  return true;
}

static bool copy_bodies(tir_ir_graph *to, const tir_ir_graph *from) {
  if (!TIR_VEC_RESERVE(to->context, &to->bodies, from->bodies.count))
    return false;
  for (size_t i = 0; i < from->bodies.count; i++)
    to->bodies.data[to->bodies.count++] =
        tir_ir_body_retain(from->bodies.data[i]);
  return true;
}

// Array by array, ids and all, so that what refers to the one fits the other.
// Tensors, bodies and sites alone are not plain data.
tir_status tir_ir_graph_copy(const tir_ir_graph *from, tir_ir_graph **out_graph,
                             tir_error *error) {
  *out_graph = NULL;
  tir_ir_graph *to = NULL;
  tir_context *context = from->context;
  TIR_TRY(tir_ir_graph_create(context, NULL, &to, error));
  if (!copy_strings(to, from) || !COPY_VEC(context, &to->nodes, &from->nodes) ||
      !COPY_VEC(context, &to->values, &from->values) ||
      !COPY_VEC(context, &to->operands, &from->operands) ||
      !COPY_VEC(context, &to->dims, &from->dims) ||
      !COPY_VEC(context, &to->attrs, &from->attrs) ||
      !COPY_VEC(context, &to->inputs, &from->inputs) ||
      !COPY_VEC(context, &to->outputs, &from->outputs) ||
      !COPY_VEC(context, &to->forward, &from->forward) ||
      // Sites may point into the strings of the graph copied from.
      !copy_tensors(to, from) || !copy_bodies(to, from) ||
      !tir_ir_keep_sites(to)) {
    tir_ir_graph_destroy(to);
    return tir_base_fail_memory(error, tir_ir_graph_bytes(from));
  }
  // The strings were taken over in their order, so ids fit.
  to->name = from->name;
  *out_graph = to;
  return TIR_OK;
}

// --- one node --------------------------------------------------------------

// String ids mean something only in their own graph.
static bool carry_string(tir_ir_graph *to, const tir_ir_graph *from,
                         uint32_t id, uint32_t *out_id) {
  *out_id = id;
  if (id == 0 || to == from) return true;
  const char *text = tir_base_strings_text(&from->strings, id);
  return tir_base_strings_intern(&to->strings, text, strlen(text), out_id);
}

// Attributes of a node; a constant's tensor and bodies get a place in `to`.
static tir_status carry_attrs(tir_ir_graph *to, const tir_ir_graph *from,
                              tir_ir_node node, tir_ir_any_attrs *room,
                              const void **out_attrs, tir_error *error) {
  *out_attrs = tir_ir_attrs(from, node);
  const tir_op_desc *desc = tir_ir_desc(from, node);
  if (tir_ir_has_bodies(desc)) {
    memcpy(room, *out_attrs, desc->attrs_size);
    *out_attrs = room;
    return tir_ir_carry_bodies(to, from, desc, room, error);
  }
  if (tir_ir_op(from, node) != TIR_OP_CONSTANT) return TIR_OK;
  tir_attrs_constant *constant = (tir_attrs_constant *)(void *)room;
  memcpy(constant, *out_attrs, sizeof *constant);
  *out_attrs = constant;
  if (constant->tensor == 0 || to == from) return TIR_OK;
  uint32_t index = 0;
  TIR_TRY(tir_ir_add_tensor(to, from->tensors.data[constant->tensor - 1],
                            &index, error));
  constant->tensor = (int64_t)index + 1;
  return TIR_OK;
}

// All types and names of a node's outputs; only what may fail.
static bool carry_outputs(tir_ir_graph *to, const tir_ir_graph *from,
                          tir_ir_node node, tir_ir_type *types,
                          uint32_t *names) {
  const uint32_t n_out = tir_ir_n_out(from, node);
  for (uint32_t i = 0; i < n_out; i++) {
    const tir_ir_value value = tir_ir_out(from, node, i);
    if (!tir_ir_carry_type(to, from, value, &types[i]) ||
        !carry_string(to, from, tir_ir_value_at(from, value)->name, &names[i]))
      return false;
  }
  return true;
}

// What may fail comes before the append, and the rest is stores.
static tir_status copy_with_room(tir_ir_graph *to, const tir_ir_graph *from,
                                 tir_ir_node node, const uint32_t *operands,
                                 tir_ir_type *types, uint32_t *names,
                                 tir_ir_node *out_node, tir_error *error) {
  const tir_ir_node_data source = *tir_ir_node_at(from, node);
  if (!carry_outputs(to, from, node, types, names))
    return tir_base_fail_memory(error, sizeof *types);
  tir_ir_any_attrs room;
  const void *attrs = NULL;
  // A place of another graph may end with that graph's strings: it is copied.
  const char *site = to == from ? source.site : NULL;
  if (!site && source.site && !(site = tir_ir_keep_site(to, source.site)))
    return tir_base_fail_memory(error, strlen(source.site));
  TIR_TRY(carry_attrs(to, from, node, &room, &attrs, error));
  TIR_TRY(tir_ir_append(to, (tir_op)source.op, operands, source.n_in, attrs,
                        types, source.n_out, out_node, error));

  tir_ir_node_data *copy = tir_ir_node_at(to, *out_node);
  // One that waits for compact may be copied; the copy is alive.
  copy->flags = source.flags & (uint16_t)~TIR_NODE_REMOVED;
  copy->origin = source.origin;
  copy->site = site;
  for (uint32_t i = 0; i < source.n_out; i++) {
    tir_ir_value_data *value =
        tir_ir_value_at(to, tir_ir_out(to, *out_node, i));
    value->name = names[i];
    value->flags = tir_ir_value_at(from, tir_ir_out(from, node, i))->flags;
  }
  return TIR_OK;
}

// The fixed room is for the ops that are recorded and passed over all the time;
// only what has many results takes memory.
tir_status tir_ir_copy_node(tir_ir_graph *to, const tir_ir_graph *from,
                            tir_ir_node node, const uint32_t *operands,
                            tir_ir_node *out_node, tir_error *error) {
  *out_node = (tir_ir_node){0};
  const size_t n_out = tir_ir_n_out(from, node);
  tir_ir_type fixed_types[TIR_MAX_OUTPUTS];
  uint32_t fixed_names[TIR_MAX_OUTPUTS];
  if (n_out <= TIR_MAX_OUTPUTS)
    return copy_with_room(to, from, node, operands, fixed_types, fixed_names,
                          out_node, error);

  // Only gradient calls and control nodes have many outputs.
  size_t bytes = 0;
  if (!tir_base_size_mul(n_out, sizeof(tir_ir_type) + sizeof(uint32_t), &bytes))
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many results: %zu",
                         n_out);
  // Names stand behind the types, in one block.
  tir_ir_type *types =
      tir_base_alloc(to->context, bytes, _Alignof(tir_ir_type));
  if (!types) return tir_base_fail_memory(error, bytes);
  const tir_status status =
      copy_with_room(to, from, node, operands, types,
                     (uint32_t *)(types + n_out), out_node, error);
  tir_base_free(to->context, types, bytes, _Alignof(tir_ir_type));
  return status;
}
