// Bodies: making, sharing, finding them. What recurses here recurses by the
// depth of nesting, which tir_ir_body_create bounds.
//
// A body is frozen when it is made and shared from then on. What changes a body
// makes another one and puts it in the place of the old (tir_ir_set_body), so
// that nobody who holds the old one sees a difference.
#include "ir/body.h"

#include <string.h>

#include "ir/attr.h"
#include "ir/base/hash.h"
#include "ir/infer.h"

// --- life ------------------------------------------------------------------

// The refusal of one node of a body: the op's name in front, the place behind.
static tir_status fail_node(const tir_ir_graph *g, tir_ir_node n,
                            tir_status status, const char *why,
                            tir_error *error) {
  tir_base_fail(error, status, "%s: %s", tir_ir_desc(g, n)->name, why);
  tir_ir_say_where(g, n, error);
  return status;
}

// What a body may hold, node by node. Random ops are pure: their numbers are
// those of their operands.
static tir_status check_pure(const tir_ir_graph *g, tir_error *error) {
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    const uint32_t traits = tir_ir_desc(g, n)->traits;
    if (tir_ir_op(g, n) == TIR_OP_PARAM)
      return fail_node(g, n, TIR_ERR_UNSUPPORTED,
                       "a body has no parameters: pass it in", error);
    if (traits & TIR_TRAIT_EFFECT)
      return fail_node(g, n, TIR_ERR_UNSUPPORTED,
                       "a body changes no state: return the new value", error);
  }
  if (g->outputs.count > 0) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_ARGUMENT, "body: it returns nothing");
}

// Depth and calls are those of the bodies inside, which were measured when they
// were frozen: no look further down than one level.
static tir_status measure(tir_ir_body *body, tir_error *error) {
  const tir_ir_graph *g = body->graph;
  tir_ir_body_visit visit = {0};
  body->depth = 1;
  while (tir_ir_next_body(g, &visit))
    if (visit.body->depth >= body->depth) body->depth = visit.body->depth + 1;
  body->has_calls = tir_ir_has_calls(g);
  if (body->depth <= TIR_MAX_BODY_DEPTH) return TIR_OK;
  return tir_base_fail(error, TIR_ERR_LIMIT,
                       "body: bodies are nested %u deep, at most %d",
                       body->depth, TIR_MAX_BODY_DEPTH);
}

// Marks of the recording mean nothing inside a body: all of it is history.
static void clear_marks(tir_ir_graph *g) {
  for (size_t i = 1; i < g->nodes.count; i++)
    g->nodes.data[i].flags &= (uint16_t)~TIR_NODE_OF_TAPE;
  for (size_t i = 1; i < g->values.count; i++) g->values.data[i].flags = 0;
}

// The order matters: verify expects a compact graph, and what measure reads is
// only to be trusted behind it. Sites are copied last, since the code that
// recorded the body may be unloaded while a program still holds it.
static tir_status freeze(tir_ir_body *body, tir_error *error) {
  tir_ir_graph *g = body->graph;
  TIR_TRY(tir_ir_compact(g, NULL, error));
  TIR_TRY(check_pure(g, error));
  TIR_TRY(tir_ir_verify(g, error));
  TIR_TRY(measure(body, error));
  clear_marks(g);
  if (!tir_ir_keep_sites(g)) return tir_base_fail_memory(error, 0);
  return TIR_OK;
}

tir_status tir_ir_body_create(tir_ir_graph *graph, tir_ir_body **out_body,
                              tir_error *error) {
  *out_body = NULL;
  tir_ir_body *body =
      tir_base_alloc_zero(graph->context, sizeof *body, _Alignof(tir_ir_body));
  if (!body) {
    tir_ir_graph_destroy(graph);
    return tir_base_fail_memory(error, sizeof *body);
  }
  atomic_init(&body->n_refs, 1);
  body->graph = graph;
  const tir_status status = freeze(body, error);
  if (status == TIR_OK)
    *out_body = body;
  else
    tir_ir_body_release(body);
  return status;
}

// Relaxed is enough: who retains holds a reference already.
tir_ir_body *tir_ir_body_retain(tir_ir_body *body) {
  atomic_fetch_add_explicit(&body->n_refs, 1, memory_order_relaxed);
  return body;
}

