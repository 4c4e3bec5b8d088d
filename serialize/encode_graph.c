// One graph to its message.
//
// Nodes are encoded first, into a buffer of their own, because that is what
// fills the tables (ops, types, symbols, sites) that stand before them. What
// the reader would refuse (names too long or not UTF-8, internal ops) is
// refused here, so that what was saved can be loaded.
#include <string.h>

#include "ir/base/hash.h"
#include "ir/body.h"
#include "serialize/attributes.h"
#include "serialize/encode.h"
#include "serialize/schema.h"
#include "serialize/wire.h"

// State of one graph. A body is encoded by one of its own, while that of the
// graph around it waits.
typedef struct encoder {
  const tir_ir_graph *graph;
  tir_ser_tensor_list *tensors;
  tir_error *error;
  uint32_t field;                  // of File: graphs or bodies
  uint32_t op_numbers[TIR_N_OPS];  // by op, 0 = not used yet
  uint32_t n_ops;
  uint32_t *value_numbers;  // by value id; equal unless nodes are removed
  tir_base_strings symbols;
  tir_base_strings sites;
  tir_base_table type_table;
  TIR_VEC(tir_ir_type) types;
  const char *last_site;  // most nodes repeat the one before
  uint32_t last_site_number;
  uint32_t last_type;
  TIR_VEC(uint32_t) numbers;  // operands, then types of the present node
  TIR_VEC(ProtobufCBinaryData) names;
  // Fields Graph.nodes so far.
  tir_ser_bytes nodes;
  tir_ser_bytes head;  // name and tables; then outputs
} encoder;

static tir_status out_of_memory(encoder *e) {
  return tir_base_fail_memory(e->error, 0);
}

// What a reader would refuse is not written.
static bool is_writable(const char *text) {
  const size_t size = strlen(text);
  return size <= TIR_MAX_NAME && tir_ser_is_text((const uint8_t *)text, size);
}

// `what` is the kind of thing the name is of.
static tir_status check_name(encoder *e, const char *what, const char *name) {
  if (is_writable(name)) return TIR_OK;
  char quoted[TIR_QUOTED_MAX];
  return tir_base_fail(e->error, TIR_ERR_ARGUMENT,
                       "cannot save %s %s: not UTF-8 or above %d bytes", what,
                       tir_base_quote(name, quoted), TIR_MAX_NAME);
}

// --- tables ----------------------------------------------------------------

static bool same_type(const tir_ir_type *a, const tir_ir_type *b) {
  if (a->dtype != b->dtype || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i] || a->symbols[i] != b->symbols[i])
      return false;
  return true;
}

// Callback of the hash table: does entry `number` hold this type?
static bool is_type_number(const void *user, uint32_t number,
                           const void *thing) {
  const encoder *e = user;
  return same_type(&e->types.data[number - 1], thing);
}

// Most values repeat the type before them, so that one is tried first.
static tir_status type_number(encoder *e, tir_ir_value value,
                              uint32_t *out_number) {
  // Zeroed, so that unused dims hash alike.
  tir_ir_type type, read;
  memset(&type, 0, sizeof type);
  tir_ir_type_of(e->graph, value, &read);
  type.dtype = read.dtype;
  type.rank = read.rank;
  for (int i = 0; i < read.rank; i++) {
    type.dims[i] = read.dims[i];
    type.symbols[i] = read.symbols[i];
  }
  *out_number = e->last_type;
  if (e->last_type && is_type_number(e, e->last_type, &type)) return TIR_OK;
  const uint64_t hash = tir_base_hash(&type, sizeof type);
  *out_number =
      tir_base_table_find(&e->type_table, hash, &type, is_type_number, e);
  if (!*out_number) {
    if (!TIR_VEC_PUSH(e->graph->context, &e->types, type))
      return out_of_memory(e);
    *out_number = tir_base_table_add(&e->type_table, hash);
    if (!*out_number) return out_of_memory(e);
  }
  e->last_type = *out_number;
  return TIR_OK;
}

// Places are shared literals: comparing the pointer finds most repeats.
static tir_status site_number(encoder *e, const char *site,
                              uint32_t *out_number) {
  *out_number = 0;
  if (!site || !site[0]) return TIR_OK;
  if (site != e->last_site) {
    // A place is only a help: one that no reader would take is left out.
    if (!is_writable(site)) return TIR_OK;
    if (!tir_base_strings_intern(&e->sites, site, strlen(site),
                                 &e->last_site_number))
      return out_of_memory(e);
    e->last_site = site;
  }
  *out_number = e->last_site_number;
  return TIR_OK;
}

