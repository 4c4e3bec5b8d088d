// Bodies: the frozen graphs inside control nodes (scan, cond, while).
//
// A body is pure: its inputs are what the node gives it, its outputs what the
// node takes from it, and it has no params or effects; what it draws depends on
// the state and streams it is given. It never changes once made, so copies of a
// node share it by counting.
#ifndef TAPEIR_IR_BODY_H
#define TAPEIR_IR_BODY_H

#include "ir/base/atomics.h"
#include "ir/graph.h"

enum { TIR_MAX_BODY_DEPTH = 32 };

struct tir_ir_body {
  atomic_size_t n_refs;
  tir_ir_graph *graph;
  uint32_t depth;  // bodies one inside the other, this one included
  bool has_calls;  // a gradient call waits to be expanded, here or deeper
};

// Freezes a graph, taking ownership of it (also on error): compacts, verifies,
// clears the marks of a recording, and refuses what a body may not hold.
tir_status tir_ir_body_create(tir_ir_graph *graph, tir_ir_body **out_body,
                              tir_error *error);
tir_ir_body *tir_ir_body_retain(tir_ir_body *body);
void tir_ir_body_release(tir_ir_body *body);

// Puts a body into the graph, taking a reference; *out_number is what an
// attribute of kind TIR_ATTR_BODY says.
tir_status tir_ir_add_body(tir_ir_graph *graph, tir_ir_body *body,
                           int64_t *out_number, tir_error *error);
// Gives the node's attributes, a copy in `attrs`, places for their bodies in
// `to`. Does nothing for ops without bodies.
tir_status tir_ir_carry_bodies(tir_ir_graph *to, const tir_ir_graph *from,
                               const tir_op_desc *desc, void *attrs,
                               tir_error *error);
// Does an attribute of the op hold a body?
bool tir_ir_has_bodies(const tir_op_desc *desc);
// The body an attribute of a valid node names; NULL if the number is out of
// range or the attribute of another kind.
tir_ir_body *tir_ir_body_of(const tir_ir_graph *graph, const tir_ir_attr *attr,
                            const void *attrs);
// Changes which body it is, for good.
void tir_ir_set_body(tir_ir_graph *graph, const tir_ir_attr *attr,
                     const void *attrs, tir_ir_body *body);

// Visits the bodies of all nodes, in order. Starts with {0}; false at the end.
typedef struct tir_ir_body_visit {
  tir_ir_node node;
  const tir_ir_attr *attr;  // the body's
  uint32_t next;            // attribute to look at
  tir_ir_body *body;
} tir_ir_body_visit;
bool tir_ir_next_body(const tir_ir_graph *graph, tir_ir_body_visit *visit);
// A gradient call, in the graph or in a body of it?
bool tir_ir_has_calls(const tir_ir_graph *graph);

// --- types -----------------------------------------------------------------

// A type of `from` with its symbols as strings of `to`; false without memory.
bool tir_ir_carry_type(tir_ir_graph *to, const tir_ir_graph *from,
                       tir_ir_value value, tir_ir_type *out_type);
// The same for a reader: symbols that `to` does not know become fixed dims.
void tir_ir_view_type(const tir_ir_graph *to, const tir_ir_graph *from,
                      tir_ir_value value, tir_ir_type *out_type);
// A copy whose inputs have these types (symbols as strings of `of`), inferred
// anew; *out_body is `body` itself, retained, if it has them already.
tir_status tir_ir_body_at(tir_ir_body *body, const tir_ir_graph *of,
                          const tir_ir_type *types, tir_ir_body **out_body,
                          tir_error *error);
// Gives the bodies of a node the types its operands have now.
tir_status tir_ir_follow_bodies(tir_ir_graph *graph, tir_ir_node node,
                                tir_error *error);

// Words that tell one body from another: structure, types, constants and
// places, no address.
void tir_ir_body_words(const tir_ir_body *body,
                       void (*put)(void *user, uint64_t word), void *user);

#endif