void tir_ir_body_release(tir_ir_body *body) {
  if (!body) return;
  if (atomic_fetch_sub_explicit(&body->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  // The graph may hold the last reference to the context, and the body's own
  // memory is freed after it.
  tir_context *context = tir_base_context_retain(body->graph->context);
  tir_ir_graph_destroy(body->graph);
  tir_base_free(context, body, sizeof *body, _Alignof(tir_ir_body));
  tir_base_context_release(context);
}

// --- in a graph ------------------------------------------------------------

// Numbers in attributes count from 1, so that zeroed attributes name no body.
tir_status tir_ir_add_body(tir_ir_graph *g, tir_ir_body *body,
                           int64_t *out_number, tir_error *error) {
  *out_number = 0;
  if (g->bodies.count >= UINT32_MAX - 1)
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many bodies");
  if (!TIR_VEC_PUSH(g->context, &g->bodies, body))
    return tir_base_fail_memory(error, sizeof body);
  tir_ir_body_retain(body);
  *out_number = (int64_t)g->bodies.count;
  return TIR_OK;
}

bool tir_ir_has_bodies(const tir_op_desc *desc) {
  // They stand before other attributes.
  return desc->n_attrs > 0 && desc->attrs[0].kind == TIR_ATTR_BODY;
}

// By memcpy, as all fields are read: the attributes are those of any op.
static int64_t number_of(const tir_ir_attr *attr, const void *attrs) {
  int64_t number;
  memcpy(&number, tir_ir_attr_field(attr, attrs), sizeof number);
  return number;
}

tir_ir_body *tir_ir_body_of(const tir_ir_graph *g, const tir_ir_attr *attr,
                            const void *attrs) {
  if (attr->kind != TIR_ATTR_BODY) return NULL;
  const int64_t number = number_of(attr, attrs);
  if (number < 1 || (uint64_t)number > g->bodies.count) return NULL;
  return g->bodies.data[number - 1];
}

// The new one is taken before the old one goes: they may be one and the same.
// The place belongs to this node alone, as compact and copying give each node
// places of its own.
void tir_ir_set_body(tir_ir_graph *g, const tir_ir_attr *attr,
                     const void *attrs, tir_ir_body *body) {
  tir_ir_body **there = &g->bodies.data[number_of(attr, attrs) - 1];
  tir_ir_body_retain(body);
  tir_ir_body_release(*there);
  *there = body;
}

// Reads the old number from `attrs` and writes the new one into it, attribute
// by attribute; `from` and `to` may be one graph, whose list then grows.
tir_status tir_ir_carry_bodies(tir_ir_graph *to, const tir_ir_graph *from,
                               const tir_op_desc *desc, void *attrs,
                               tir_error *error) {
  for (size_t i = 0; tir_ir_has_bodies(desc) && i < desc->n_attrs; i++) {
    tir_ir_body *body = tir_ir_body_of(from, &desc->attrs[i], attrs);
    int64_t number = 0;
    if (!body) continue;
    TIR_TRY(tir_ir_add_body(to, body, &number, error));
    memcpy((char *)attrs + desc->attrs[i].offset, &number, sizeof number);
  }
  return TIR_OK;
}

// The visit holds where to go on: `next` is the attribute to look at, and a
// node whose attributes are all seen leads to the next node.
bool tir_ir_next_body(const tir_ir_graph *g, tir_ir_body_visit *visit) {
  if (!visit->node.id) visit->node = tir_ir_first(g);
  while (visit->node.id) {
    const tir_op_desc *desc = tir_ir_desc(g, visit->node);
    const uint32_t n = tir_ir_has_bodies(desc) ? desc->n_attrs : 0;
    while (visit->next < n) {
      visit->attr = &desc->attrs[visit->next++];
      visit->body =
          tir_ir_body_of(g, visit->attr, tir_ir_attrs(g, visit->node));
      if (visit->body) return true;
    }
    visit->next = 0;
    visit->node = tir_ir_next(g, visit->node);
  }
  return false;
}

// Gradient calls are the only internal ops. Bodies remember the answer, so
// nothing is walked twice.
bool tir_ir_has_calls(const tir_ir_graph *g) {
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n))
    if (tir_ir_desc(g, n)->traits & TIR_TRAIT_INTERNAL) return true;
  tir_ir_body_visit visit = {0};
  while (tir_ir_next_body(g, &visit))
    if (visit.body->has_calls) return true;
  return false;
}

// --- types -----------------------------------------------------------------