// --- nodes -----------------------------------------------------------------

// Values are numbered in the order in which nodes are written, so an operand
// always has its number already. Trailing empty names are left out.
static tir_status number_operands(encoder *e, tir_ir_node node) {
  // Both lists are used for one node after the other, and only grow.
  const uint32_t n_in = tir_ir_n_in(e->graph, node);
  const uint32_t n_out = tir_ir_n_out(e->graph, node);
  e->numbers.count = 0;
  e->names.count = 0;
  if (!TIR_VEC_RESERVE(e->graph->context, &e->numbers, (size_t)n_in + n_out) ||
      !TIR_VEC_RESERVE(e->graph->context, &e->names, n_out))
    return out_of_memory(e);
  for (uint32_t i = 0; i < n_in; i++)
    e->numbers.data[e->numbers.count++] =
        e->value_numbers[tir_ir_in(e->graph, node, i).id];
  for (uint32_t i = 0; i < n_out; i++)
    TIR_TRY(type_number(e, tir_ir_out(e->graph, node, i),
                        &e->numbers.data[e->numbers.count++]));
  size_t n_names = 0;
  for (uint32_t i = 0; i < n_out; i++) {
    const tir_ir_value value = tir_ir_out(e->graph, node, i);
    const char *name = tir_ir_value_name(e->graph, value);
    TIR_TRY(check_name(e, "value", name));
    e->names.data[i] = tir_ser_text(name);
    if (e->names.data[i].len) n_names = i + 1;
  }
  e->names.count = n_names;
  return TIR_OK;
}

// Either a tensor, or the bytes of one element that is repeated.
static tir_status set_constant(encoder *e, tir_ir_node node,
                               Tapeir__Node *message) {
  const tir_attrs_constant *attrs = tir_ir_attrs(e->graph, node);
  message->splat = attrs->bits;
  if (attrs->tensor == 0) return TIR_OK;
  return tir_ser_tensors_add(e->tensors,
                             e->graph->tensors.data[attrs->tensor - 1], false,
                             &message->tensor, e->error);
}

enum { MAX_BODIES = 4 };

static tir_status encode(const tir_ir_graph *graph,
                         tir_ser_tensor_list *tensors, uint32_t field,
                         tir_ser_bytes *out_bytes, tir_error *error);

// Callback of the table: bodies are told apart by address.
static bool is_same_body(const void *user, uint32_t number, const void *thing) {
  const tir_ser_tensor_list *list = user;
  return list->bodies.data[number - 1] == thing;
}

// A body as a field of the file, those inside it first; its number, if nodes
// before have it too. Goes as deep as tir_ir_body_create lets bodies be nested.
static tir_status body_number(encoder *e, const tir_ir_body *body,
                              uint32_t *out_number) {
  tir_ser_tensor_list *list = e->tensors;
  const uint64_t hash = tir_base_hash(&body, sizeof body);
  *out_number =
      tir_base_table_find(&list->body_table, hash, body, is_same_body, list);
  if (*out_number) return TIR_OK;
  TIR_TRY(encode(body->graph, list, TIR_SER_FILE_BODIES, &list->body_bytes,
                 e->error));
  if (!TIR_VEC_PUSH(e->graph->context, &list->bodies, body) ||
      !(*out_number = tir_base_table_add(&list->body_table, hash)))
    return out_of_memory(e);
  return TIR_OK;
}

static tir_status encode_bodies(encoder *e, tir_ir_node node,
                                uint32_t numbers[MAX_BODIES], size_t *out_n) {
  const tir_op_desc *desc = tir_ir_desc(e->graph, node);
  *out_n = 0;
  for (size_t i = 0; tir_ir_has_bodies(desc) && i < desc->n_attrs; i++) {
    const tir_ir_body *body =
        tir_ir_body_of(e->graph, &desc->attrs[i], tir_ir_attrs(e->graph, node));
    if (!body || *out_n == MAX_BODIES) continue;
    TIR_TRY(body_number(e, body, &numbers[(*out_n)++]));
  }
  return TIR_OK;
}

