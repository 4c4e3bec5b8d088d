// The graph under work: making, appending, reading.
//
// All data stands in growing arrays indexed by 32-bit ids. Appending a node is
// on the path of every recorded op, so it reserves first and then only writes:
// no allocation but amortised growth, and nothing is half done on failure.
// Values of equal shape share one entry of `dims`.
#include "ir/graph.h"

#include <string.h>

#include "ir/base/utf8.h"
#include "ir/body.h"
#include "ir/infer.h"

enum {
  // Rank sizes and rank symbols.
  MAX_TYPE_WORDS = 2 * TIR_MAX_RANK,
};

// Entry 0 of nodes and values stands for "none", so that ids begin at 1 and
// zeroed memory refers to nothing.
tir_status tir_ir_graph_create(tir_context *context, const char *name,
                               tir_ir_graph **out_graph, tir_error *error) {
  *out_graph = NULL;
  tir_ir_graph *g =
      tir_base_alloc_zero(context, sizeof *g, _Alignof(tir_ir_graph));
  if (!g) return tir_base_fail_memory(error, sizeof *g);
  g->context = tir_base_context_retain(context);
  tir_base_strings_init(&g->strings, context);

  if (!name) name = "";
  // Room for a small graph. The zero words must be there before anything points
  // at them.
  if (!TIR_VEC_RESERVE(context, &g->nodes, 16) ||
      !TIR_VEC_RESERVE(context, &g->values, 16) ||
      !TIR_VEC_RESERVE(context, &g->operands, 16) ||
      !TIR_VEC_RESERVE(context, &g->dims, MAX_TYPE_WORDS) ||
      !TIR_VEC_RESERVE(context, &g->attrs, TIR_N_ZERO_WORDS) ||
      !tir_base_strings_intern(&g->strings, name, strlen(name), &g->name)) {
    tir_ir_graph_destroy(g);
    return tir_base_fail_memory(error, 0);
  }
  g->nodes.data[g->nodes.count++] = (tir_ir_node_data){0};
  g->values.data[g->values.count++] = (tir_ir_value_data){0};
  memset(g->attrs.data, 0, TIR_N_ZERO_WORDS * sizeof *g->attrs.data);
  g->attrs.count = TIR_N_ZERO_WORDS;
  *out_graph = g;
  return TIR_OK;
}

void tir_ir_graph_destroy(tir_ir_graph *g) {
  if (!g) return;
  tir_context *context = g->context;
  for (size_t i = 0; i < g->tensors.count; i++)
    tir_tensor_release(g->tensors.data[i]);
  for (size_t i = 0; i < g->bodies.count; i++)
    tir_ir_body_release(g->bodies.data[i]);
  TIR_VEC_FREE(context, &g->nodes);
  TIR_VEC_FREE(context, &g->values);
  TIR_VEC_FREE(context, &g->operands);
  TIR_VEC_FREE(context, &g->dims);
  TIR_VEC_FREE(context, &g->attrs);
  TIR_VEC_FREE(context, &g->tensors);
  TIR_VEC_FREE(context, &g->bodies);
  TIR_VEC_FREE(context, &g->inputs);
  TIR_VEC_FREE(context, &g->outputs);
  TIR_VEC_FREE(context, &g->forward);
  tir_base_strings_free(&g->strings);
  tir_base_free(context, g, sizeof *g, _Alignof(tir_ir_graph));
  tir_base_context_release(context);
}

size_t tir_ir_graph_bytes(const tir_ir_graph *g) {
  return sizeof *g + g->nodes.capacity * sizeof *g->nodes.data +
         g->values.capacity * sizeof *g->values.data +
         g->operands.capacity * sizeof *g->operands.data +
         g->dims.capacity * sizeof *g->dims.data +
         g->attrs.capacity * sizeof *g->attrs.data +
         g->tensors.capacity * sizeof *g->tensors.data +
         g->bodies.capacity * sizeof *g->bodies.data +
         g->inputs.capacity * sizeof *g->inputs.data +
         g->outputs.capacity * sizeof *g->outputs.data +
         g->forward.capacity * sizeof *g->forward.data +
         g->strings.arena.total_bytes +
         g->strings.texts.capacity * sizeof *g->strings.texts.data +
         g->strings.n_buckets * sizeof *g->strings.buckets;
}

// --- building --------------------------------------------------------------

// Decides whether a shape takes rank or twice rank words.
static bool has_symbols(const tir_ir_type *type) {
  uint32_t any = 0;
  for (int i = 0; i < type->rank; i++) any |= type->symbols[i];
  return any != 0;
}