static const char *symbol_text(const tir_ir_graph *g, uint32_t symbol) {
  return tir_base_strings_text(&g->strings, symbol);
}

// A symbol is a string id, which means something in its own graph only: it goes
// over by its text.
bool tir_ir_carry_type(tir_ir_graph *to, const tir_ir_graph *from,
                       tir_ir_value value, tir_ir_type *type) {
  tir_ir_type_of(from, value, type);
  for (int i = 0; i < type->rank && to != from; i++) {
    if (!type->symbols[i]) continue;
    const char *text = symbol_text(from, type->symbols[i]);
    if (!tir_base_strings_intern(&to->strings, text, strlen(text),
                                 &type->symbols[i]))
      return false;
  }
  return true;
}

// Adds no string, since `to` may be shared. A symbol it lacks cannot be that of
// any dim of it, so for a comparison 0 is as good.
void tir_ir_view_type(const tir_ir_graph *to, const tir_ir_graph *from,
                      tir_ir_value value, tir_ir_type *type) {
  tir_ir_type_of(from, value, type);
  for (int i = 0; i < type->rank && to != from; i++) {
    if (!type->symbols[i]) continue;
    const char *text = symbol_text(from, type->symbols[i]);
    type->symbols[i] = tir_base_strings_find(&to->strings, text, strlen(text));
  }
}

// Compared in the strings of `of`, where `types` are at home.
static bool has_types(const tir_ir_body *body, const tir_ir_graph *of,
                      const tir_ir_type *types) {
  const tir_ir_graph *g = body->graph;
  for (size_t i = 0; i < g->inputs.count; i++) {
    tir_ir_type type;
    tir_ir_view_type(of, g, g->inputs.data[i], &type);
    if (!tir_ir_type_equal(&type, &types[i])) return false;
  }
  return true;
}

// The inputs decide all other types; inference brings them up to date, and with
// them the bodies inside.
static tir_status set_types(tir_ir_graph *g, const tir_ir_graph *of,
                            const tir_ir_type *types, tir_error *error) {
  for (size_t i = 0; i < g->inputs.count; i++) {
    tir_ir_type type = types[i];
    for (int a = 0; a < type.rank; a++) {
      if (!type.symbols[a]) continue;
      const char *text = symbol_text(of, type.symbols[a]);
      if (!tir_base_strings_intern(&g->strings, text, strlen(text),
                                   &type.symbols[a]))
        return tir_base_fail_memory(error, strlen(text));
    }
    TIR_TRY(tir_ir_set_type(g, g->inputs.data[i], &type, error));
  }
  return tir_ir_infer_graph(g, error);
}

tir_status tir_ir_body_at(tir_ir_body *body, const tir_ir_graph *of,
                          const tir_ir_type *types, tir_ir_body **out_body,
                          tir_error *error) {
  *out_body = NULL;
  if (has_types(body, of, types)) {
    *out_body = tir_ir_body_retain(body);
    return TIR_OK;
  }
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(body->graph, &copy, error));
  const tir_status status = set_types(copy, of, types, error);
  if (status == TIR_OK) return tir_ir_body_create(copy, out_body, error);
  tir_ir_graph_destroy(copy);
  return status;
}

// `types` has room for the inputs of one body. If the sizes are those it has,
// body_at gives the body itself and nothing is copied.
static tir_status follow_body(tir_ir_graph *g, const tir_ir_body_visit *visit,
                              const tir_ir_type *in, tir_ir_type *types,
                              tir_error *error) {
  const tir_op_desc *desc = tir_ir_desc(g, visit->node);
  const void *attrs = tir_ir_attrs(g, visit->node);
  const size_t n_in = tir_ir_n_in(g, visit->node);
  const size_t n = visit->body->graph->inputs.count;
  // Where counts do not fit, infer says so.
  if (desc->body_inputs(attrs, in, n_in, types) != n) return TIR_OK;
  tir_ir_body *body = NULL;
  TIR_TRY(tir_ir_body_at(visit->body, g, types, &body, error));
  tir_ir_set_body(g, visit->attr, attrs, body);
  tir_ir_body_release(body);
  return TIR_OK;
}

