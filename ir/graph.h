// The graph under work: arrays indexed by 32-bit ids, no pointers between
// nodes. Nodes stand in topological order: a node's operands are outputs of
// nodes with smaller ids. The public tir_graph is a frozen one (ir/module.h).
//
// Id 0 is "none" for nodes and values; ids start at 1. Ids are stable until
// tir_ir_compact or a rebuild.
#ifndef TAPEIR_IR_GRAPH_H
#define TAPEIR_IR_GRAPH_H

#include "ir/base/strings.h"
#include "ir/base/tensor.h"
#include "ir/op.h"

// One-field structs, so that a node id cannot pass for a value id.
typedef struct tir_ir_node {
  uint32_t id;
} tir_ir_node;
typedef struct tir_ir_value {
  uint32_t id;
} tir_ir_value;

enum {
  TIR_NODE_HISTORY = 1,   // recorded with an operand that needs a gradient
  TIR_NODE_RECORDED = 2,  // recording was on
  TIR_NODE_BACKWARD = 4,  // made by the gradient pass
  TIR_NODE_REMOVED = 8,   // waits for tir_ir_compact
  TIR_NODE_PAUSED = 16,   // recording was on further out only
  // What means something on the tape alone.
  TIR_NODE_OF_TAPE = TIR_NODE_HISTORY | TIR_NODE_RECORDED | TIR_NODE_PAUSED,
};

// Zero words at the start of `attrs`: the attributes of every node that has
// none or only zeros.
enum { TIR_N_ZERO_WORDS = 32 };

enum {
  TIR_VALUE_NEEDS_GRAD = 1,  // a variable, or computed from one in a history
  TIR_VALUE_MARKED = 2,      // only while one function looks at a list
};

typedef struct tir_ir_node_data {
  uint16_t op;
  uint16_t flags;
  uint32_t in_first;  // into operands
  uint32_t n_in;
  uint32_t out_first;  // value id
  uint32_t n_out;
  uint32_t attrs;    // into attrs (8-byte words)
  uint32_t origin;   // node of the recorded trace this one comes from
  const char *site;  // "model.c:41", NULL if unknown; outlives the graph
} tir_ir_node_data;

typedef struct tir_ir_value_data {
  uint32_t node;
  uint32_t dims;  // into dims: rank sizes, then rank symbols if has_symbols
  uint32_t name;  // string id
  uint8_t dtype;
  uint8_t rank;
  uint8_t flags;
  uint8_t has_symbols;
} tir_ir_value_data;

typedef struct tir_ir_output {
  tir_ir_value value;
  uint32_t name;
} tir_ir_output;

typedef struct tir_ir_body tir_ir_body;  // ir/body.h

struct tir_ir_graph {
  tir_context *context;
  tir_base_strings strings;
  uint32_t name;
  TIR_VEC(tir_ir_node_data) nodes;    // [0] is unused
  TIR_VEC(tir_ir_value_data) values;  // [0] is unused
  TIR_VEC(uint32_t) operands;         // value ids
  TIR_VEC(int64_t) dims;
  TIR_VEC(uint64_t) attrs;
  TIR_VEC(tir_tensor *) tensors;  // of constants; one reference each
  TIR_VEC(tir_ir_body *) bodies;  // of control nodes; one reference each
  TIR_VEC(tir_ir_value) inputs;   // outputs of the input nodes, in order
  TIR_VEC(tir_ir_output) outputs;
  TIR_VEC(uint32_t) forward;  // value → its replacement, 0 = itself; lazy
};

tir_status tir_ir_graph_create(tir_context *context, const char *name,
                               tir_ir_graph **out_graph, tir_error *error);
void tir_ir_graph_destroy(tir_ir_graph *graph);
// Deep copy (constant tensors are shared).
tir_status tir_ir_graph_copy(const tir_ir_graph *graph,
                             tir_ir_graph **out_graph, tir_error *error);
// Bytes held by the arrays and strings.
size_t tir_ir_graph_bytes(const tir_ir_graph *graph);

// --- building --------------------------------------------------------------