// Does the value have exactly these dims and symbols?
static bool shares_shape(const tir_ir_graph *g, const tir_ir_value_data *v,
                         const tir_ir_type *type, bool symbols) {
  if (v->rank != type->rank || v->has_symbols != symbols) return false;
  const int64_t *dims = &g->dims.data[v->dims];
  for (int i = 0; i < type->rank; i++)
    if (dims[i] != type->dims[i]) return false;
  if (symbols)
    for (int i = 0; i < type->rank; i++)
      if (dims[type->rank + i] != (int64_t)type->symbols[i]) return false;
  return true;
}

// Stores a shape unless one of `n` candidate values has it; room for it was
// reserved. Returns its index in `dims`.
static uint32_t put_shape(tir_ir_graph *g, const tir_ir_type *type,
                          bool symbols, const uint32_t *candidates, size_t n) {
  const size_t rank = (size_t)type->rank;
  if (rank == 0) return 0;
  // A wide concatenation hardly ever repeats an operand's shape: look at few.
  if (n > 4) n = 4;
  for (size_t i = 0; i < n; i++) {
    const tir_ir_value_data *c = &g->values.data[candidates[i]];
    if (shares_shape(g, c, type, symbols)) return c->dims;
  }
  const uint32_t first = (uint32_t)g->dims.count;
  int64_t *dims = &g->dims.data[first];
  for (size_t i = 0; i < rank; i++) dims[i] = type->dims[i];
  g->dims.count += rank;
  if (!symbols) return first;
  for (size_t i = 0; i < rank; i++) dims[rank + i] = type->symbols[i];
  g->dims.count += rank;
  return first;
}

// Types are stored packed: a value takes 16 bytes, its shape often none.
static void put_type(tir_ir_graph *g, tir_ir_value_data *value,
                     const tir_ir_type *type, const uint32_t *candidates,
                     size_t n) {
  const bool symbols = has_symbols(type);
  value->dims = put_shape(g, type, symbols, candidates, n);
  value->dtype = (uint8_t)type->dtype;
  value->rank = (uint8_t)type->rank;
  value->has_symbols = symbols;
}

// Offset of a pointer into a vector's data, SIZE_MAX if it points elsewhere:
// callers may pass what they got from this very graph, and growing moves it.
static size_t offset_in(const void *ptr, const void *data, size_t bytes) {
  const uintptr_t p = (uintptr_t)ptr, base = (uintptr_t)data;
  return p >= base && p - base < bytes ? (size_t)(p - base) : SIZE_MAX;
}

// The rare half of reserve: limits and growth.
static tir_status grow(tir_ir_graph *g, size_t n_nodes, size_t n_in,
                       size_t n_out, size_t n_words, bool is_input,
                       tir_error *error) {
  const size_t limit = UINT32_MAX - 1;
  if (n_in > limit || n_out > limit / MAX_TYPE_WORDS || n_nodes > limit ||
      g->nodes.count > limit - n_nodes || g->values.count > limit - n_out ||
      g->operands.count > limit - n_in || g->attrs.count > limit - n_words ||
      g->dims.count > limit - n_out * MAX_TYPE_WORDS)
    return tir_base_fail(error, TIR_ERR_LIMIT,
                         "graph: too large: %zu nodes, %zu values",
                         g->nodes.count - 1, g->values.count - 1);
  tir_context *context = g->context;
  if (!TIR_VEC_RESERVE(context, &g->nodes, n_nodes) ||
      !TIR_VEC_RESERVE(context, &g->values, n_out) ||
      !TIR_VEC_RESERVE(context, &g->operands, n_in) ||
      !TIR_VEC_RESERVE(context, &g->dims, n_out * MAX_TYPE_WORDS) ||
      !TIR_VEC_RESERVE(context, &g->attrs, n_words) ||
      (is_input && !TIR_VEC_RESERVE(context, &g->inputs, 1)))
    return tir_base_fail_memory(error, sizeof *g->nodes.data);
  return TIR_OK;
}