// A node that only a pass understands (a gradient call) must be gone by now.
static tir_status encode_node(encoder *e, tir_ir_node node) {
  const tir_op_desc *desc = tir_ir_desc(e->graph, node);
  if (desc->traits & TIR_TRAIT_INTERNAL)
    return tir_base_fail(e->error, TIR_ERR_STATE, "%s: expand it before saving",
                         desc->name);
  TIR_TRY(number_operands(e, node));
  uint32_t *op = &e->op_numbers[tir_ir_op(e->graph, node)];
  if (!*op) {
    *op = ++e->n_ops;
    tir_ser_put_text(&e->head, TIR_SER_GRAPH_OPS, desc->name);
  }
  Tapeir__Node message = TAPEIR__NODE__INIT;
  message.op = *op;
  // Operands stand before the types in `numbers`.
  message.n_inputs = tir_ir_n_in(e->graph, node);
  message.inputs = e->numbers.data;
  message.n_types = tir_ir_n_out(e->graph, node);
  message.types = e->numbers.data + message.n_inputs;
  message.n_names = e->names.count;
  message.names = e->names.data;
  TIR_TRY(site_number(e, tir_ir_node_at(e->graph, node)->site, &message.site));
  uint32_t bodies[MAX_BODIES];
  TIR_TRY(encode_bodies(e, node, bodies, &message.n_bodies));
  message.bodies = bodies;
  tir_ser_attrs attrs;
  attrs.n = 0;
  if (tir_ir_op(e->graph, node) == TIR_OP_CONSTANT) {
    TIR_TRY(set_constant(e, node, &message));
  } else {
    TIR_TRY(tir_ser_attrs_encode(desc, tir_ir_attrs(e->graph, node), &attrs,
                                 e->error));
  }
  message.n_attributes = attrs.n;
  message.attributes = attrs.list;
  tir_ser_put_message(&e->nodes, TIR_SER_GRAPH_NODES, &message.base);
  return TIR_OK;
}

// Removed nodes leave gaps in the ids; numbers in the file have none.
static tir_status encode_nodes(encoder *e) {
  const tir_ir_graph *g = e->graph;
  uint32_t n_values = 0;
  for (tir_ir_node n = tir_ir_first(g); tir_ir_node_valid(n);
       n = tir_ir_next(g, n)) {
    for (uint32_t i = 0; i < tir_ir_n_out(g, n); i++)
      e->value_numbers[tir_ir_out(g, n, i).id] = ++n_values;
    const tir_status status = encode_node(e, n);
    if (status == TIR_OK) continue;
    if (e->error) e->error->node = n.id;
    return status;
  }
  return TIR_OK;
}

// --- the whole -------------------------------------------------------------

// Strings 1 … n of a table, one field each: the file's numbers are the ids.
static void put_strings(tir_ser_bytes *bytes, uint32_t field,
                        const tir_base_strings *strings, size_t n) {
  for (uint32_t id = 1; id <= n; id++)
    tir_ser_put_text(bytes, field, tir_base_strings_text(strings, id));
}

// Symbols get numbers as types are written; they stand before the types.
static tir_status put_types(encoder *e) {
  // Types go into a buffer of their own, since their symbols stand before them.
  tir_ser_bytes types;
  tir_ser_bytes_init(&types, e->graph->context);
  uint32_t last_symbol = 0;
  tir_status status = TIR_OK;
  for (size_t i = 0; i < e->types.count && status == TIR_OK; i++) {
    tir_ir_type *type = &e->types.data[i];
    Tapeir__Type message = TAPEIR__TYPE__INIT;
    message.dtype = tir_ser_text(tir_dtype_name(type->dtype));
    message.n_dims = (size_t)type->rank;
    message.dims = type->dims;
    uint32_t numbers[TIR_MAX_RANK] = {0};
    for (int k = 0; k < type->rank; k++) {
      // 0: a dim without a name. One name makes the list as long as the dims.
      if (!type->symbols[k]) continue;
      const char *name =
          tir_base_strings_text(&e->graph->strings, type->symbols[k]);
      if (status == TIR_OK) status = check_name(e, "dim", name);
      if (!tir_base_strings_intern(&e->symbols, name, strlen(name),
                                   &numbers[k]))
        status = out_of_memory(e);
      if (numbers[k] > last_symbol) last_symbol = numbers[k];
      message.n_symbols = (size_t)type->rank;
    }
    message.symbols = numbers;
    tir_ser_put_message(&types, TIR_SER_GRAPH_TYPES, &message.base);
  }
  if (types.out_of_memory) status = out_of_memory(e);
  put_strings(&e->head, TIR_SER_GRAPH_SYMBOLS, &e->symbols, last_symbol);
  tir_ser_put(&e->head, types.vec.data, types.vec.count);
  tir_ser_bytes_free(&types);
  return status;
}