tir_status tir_ir_follow_bodies(tir_ir_graph *g, tir_ir_node node,
                                tir_error *error) {
  if (!tir_ir_has_bodies(tir_ir_desc(g, node))) return TIR_OK;
  const uint32_t n_in = tir_ir_n_in(g, node);
  // One block for the operand types and those of a body's inputs, which are
  // never more than the operands; one entry over, so that it is never empty.
  const size_t bytes = 2 * ((size_t)n_in + 1) * sizeof(tir_ir_type);
  tir_ir_type *in = tir_base_alloc(g->context, bytes, _Alignof(tir_ir_type));
  if (!in) return tir_base_fail_memory(error, bytes);
  for (uint32_t i = 0; i < n_in; i++)
    tir_ir_type_of(g, tir_ir_in(g, node, i), &in[i]);
  tir_ir_body_visit visit = {.node = node};
  tir_status status = TIR_OK;
  while (status == TIR_OK && tir_ir_next_body(g, &visit) &&
         visit.node.id == node.id)
    status = follow_body(g, &visit, in, in + n_in + 1, error);
  tir_base_free(g->context, in, bytes, _Alignof(tir_ir_type));
  if (status != TIR_OK) {
    tir_base_error_prefix(error, tir_ir_desc(g, node)->name);
    tir_ir_say_where(g, node, error);
  }
  return status;
}

// --- words -----------------------------------------------------------------

typedef void (*put_fn)(void *user, uint64_t word);

// Eight bytes a word; the last word is filled up with zeros. The length is no
// part of it: the type that follows tells it.
static void put_bytes(put_fn put, void *user, const void *data, size_t size) {
  const char *bytes = data;
  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + at, size - at < 8 ? size - at : 8);
    put(user, word);
  }
}

// Numbers of tensors and bodies are places in one graph, which another may have
// elsewhere: in their stead stands what they name.
static void put_attrs(const tir_ir_graph *g, tir_ir_node n, put_fn put,
                      void *user) {
  const tir_op_desc *desc = tir_ir_desc(g, n);
  const uint64_t *words = tir_ir_attrs(g, n);
  if (tir_ir_op(g, n) == TIR_OP_CONSTANT) {
    const tir_attrs_constant *attrs = tir_ir_attrs(g, n);
    put(user, attrs->bits);
    // Parts a tensor from a splat whose bits are the same.
    put(user, attrs->tensor != 0);
    if (!attrs->tensor) return;
    const tir_tensor *tensor = g->tensors.data[attrs->tensor - 1];
    put_bytes(put, user, tensor->data, tensor->size_bytes);
  } else if (tir_ir_has_bodies(desc)) {
    for (size_t i = 0; i < desc->n_attrs; i++) {
      const tir_ir_body *body = tir_ir_body_of(g, &desc->attrs[i], words);
      if (body)
        tir_ir_body_words(body, put, user);
      else
        put(user, words[desc->attrs[i].offset / 8]);
    }
  } else {
    for (size_t i = 0; i < desc->attrs_size / 8u; i++) put(user, words[i]);
  }
}

// Names and symbols are left out: they change nothing that is computed.
static void put_value(const tir_ir_graph *g, uint32_t id, put_fn put,
                      void *user) {
  const tir_ir_value_data *v = &g->values.data[id];
  put(user, (uint64_t)v->dtype | (uint64_t)v->rank << 8);
  for (uint32_t i = 0; i < v->rank; i++)
    put(user, (uint64_t)g->dims.data[v->dims + i]);
}

// Operands are value ids, which count from 1 in every compact graph, so that
// equal bodies have equal ids. Sites are in it because a program reports them.
void tir_ir_body_words(const tir_ir_body *body, put_fn put, void *user) {
  const tir_ir_graph *g = body->graph;
  put(user, tir_ir_n_nodes(g));
  for (tir_ir_node n = tir_ir_first(g); n.id; n = tir_ir_next(g, n)) {
    const tir_ir_node_data *data = tir_ir_node_at(g, n);
    put(user, (uint64_t)data->op | (uint64_t)data->n_out << 32);
    put(user, data->n_in);
    put(user, data->site ? tir_base_hash(data->site, strlen(data->site)) : 0);
    put_attrs(g, n, put, user);
    for (uint32_t i = 0; i < data->n_in; i++) put(user, tir_ir_in(g, n, i).id);
    for (uint32_t i = 0; i < data->n_out; i++)
      put_value(g, data->out_first + i, put, user);
  }
  put(user, g->outputs.count);
  for (size_t i = 0; i < g->outputs.count; i++)
    put(user, g->outputs.data[i].value.id);
}