// Makes room for one node. Everything that can fail happens here.
static inline tir_status reserve(tir_ir_graph *g, size_t n_in, size_t n_out,
                                 size_t n_words, bool is_input,
                                 tir_error *error) {
  // Ids have 32 bits. Below half of that nothing needs an exact check.
  const size_t any = g->nodes.count | g->values.count | g->operands.count |
                     g->dims.count | g->attrs.count | n_in | n_out;
  if (any <= UINT32_MAX / 2 && g->nodes.count < g->nodes.capacity &&
      g->values.count + n_out <= g->values.capacity &&
      g->operands.count + n_in <= g->operands.capacity &&
      g->dims.count + n_out * MAX_TYPE_WORDS <= g->dims.capacity &&
      g->attrs.count + n_words <= g->attrs.capacity && !is_input)
    return TIR_OK;
  return grow(g, 1, n_in, n_out, n_words, is_input, error);
}

tir_status tir_ir_reserve(tir_ir_graph *g, size_t n_nodes, size_t n_in,
                          size_t n_out, tir_error *error) {
  // Not for input nodes, which need room in the list of inputs too.
  return grow(g, n_nodes, n_in, n_out, 0, false, error);
}

// Ops without attributes share the zero words at the start.
static uint32_t put_attrs(tir_ir_graph *g, const void *attrs, size_t n_words) {
  if (n_words == 0) return 0;
  const uint32_t first = (uint32_t)g->attrs.count;
  memcpy(&g->attrs.data[first], attrs, n_words * sizeof *g->attrs.data);
  g->attrs.count += n_words;
  return first;
}

// An operand list or attributes inside this graph are found again by their
// offset, because making room may move the arrays.
tir_status tir_ir_append(tir_ir_graph *g, tir_op op, const uint32_t *operands,
                         size_t n_in, const void *attrs,
                         const tir_ir_type *out_types, size_t n_out,
                         tir_ir_node *out_node, tir_error *error) {
  *out_node = (tir_ir_node){0};
  const size_t n_words = attrs ? tir_ir_op_desc(op)->attrs_size / 8 : 0;
  const size_t own_in = offset_in(operands, g->operands.data,
                                  g->operands.count * sizeof *operands);
  const size_t own_attrs =
      offset_in(attrs, g->attrs.data, g->attrs.count * sizeof(uint64_t));
  TIR_TRY(reserve(g, n_in, n_out, n_words, op == TIR_OP_INPUT, error));
  if (own_in != SIZE_MAX) operands = g->operands.data + own_in / 4;
  if (own_attrs != SIZE_MAX) attrs = g->attrs.data + own_attrs / 8;

  const uint32_t id = (uint32_t)g->nodes.count;
  const uint32_t out_first = (uint32_t)g->values.count;
  g->nodes.data[g->nodes.count++] = (tir_ir_node_data){
      .op = (uint16_t)op,
      .in_first = (uint32_t)g->operands.count,
      .n_in = (uint32_t)n_in,
      .out_first = out_first,
      .n_out = (uint32_t)n_out,
      .attrs = put_attrs(g, attrs, n_words),
  };
  for (size_t i = 0; i < n_out; i++) {
    tir_ir_value_data *value = &g->values.data[g->values.count++];
    *value = (tir_ir_value_data){.node = id};
    put_type(g, value, &out_types[i], operands, n_in);
  }
  for (size_t i = 0; i < n_in; i++)
    g->operands.data[g->operands.count++] = operands[i];
  if (op == TIR_OP_INPUT)
    g->inputs.data[g->inputs.count++] = (tir_ir_value){out_first};
  *out_node = (tir_ir_node){id};
  return TIR_OK;
}

// Equal indices mean equal shapes; the reverse has to be looked at.
static bool same_stored_shape(const tir_ir_graph *g, const tir_ir_value_data *a,
                              const tir_ir_value_data *b) {
  if (a->rank != b->rank || a->has_symbols != b->has_symbols) return false;
  if (a->dims == b->dims) return true;
  const size_t n = a->rank * (a->has_symbols ? 2u : 1u);
  const int64_t *x = &g->dims.data[a->dims], *y = &g->dims.data[b->dims];
  for (size_t i = 0; i < n; i++)
    if (x[i] != y[i]) return false;
  return true;
}

// Most recorded ops are elementwise on operands of one type: then the result
// is known without building types. False when infer has to be asked.
static bool is_one_type(const tir_ir_graph *g, const tir_op_desc *desc,
                        const uint32_t *operands, size_t n_in, size_t n_out,
                        tir_dtype *out_dtype) {
  // One operand or two: for none the difference wraps and is large.
  if (desc->attrs_size || n_in != desc->min_inputs || n_in - 1 > 1 ||
      n_out != 1)
    return false;
  const uint32_t first = operands[0], last = operands[n_in - 1];
  // Ids 1 to count − 1: subtracting sends 0 out of range too.
  if (first - 1 >= g->values.count - 1 || last - 1 >= g->values.count - 1)
    return false;
  const tir_ir_value_data *a = &g->values.data[first];
  const tir_ir_value_data *b = &g->values.data[last];
  return a->dtype == b->dtype && same_stored_shape(g, a, b) &&
         tir_ir_infer_one_type(desc, (tir_dtype)a->dtype, out_dtype);
}