// Outputs may be of values that a pass replaced: it is the value now in their
// place that is written.
static tir_status put_outputs(encoder *e, tir_ser_bytes *tail) {
  const tir_ir_graph *g = e->graph;
  for (size_t i = 0; i < g->outputs.count; i++) {
    Tapeir__Output message = TAPEIR__OUTPUT__INIT;
    message.value =
        e->value_numbers[tir_ir_resolve(g, g->outputs.data[i].value).id];
    const char *name =
        tir_base_strings_text(&g->strings, g->outputs.data[i].name);
    TIR_TRY(check_name(e, "output", name));
    message.name = tir_ser_text(name);
    tir_ser_put_message(tail, TIR_SER_GRAPH_OUTPUTS, &message.base);
  }
  return TIR_OK;
}

// Tables, nodes, outputs: in the order of their field numbers, which the reader
// insists on.
static tir_status assemble(encoder *e, tir_ser_bytes *out_bytes) {
  const tir_ir_graph *g = e->graph;
  TIR_TRY(put_types(e));
  const size_t n_sites = e->sites.texts.count;  // the empty one included
  put_strings(&e->head, TIR_SER_GRAPH_SITES, &e->sites,
              n_sites ? n_sites - 1 : 0);
  tir_ser_bytes tail;
  tir_ser_bytes_init(&tail, g->context);
  tir_status status = put_outputs(e, &tail);
  // Buffers remember; here it is asked for, before their sizes are used.
  if (tail.out_of_memory || e->head.out_of_memory || e->nodes.out_of_memory)
    status = out_of_memory(e);
  if (status == TIR_OK) {
    // A sum of sizes in memory: it fits.
    const size_t size = e->head.vec.count + e->nodes.vec.count + tail.vec.count;
    tir_ser_put_length(out_bytes, e->field, size);
    tir_ser_put(out_bytes, e->head.vec.data, e->head.vec.count);
    tir_ser_put(out_bytes, e->nodes.vec.data, e->nodes.vec.count);
    tir_ser_put(out_bytes, tail.vec.data, tail.vec.count);
    if (out_bytes->out_of_memory) status = out_of_memory(e);
  }
  tir_ser_bytes_free(&tail);
  return status;
}

static void encoder_init(encoder *e, const tir_ir_graph *graph,
                         tir_ser_tensor_list *tensors, tir_error *error) {
  *e = (encoder){.graph = graph, .tensors = tensors, .error = error};
  tir_base_strings_init(&e->symbols, graph->context);
  tir_base_strings_init(&e->sites, graph->context);
  tir_base_table_init(&e->type_table, graph->context);
  tir_ser_bytes_init(&e->nodes, graph->context);
  tir_ser_bytes_init(&e->head, graph->context);
}

static void encoder_free(encoder *e, size_t n_bytes) {
  tir_context *context = e->graph->context;
  tir_base_free(context, e->value_numbers, n_bytes, _Alignof(uint32_t));
  tir_base_strings_free(&e->symbols);
  tir_base_strings_free(&e->sites);
  tir_base_table_free(&e->type_table);
  TIR_VEC_FREE(context, &e->types);
  TIR_VEC_FREE(context, &e->numbers);
  TIR_VEC_FREE(context, &e->names);
  tir_ser_bytes_free(&e->nodes);
  tir_ser_bytes_free(&e->head);
}

static tir_status encode(const tir_ir_graph *graph,
                         tir_ser_tensor_list *tensors, uint32_t field,
                         tir_ser_bytes *out_bytes, tir_error *error) {
  encoder e;
  encoder_init(&e, graph, tensors, error);
  e.field = field;
  const size_t n_bytes = graph->values.count * sizeof *e.value_numbers;
  e.value_numbers =
      tir_base_alloc_zero(graph->context, n_bytes, _Alignof(uint32_t));
  tir_status status = TIR_OK;
  if (!e.value_numbers) status = tir_base_fail_memory(error, n_bytes);
  if (status == TIR_OK) {
    const char *name = tir_base_strings_text(&graph->strings, graph->name);
    tir_ser_put_text(&e.head, TIR_SER_GRAPH_NAME, name);
    status = check_name(&e, "graph", name);
  }
  if (status == TIR_OK) status = encode_nodes(&e);
  if (status == TIR_OK) status = assemble(&e, out_bytes);
  encoder_free(&e, n_bytes);
  return status;
}

tir_status tir_ser_encode_graph(const tir_ir_graph *graph,
                                tir_ser_tensor_list *tensors,
                                tir_ser_bytes *out_bytes, tir_error *error) {
  return encode(graph, tensors, TIR_SER_FILE_GRAPHS, out_bytes, error);
}
