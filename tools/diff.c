// tapeir diff: what differs between two modules, whatever their values are
// numbered and in which order independent nodes stand.
//
// A node's hash covers its op, attributes, types and its operands' hashes, so
// two nodes are equal when everything they are computed from is. A change
// changes all that follows from it: shown are only the nodes where a
// difference begins, those whose operands all exist in the other graph.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { MAX_SHOWN = 40, WHERE_BYTES = 300 };

// One of the two graphs.
typedef struct side {
  const tir_graph *graph;
  size_t n_nodes, n_values;
  uint64_t *hashes;  // by value
  size_t *numbers;   // by value: how the text form calls it
  size_t *firsts;    // by value: the first output of the node that makes it
  uint64_t *sorted;  // hashes of nodes' first outputs
  char sign;
} side;

typedef struct difference {
  tool *t;
  json_t *report;  // NULL: print lines
  size_t n;
} difference;

// Prints at once or adds a row, and counts either way.
static void tell(difference *d, const char *where, char sign,
                 const char *text) {
  d->n++;
  if (d->report) {
    json_array_append_new(d->report,
                          json_pack("{s:s, s:s, s:s}", "where", where, "in",
                                    sign == '-'   ? "first"
                                    : sign == '+' ? "second"
                                                  : "both",
                                    "what", text));
    return;
  }
  const char *colour = sign == '-'   ? tool_red(stdout)
                       : sign == '+' ? tool_green(stdout)
                                     : "";
  printf("%s%c %s: %s%s\n", colour, sign, tool_name(where), text,
         *colour ? tool_plain(stdout) : "");
}

// "graph NAME"; a long name is cut.
static void set_where(char where[WHERE_BYTES], const char *kind,
                      const char *name) {
  snprintf(where, WHERE_BYTES, "%s %s", kind, name);
  tool_cut(where);
}

// --- hashes ----------------------------------------------------------------

// FNV-1a; the shift brings high bits down once more.
static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
  const unsigned char *c = bytes;
  for (size_t i = 0; i < size; i++) hash = (hash ^ c[i]) * 1099511628211u;
  return hash ^ hash >> 29;
}

// With the zero at its end, or "ab", "c" would be "a", "bc".
static uint64_t mix_text(uint64_t hash, const char *text) {
  return mix(hash, text, strlen(text) + 1);
}

// By name: the public table tells ops by nothing else.
static bool is_port(const char *op) {
  return strcmp(op, "input") == 0 || strcmp(op, "param") == 0;
}

// Attributes are told by the node's text: large contents by a hash in it.
static int hash_node(tool *t, side *s, size_t i) {
  tir_node_info node;
  tir_error error;
  char *text, type[256];
  tir_graph_node(s->graph, i, &node);
  if (tir_graph_node_text(s->graph, i, &text, &error))
    return tool_fail_error("diff", &error);
  uint64_t hash = mix_text(14695981039346656037u, node.op);
  hash = mix_text(hash, text);
  tir_text_free(t->context, text);
  // Operands stand before their users: their hashes are there.
  for (size_t k = 0; k < node.n_inputs; k++) {
    const size_t operand = tir_graph_operand(s->graph, i, k);
    hash = mix(hash, &s->hashes[operand], sizeof hash);
  }
  for (size_t k = 0; k < node.n_outputs; k++) {
    tir_port port;
    tir_graph_value(s->graph, node.first_output + k, &port);
    hash = mix_text(hash, tool_type(&port, type, sizeof type));
    // Ports are told apart by their names; other names are only remarks.
    if (is_port(node.op)) hash = mix_text(hash, port.name);
  }
  // Each result has a hash of its own.
  for (size_t k = 0; k < node.n_outputs; k++) {
    s->hashes[node.first_output + k] = mix(hash, &k, sizeof k);
    s->firsts[node.first_output + k] = node.first_output;
  }
  s->sorted[i] = node.n_outputs ? s->hashes[node.first_output] : hash;
  return TOOL_OK;
}