// The result shares the operand's shape entry, so this writes two records and
// no dims. It is what most recorded ops take.
static tir_status append_one_type(tir_ir_graph *g, tir_op op,
                                  const uint32_t *operands, size_t n_in,
                                  tir_dtype dtype, tir_ir_node *out_node,
                                  tir_error *error) {
  const uint32_t first = operands[0], last = operands[n_in - 1];
  TIR_TRY(reserve(g, n_in, 1, 0, false, error));
  const uint32_t id = (uint32_t)g->nodes.count++;
  const uint32_t in_first = (uint32_t)g->operands.count;
  const uint32_t out_first = (uint32_t)g->values.count++;
  g->nodes.data[id] = (tir_ir_node_data){
      .op = (uint16_t)op,
      .in_first = in_first,
      .n_in = (uint32_t)n_in,
      .out_first = out_first,
      .n_out = 1,
  };
  g->values.data[out_first] = (tir_ir_value_data){
      .node = id,
      .dims = g->values.data[first].dims,
      .dtype = (uint8_t)dtype,
      .rank = g->values.data[first].rank,
      .has_symbols = g->values.data[first].has_symbols,
  };
  g->operands.count += n_in;
  // With one operand both go to the same place.
  g->operands.data[in_first] = first;
  g->operands.data[in_first + n_in - 1] = last;
  *out_node = (tir_ir_node){id};
  return TIR_OK;
}

// The one door for nodes from outside: builders, parser and loader all pass the
// op's own check here.
tir_status tir_ir_append_checked(tir_ir_graph *g, tir_op op,
                                 const uint32_t *operands, size_t n_in,
                                 const void *attrs, const tir_ir_type *declared,
                                 size_t n_out, tir_ir_node *out_node,
                                 tir_error *error) {
  *out_node = (tir_ir_node){0};
  const tir_op_desc *desc = tir_ir_op_desc(op);
  tir_dtype dtype;
  if (desc && is_one_type(g, desc, operands, n_in, n_out, &dtype))
    return append_one_type(g, op, operands, n_in, dtype, out_node, error);
  const tir_ir_call call = {op, operands, n_in, attrs, declared, n_out};
  tir_ir_call_types types;
  tir_status status = tir_ir_infer_call(g, &call, &types, error);
  if (status == TIR_OK)
    status = tir_ir_append(g, op, operands, n_in, attrs, types.out, n_out,
                           out_node, error);
  tir_ir_call_types_free(g, &types);
  return status;
}

// Names reach messages, text and files: what those could not write is refused
// where it is given.
tir_status tir_ir_set_value_name(tir_ir_graph *g, tir_ir_value value,
                                 const char *name, size_t size,
                                 tir_error *error) {
  uint32_t id = 0;
  if (size > TIR_MAX_NAME)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "name is too long: %zu bytes, expected at most %d",
                         size, TIR_MAX_NAME);
  if (size > 0 && memchr(name, '\0', size))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "name of %zu bytes has a zero byte in it", size);
  if (!tir_base_is_utf8(name, size))
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "name of %zu bytes is not UTF-8", size);
  if (!tir_base_strings_intern(&g->strings, name, size, &id))
    return tir_base_fail_memory(error, size);
  tir_ir_value_at(g, value)->name = id;
  return TIR_OK;
}

tir_status tir_ir_add_output(tir_ir_graph *g, tir_ir_value value,
                             const char *name, tir_error *error) {
  uint32_t id = 0;
  const size_t size = name ? strlen(name) : 0;
  if (!tir_base_strings_intern(&g->strings, name ? name : "", size, &id) ||
      !TIR_VEC_PUSH(g->context, &g->outputs, ((tir_ir_output){value, id})))
    return tir_base_fail_memory(error, size);
  return TIR_OK;
}