// Appends a node with given output types; no inference, no checks beyond
// memory. `attrs` is desc->attrs_size bytes or NULL for none/zeroed. An input
// node's value is added to graph->inputs. `operands` and `attrs` may point
// into this graph.
tir_status tir_ir_append(tir_ir_graph *graph, tir_op op,
                         const uint32_t *operands, size_t n_in,
                         const void *attrs, const tir_ir_type *out_types,
                         size_t n_out, tir_ir_node *out_node, tir_error *error);
// Makes room for so many nodes without attributes, with that many operands
// and outputs in all: appending them cannot fail for want of memory.
tir_status tir_ir_reserve(tir_ir_graph *graph, size_t n_nodes, size_t n_in,
                          size_t n_out, tir_error *error);
// Validates by the op's infer, then appends. For DECLARED ops `declared`
// gives the types (checked), else it is NULL.
tir_status tir_ir_append_checked(tir_ir_graph *graph, tir_op op,
                                 const uint32_t *operands, size_t n_in,
                                 const void *attrs, const tir_ir_type *declared,
                                 size_t n_out, tir_ir_node *out_node,
                                 tir_error *error);
// UTF-8 of at most TIR_MAX_NAME bytes, no zero byte; size 0 takes the name
// away.
enum { TIR_MAX_NAME = 1024 };
tir_status tir_ir_set_value_name(tir_ir_graph *graph, tir_ir_value value,
                                 const char *name, size_t size,
                                 tir_error *error);
tir_status tir_ir_add_output(tir_ir_graph *graph, tir_ir_value value,
                             const char *name, tir_error *error);
// Takes a reference on the tensor; *out_index is its number in `tensors`.
tir_status tir_ir_add_tensor(tir_ir_graph *graph, tir_tensor *tensor,
                             uint32_t *out_index, tir_error *error);
// Copies one node of another graph: operands given as ids of `to`; name,
// flags, site (copied text: see tir_ir_keep_site), tensor, bodies and types
// carried.
tir_status tir_ir_copy_node(tir_ir_graph *to, const tir_ir_graph *from,
                            tir_ir_node node, const uint32_t *operands,
                            tir_ir_node *out_node, tir_error *error);
// Copy of a site text that lives as long as the graph. NULL for none, and
// when memory ran out.
const char *tir_ir_keep_site(tir_ir_graph *graph, const char *site);
// Keeps the sites of all nodes; false when memory ran out.
bool tir_ir_keep_sites(tir_ir_graph *graph);

// --- reading ---------------------------------------------------------------

static inline bool tir_ir_node_valid(tir_ir_node n) { return n.id != 0; }
static inline bool tir_ir_value_valid(tir_ir_value v) { return v.id != 0; }
static inline uint32_t tir_ir_n_nodes(const tir_ir_graph *g) {
  return (uint32_t)g->nodes.count - 1;  // ids 1 … n
}
static inline uint32_t tir_ir_n_values(const tir_ir_graph *g) {
  return (uint32_t)g->values.count - 1;
}
// First and next node that is not removed; id 0 at the end.
tir_ir_node tir_ir_first(const tir_ir_graph *graph);
tir_ir_node tir_ir_next(const tir_ir_graph *graph, tir_ir_node node);