static int by_hash(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

// What has no name is counted as in the text form, ports first.
static void number_values(side *s, bool ports, size_t *count) {
  for (size_t i = 0; i < s->n_nodes; i++) {
    tir_node_info node;
    tir_graph_node(s->graph, i, &node);
    if (is_port(node.op) != ports) continue;
    for (size_t k = 0; k < node.n_outputs; k++) {
      tir_port port;
      tir_graph_value(s->graph, node.first_output + k, &port);
      if (!port.name[0]) s->numbers[node.first_output + k] = (*count)++;
    }
  }
}

static int make_side(tool *t, const tir_graph *graph, char sign, side *s) {
  tir_node_info last = {0};
  *s = (side){.graph = graph, .sign = sign};
  // Values of a frozen graph have no gaps: the last node tells how many there
  // are.
  s->n_nodes = tir_graph_n_nodes(graph);
  if (s->n_nodes) tir_graph_node(graph, s->n_nodes - 1, &last);
  s->n_values = last.first_output + last.n_outputs;
  s->hashes = calloc(s->n_values + 1, sizeof *s->hashes);
  s->numbers = calloc(s->n_values + 1, sizeof *s->numbers);
  s->firsts = calloc(s->n_values + 1, sizeof *s->firsts);
  s->sorted = calloc(s->n_nodes + 1, sizeof *s->sorted);
  if (!s->hashes || !s->numbers || !s->firsts || !s->sorted)
    return tool_fail("out of memory");
  size_t count = 0;
  number_values(s, true, &count);
  number_values(s, false, &count);
  for (size_t i = 0; i < s->n_nodes; i++)
    if (hash_node(t, s, i) != TOOL_OK) return TOOL_FAILED;
  qsort(s->sorted, s->n_nodes, sizeof *s->sorted, by_hash);
  return TOOL_OK;
}

static void free_side(side *s) {
  free(s->hashes);
  free(s->numbers);
  free(s->firsts);
  free(s->sorted);
}

// Equal hashes stand beside each other, so the first one leads to all.
// First position of `hash` in the sorted hashes, or where it would be.
static size_t find_hash(const side *s, uint64_t hash) {
  size_t low = 0, high = s->n_nodes;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (s->sorted[middle] < hash)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool has_hash(const side *s, uint64_t hash) {
  const size_t at = find_hash(s, hash);
  return at < s->n_nodes && s->sorted[at] == hash;
}

static size_t count_hash(const side *s, uint64_t hash) {
  size_t n = 0;
  for (size_t at = find_hash(s, hash); at < s->n_nodes && s->sorted[at] == hash;
       at++)
    n++;
  return n;
}

// --- nodes -----------------------------------------------------------------

// What a reader of the text form would look for.
static const char *label(const side *s, size_t value, char *buffer,
                         size_t size) {
  tir_port port;
  tir_graph_value(s->graph, value, &port);
  if (port.name[0])
    snprintf(buffer, size, "%%%s", tool_name(port.name));
  else
    snprintf(buffer, size, "%%%zu", s->numbers[value]);
  return buffer;
}

// "%1 = tanh %0 {…} : f32[2]", cut to the buffer.
static int describe(tool *t, const side *s, size_t i, char *out, size_t size) {
  tir_node_info node;
  tir_port port;
  tir_error error;
  char *text, type[256], name[320];
  tir_graph_node(s->graph, i, &node);
  if (tir_graph_node_text(s->graph, i, &text, &error))
    return tool_fail_error("diff", &error);
  // n may pass the size: then nothing more is added.
  size_t n =
      (size_t)snprintf(out, size, "%s = %s",
                       label(s, node.first_output, name, sizeof name), node.op);
  for (size_t k = 0; k < node.n_inputs && n < size; k++)
    n += (size_t)snprintf(
        out + n, size - n, "%s%s", k ? ", " : " ",
        label(s, tir_graph_operand(s->graph, i, k), name, sizeof name));
  tir_graph_value(s->graph, node.first_output, &port);
  if (n < size)
    snprintf(out + n, size - n, "%s%s : %s", *text ? " " : "", text,
             tool_type(&port, type, sizeof type));
  tool_cut(out);
  tir_text_free(t->context, text);
  return TOOL_OK;
}

// Does the difference begin here? Ports are compared by themselves.
static bool begins(const side *s, const side *other, const tir_node_info *node,
                   size_t i) {
  if (is_port(node->op)) return false;
  for (size_t k = 0; k < node->n_inputs; k++) {
    const size_t first = s->firsts[tir_graph_operand(s->graph, i, k)];
    if (!has_hash(other, s->hashes[first])) return false;
  }
  return true;
}

static int tell_nodes(difference *d, const char *where, const side *s,
                      const side *other) {
  size_t n_follow = 0, n_shown = 0;
  for (size_t i = 0; i < s->n_nodes; i++) {
    tir_node_info node;
    char text[1024];
    tir_graph_node(s->graph, i, &node);
    const uint64_t hash = s->hashes[node.first_output];
    // As multisets: told is a node of which there are more here than there.
    const size_t here = count_hash(s, hash), there = count_hash(other, hash);
    if (here <= there || is_port(node.op)) continue;
    // What follows from a change, and what is too much for a screen, is only
    // counted.
    if (!begins(s, other, &node, i) || n_shown == MAX_SHOWN) {
      n_follow++;
      continue;
    }
    n_shown++;
    if (describe(d->t, s, i, text, sizeof text) != TOOL_OK) return TOOL_FAILED;
    tell(d, where, s->sign, text);
  }
  if (n_follow) {
    char text[128];
    snprintf(text, sizeof text, "and %zu more nodes%s", n_follow,
             n_shown ? " that follow" : "");
    tell(d, where, s->sign, text);
  }
  return TOOL_OK;
}

// --- ports -----------------------------------------------------------------

// Linear: graphs have few ports, and names are all they are known by.
static bool find_port(const tir_graph *graph, tool_port_fn get,
                      const char *name, tir_port *out) {
  for (size_t i = 0; get(graph, i, out) == TIR_OK; i++)
    if (strcmp(out->name, name) == 0) return true;
  return false;
}

// Ports with no match of name and type on the other side.
static void tell_ports(difference *d, const char *where, const char *kind,
                       const side *s, const side *other, tool_port_fn get) {
  tir_port port, match;
  char a[256], b[256], text[1024];
  for (size_t i = 0; get(s->graph, i, &port) == TIR_OK; i++) {
    tool_type(&port, a, sizeof a);
    if (find_port(other->graph, get, port.name, &match) &&
        strcmp(a, tool_type(&match, b, sizeof b)) == 0)
      continue;
    snprintf(text, sizeof text, "%s %s: %s", kind, tool_name(port.name), a);
    tell(d, where, s->sign, text);
  }
}

// The order of ports is part of a graph: they are bound by position.
static bool same_order(const side *a, const side *b, tool_port_fn get) {
  tir_port x, y;
  for (size_t i = 0;
       get(a->graph, i, &x) == TIR_OK && get(b->graph, i, &y) == TIR_OK; i++)
    if (strcmp(x.name, y.name) != 0) return false;
  return true;
}

static size_t count_ports(const side *s, tool_port_fn get) {
  tir_port port;
  size_t n = 0;
  while (get(s->graph, n, &port) == TIR_OK) n++;
  return n;
}

// What position tells and names do not; `kind` is theirs.
static void tell_positions(difference *d, const char *where, const char *kind,
                           const side *a, const side *b, tool_port_fn get) {
  char text[128];
  const size_t n = count_ports(a, get), m = count_ports(b, get);
  // Ports without a name look alike, so a name does not tell how many.
  if (n != m)
    snprintf(text, sizeof text, "%zu %ss in the first, %zu in the second", n,
             kind, m);
  else if (!same_order(a, b, get))
    snprintf(text, sizeof text, "%ss stand in another order", kind);
  else
    return;
  tell(d, where, '!', text);
}

static int compare_graphs(difference *d, const tir_graph *x,
                          const tir_graph *y) {
  char where[WHERE_BYTES];
  side a, b;
  const size_t before = d->n;
  set_where(where, "graph", tir_graph_name(x));
  int status = make_side(d->t, x, '-', &a);
  // Also after a failure, so that both can be freed.
  if (make_side(d->t, y, '+', &b) != TOOL_OK) status = TOOL_FAILED;
  static const tool_port_fn ports[] = {tir_graph_input, tir_graph_output,
                                       tir_graph_param};
  static const char *const kinds[] = {"input", "output", "parameter"};
  for (int i = 0; i < 3 && status == TOOL_OK; i++) {
    tell_ports(d, where, kinds[i], &a, &b, ports[i]);
    tell_ports(d, where, kinds[i], &b, &a, ports[i]);
    // Parameters are bound by name: their order means nothing.
    if (d->n == before && i < 2)
      tell_positions(d, where, kinds[i], &a, &b, ports[i]);
  }
  if (status == TOOL_OK) status = tell_nodes(d, where, &a, &b);
  if (status == TOOL_OK) status = tell_nodes(d, where, &b, &a);
  // All equal so far: then outputs must be the same values too.
  for (size_t i = 0;
       i < tir_graph_n_outputs(x) && status == TOOL_OK && d->n == before; i++) {
    const size_t u = tir_graph_output_value(x, i);
    const size_t v = tir_graph_output_value(y, i);
    if (a.hashes[u] == b.hashes[v]) continue;
    tir_port port;
    char text[400];
    tir_graph_output(x, i, &port);
    snprintf(text, sizeof text, "output %s is another value",
             tool_name(port.name));
    tell(d, where, '!', text);
  }
  free_side(&a);
  free_side(&b);
  return status;
}

// --- modules ---------------------------------------------------------------

// A graph or parameter that one of the files lacks.
static void tell_missing(difference *d, const char *kind, const char *name,
                         char sign) {
  char where[WHERE_BYTES];
  set_where(where, kind, name);
  tell(d, where, sign,
       sign == '-' ? "only in the first" : "only in the second");
}

// Says how far apart they are where that is one number.
static void compare_tensors(difference *d, const char *name,
                            const tir_tensor *a, const tir_tensor *b) {
  const tir_dtype dtype = tir_tensor_dtype(a);
  const int rank = tir_tensor_rank(a);
  char where[WHERE_BYTES], text[128] = "values differ";
  set_where(where, "parameter", name);
  if (dtype != tir_tensor_dtype(b) || rank != tir_tensor_rank(b) ||
      memcmp(tir_tensor_dims(a), tir_tensor_dims(b),
             (size_t)rank * sizeof(int64_t)) != 0) {
    tell(d, where, '!', "the types differ");
    return;
  }
  const size_t bytes = tir_tensor_size_bytes(a);
  // By bits first: most parameters are equal.
  if (!bytes || memcmp(tir_tensor_data(a), tir_tensor_data(b), bytes) == 0)
    return;
  if (tool_is_float(dtype) || tool_is_half(dtype)) {
    const size_t n = (size_t)tir_tensor_numel(a);
    size_t n_off = 0;
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
      const double x = tool_element(a, i), y = tool_element(b, i);
      n_off += !(x == y);
      // fmax leaves a NaN out; it was counted above.
      worst = fmax(worst, fabs(x - y));
    }
    snprintf(text, sizeof text, "%zu of %zu values differ, by %.3g at most",
             n_off, n, worst);
  }
  tell(d, where, '!', text);
}

static int compare_param(difference *d, tir_module *a, tir_module *b,
                         const char *name) {
  tir_error error;
  // Copies, as the library hands out no storage.
  tir_tensor *x = NULL, *y = NULL;
  const bool failed = tir_module_get_param(a, name, &x, &error) ||
                      tir_module_get_param(b, name, &y, &error);
  if (!failed) compare_tensors(d, name, x, y);
  tir_tensor_release(x);
  tir_tensor_release(y);
  return failed ? tool_fail_error("diff", &error) : TOOL_OK;
}

// The second direction tells only what is missing.
static int compare_params(difference *d, tir_module *a, tir_module *b,
                          char sign) {
  for (size_t i = 0; i < tir_module_n_params(a); i++) {
    const char *name = tir_module_param_name(a, i);
    const int64_t at = tir_module_find_param(b, name);
    if (at < 0) {
      tell_missing(d, "parameter", name, sign);
    } else if (sign == '-') {
      if (tir_module_param_kind(a, i) != tir_module_param_kind(b, (size_t)at))
        tell(d, name, '!', "a parameter in one file, state in the other");
      if (compare_param(d, a, b, name) != TOOL_OK) return TOOL_FAILED;
    }
  }
  return TOOL_OK;
}

// From both sides, so that both values are shown.
static void compare_metadata(difference *d, tir_module *a, tir_module *b,
                             char sign) {
  for (size_t i = 0; i < tir_module_n_metadata(a); i++) {
    const char *key = tir_module_metadata_key(a, i);
    const char *x = tir_module_get_metadata(a, key);
    const char *y = tir_module_get_metadata(b, key);
    char where[WHERE_BYTES];
    if (y && strcmp(x, y) == 0) continue;
    set_where(where, "metadata", key);
    tell(d, where, sign, tool_name(x));
  }
}

// Graphs are paired by name; what has no partner is told as a whole.
static int compare_modules(difference *d, tir_module *a, tir_module *b) {
  const char *only = d->t->options.graph;
  int status = TOOL_OK;
  for (size_t i = 0; i < tir_module_n_graphs(a) && status == TOOL_OK; i++) {
    const tir_graph *graph = tir_module_graph_at(a, i);
    const char *name = tir_graph_name(graph);
    if (only && strcmp(only, name) != 0) continue;
    const tir_graph *other = tir_module_graph(b, name);
    if (other)
      status = compare_graphs(d, graph, other);
    else
      tell_missing(d, "graph", name, '-');
  }
  for (size_t i = 0; i < tir_module_n_graphs(b); i++) {
    const char *name = tir_graph_name(tir_module_graph_at(b, i));
    if (only && strcmp(only, name) != 0) continue;
    if (!tir_module_graph(a, name)) tell_missing(d, "graph", name, '+');
  }
  // With --graph only graphs are compared.
  if (only || status != TOOL_OK) return status;
  status = compare_params(d, a, b, '-');
  if (status == TOOL_OK) status = compare_params(d, b, a, '+');
  compare_metadata(d, a, b, '-');
  compare_metadata(d, b, a, '+');
  return status;
}

int tool_diff(tool *t) {
  tir_module *other = NULL;
  difference d = {.t = t, .report = t->options.json ? json_array() : NULL};
  int status = tool_load(t);
  if (status == TOOL_OK)
    status = tool_load_file(t, t->options.files.items[1], &other);
  const char *only = t->options.graph;
  if (status == TOOL_OK && only && !tir_module_graph(t->module, only) &&
      !tir_module_graph(other, only))
    status = tool_fail("no graph is named %s", tool_name(only));
  if (status == TOOL_OK) status = compare_modules(&d, t->module, other);
  if (status == TOOL_OK && d.report)
    status = tool_print_json(
        json_pack("{s:b, s:O}", "equal", d.n == 0, "differences", d.report));
  json_decref(d.report);
  tir_module_destroy(other);
  // As diff(1): 1 means different, so trouble is 2.
  if (status != TOOL_OK) return TOOL_USAGE;
  return d.n ? TOOL_FAILED : TOOL_OK;
}