// Constants are held by reference; a tensor in use is frozen by its holders.
tir_status tir_ir_add_tensor(tir_ir_graph *g, tir_tensor *tensor,
                             uint32_t *out_index, tir_error *error) {
  *out_index = 0;
  const size_t index = g->tensors.count;
  if (index >= UINT32_MAX - 1)
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many constants");
  if (!TIR_VEC_PUSH(g->context, &g->tensors, tensor))
    return tir_base_fail_memory(error, sizeof tensor);
  tir_tensor_retain(tensor);
  *out_index = (uint32_t)index;
  return TIR_OK;
}

// Places are usually literals of the caller; only a graph that may outlive the
// caller's code copies them.
const char *tir_ir_keep_site(tir_ir_graph *g, const char *site) {
  uint32_t id = 0;
  if (!site || !tir_base_strings_intern(&g->strings, site, strlen(site), &id))
    return NULL;
  return tir_base_strings_text(&g->strings, id);
}

bool tir_ir_keep_sites(tir_ir_graph *g) {
  // Neighbours often share a place, and always one text per place.
  const char *last = NULL, *kept = NULL;
  for (size_t i = 1; i < g->nodes.count; i++) {
    const char *site = g->nodes.data[i].site;
    if (!site) continue;
    if (site != last) kept = tir_ir_keep_site(g, site);
    if (!kept) return false;
    last = site;
    g->nodes.data[i].site = kept;
  }
  return true;
}

// --- reading ---------------------------------------------------------------

// Removed nodes stay in place until compact; iterating skips them.
tir_ir_node tir_ir_next(const tir_ir_graph *g, tir_ir_node node) {
  for (size_t id = (size_t)node.id + 1; id < g->nodes.count; id++)
    if (!(g->nodes.data[id].flags & TIR_NODE_REMOVED))
      return (tir_ir_node){(uint32_t)id};
  return (tir_ir_node){0};
}

tir_ir_node tir_ir_first(const tir_ir_graph *g) {
  return tir_ir_next(g, (tir_ir_node){0});
}

// Zeroed to the end, so that types can be compared and hashed as bytes.
void tir_ir_type_of(const tir_ir_graph *g, tir_ir_value value,
                    tir_ir_type *out_type) {
  const tir_ir_value_data *v = &g->values.data[value.id];
  memset(out_type, 0, sizeof *out_type);
  out_type->dtype = (tir_dtype)v->dtype;
  out_type->rank = v->rank;
  const int64_t *dims = &g->dims.data[v->dims];
  for (int i = 0; i < v->rank; i++) out_type->dims[i] = dims[i];
  if (!v->has_symbols) return;
  for (int i = 0; i < v->rank; i++)
    out_type->symbols[i] = (uint32_t)dims[v->rank + i];
}

// Without building either type: passes ask this for every operand.
bool tir_ir_same_type(const tir_ir_graph *g, tir_ir_value a, tir_ir_value b) {
  const tir_ir_value_data *x = &g->values.data[a.id];
  const tir_ir_value_data *y = &g->values.data[b.id];
  if (x->dtype != y->dtype || x->rank != y->rank ||
      x->has_symbols != y->has_symbols)
    return false;
  if (x->dims == y->dims || x->rank == 0) return true;
  const size_t n_words = x->rank * (x->has_symbols ? 2u : 1u);
  return memcmp(&g->dims.data[x->dims], &g->dims.data[y->dims],
                n_words * sizeof *g->dims.data) == 0;
}

const char *tir_ir_value_name(const tir_ir_graph *g, tir_ir_value value) {
  return tir_base_strings_text(&g->strings, g->values.data[value.id].name);
}

tir_status tir_ir_set_type(tir_ir_graph *g, tir_ir_value value,
                           const tir_ir_type *type, tir_error *error) {
  tir_ir_value_data *v = tir_ir_value_at(g, value);
  if (g->dims.count > UINT32_MAX - 1 - MAX_TYPE_WORDS)
    return tir_base_fail(error, TIR_ERR_LIMIT, "graph: too many shapes");
  if (!TIR_VEC_RESERVE(g->context, &g->dims, MAX_TYPE_WORDS))
    return tir_base_fail_memory(error, MAX_TYPE_WORDS * 8);

  // Shapes are shared, so a new one is never written over the old. The
  // operands' and the value's own come first as candidates.
  uint32_t candidates[4] = {value.id};
  size_t n = 1;
  const tir_ir_node_data *node = &g->nodes.data[v->node];
  for (uint32_t i = 0; i < node->n_in && n < 4; i++)
    candidates[n++] = g->operands.data[node->in_first + i];
  put_type(g, v, type, candidates, n);
  return TIR_OK;
}