static inline tir_ir_node_data *tir_ir_node_at(const tir_ir_graph *g,
                                               tir_ir_node n) {
  return &g->nodes.data[n.id];
}
static inline tir_ir_value_data *tir_ir_value_at(const tir_ir_graph *g,
                                                 tir_ir_value v) {
  return &g->values.data[v.id];
}
static inline tir_op tir_ir_op(const tir_ir_graph *g, tir_ir_node n) {
  return (tir_op)g->nodes.data[n.id].op;
}
static inline const tir_op_desc *tir_ir_desc(const tir_ir_graph *g,
                                             tir_ir_node n) {
  return tir_ir_op_desc(tir_ir_op(g, n));
}
static inline const void *tir_ir_attrs(const tir_ir_graph *g, tir_ir_node n) {
  return &g->attrs.data[g->nodes.data[n.id].attrs];
}
// What attrs NULL stands for: zeros, enough for every op.
static inline const void *tir_ir_zero_attrs(const tir_ir_graph *g) {
  return g->attrs.data;
}
static inline uint32_t tir_ir_n_in(const tir_ir_graph *g, tir_ir_node n) {
  return g->nodes.data[n.id].n_in;
}
static inline uint32_t tir_ir_n_out(const tir_ir_graph *g, tir_ir_node n) {
  return g->nodes.data[n.id].n_out;
}
// Where a value's uses lead after replacements.
tir_ir_value tir_ir_resolve(const tir_ir_graph *graph, tir_ir_value value);
// Operand i, replacements followed.
static inline tir_ir_value tir_ir_in(const tir_ir_graph *g, tir_ir_node node,
                                     uint32_t i) {
  const uint32_t id = g->operands.data[g->nodes.data[node.id].in_first + i];
  if (id >= g->forward.count) return (tir_ir_value){id};
  return tir_ir_resolve(g, (tir_ir_value){id});
}
static inline tir_ir_value tir_ir_out(const tir_ir_graph *g, tir_ir_node n,
                                      uint32_t i) {
  return (tir_ir_value){g->nodes.data[n.id].out_first + i};
}
static inline tir_ir_node tir_ir_producer(const tir_ir_graph *g,
                                          tir_ir_value v) {
  return (tir_ir_node){g->values.data[v.id].node};
}
static inline tir_dtype tir_ir_dtype_of(const tir_ir_graph *g, tir_ir_value v) {
  return (tir_dtype)g->values.data[v.id].dtype;
}
void tir_ir_type_of(const tir_ir_graph *graph, tir_ir_value value,
                    tir_ir_type *out_type);
bool tir_ir_same_type(const tir_ir_graph *graph, tir_ir_value a,
                      tir_ir_value b);
// Borrowed, "" if it has none.
const char *tir_ir_value_name(const tir_ir_graph *graph, tir_ir_value value);

// --- rewriting -------------------------------------------------------------

// From now on `value` means `by` wherever it is used (also as an output).
// O(1); compact makes it permanent.
tir_status tir_ir_replace_uses(tir_ir_graph *graph, tir_ir_value value,
                               tir_ir_value by, tir_error *error);
// Changes the type of a value (for inference on new sizes).
tir_status tir_ir_set_type(tir_ir_graph *graph, tir_ir_value value,
                           const tir_ir_type *type, tir_error *error);
// Turns a one-output node into a constant of the same type: `bits` repeated,
// or `tensor` (a reference is taken) when it is not NULL.
tir_status tir_ir_make_constant(tir_ir_graph *graph, tir_ir_node node,
                                uint64_t bits, tir_tensor *tensor,
                                tir_error *error);
static inline void tir_ir_remove(tir_ir_graph *g, tir_ir_node n) {
  g->nodes.data[n.id].flags |= TIR_NODE_REMOVED;
}
// Drops removed nodes, applies replacements, renumbers in order. When
// `out_value_map` is not NULL it gets a new-id-by-old-id array of
// old n_values + 1 entries (tir_base_free with that size × 4, align 4).
tir_status tir_ir_compact(tir_ir_graph *graph, uint32_t **out_value_map,
                          tir_error *error);

// Marks everything as recorded history, with every float input and parameter
// a variable.
void tir_ir_mark_history(tir_ir_graph *graph);

// --- constants -------------------------------------------------------------

// The node makes a constant; *out_bits when it is one element repeated.
bool tir_ir_is_constant(const tir_ir_graph *graph, tir_ir_value value);
bool tir_ir_is_splat(const tir_ir_graph *graph, tir_ir_value value,
                     uint64_t *out_bits);
// The value is a constant whose elements all are `x` (bits of x in its dtype:
// −0 is not +0). Also for a one-element constant tensor.
bool tir_ir_constant_is(const tir_ir_graph *graph, tir_ir_value value,
                        double x);

#endif
