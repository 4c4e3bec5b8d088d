// Inputs of a graph: which item of the command line names which, tensors from
// .npy files, random ones.
#include <stdlib.h>
#include <string.h>

#include "tool.h"

// --- items NAME=VALUE ------------------------------------------------------

// A name may hold a '=' itself, so items are compared with names, not split.
// The value if `item` begins with the first `n` bytes of `name` and a '='.
static const char *value_of(const char *item, const char *name, size_t n) {
  return strncmp(item, name, n) == 0 && item[n] == '=' ? item + n + 1 : NULL;
}

const char *tool_value_of(const char *item, const char *name) {
  return value_of(item, name, strlen(name));
}

// The input from `first` on whose name, less `n_suffix` bytes, is the longest
// that fits.
static int64_t find_input(const tir_graph *graph, const char *item,
                          size_t first, size_t last, size_t n_suffix) {
  int64_t best = -1;
  size_t longest = 0;
  for (size_t i = first; i < last; i++) {
    tir_port port;
    tir_graph_input(graph, i, &port);
    const size_t n = strlen(port.name) - n_suffix;
    if ((best >= 0 && n <= longest) || !value_of(item, port.name, n)) continue;
    best = (int64_t)i;
    longest = n;
  }
  return best;
}

int64_t tool_input_of(const tir_graph *graph, const char *item) {
  return find_input(graph, item, 0, tir_graph_n_inputs(graph), 0);
}

const char *tool_item_of(const tool_list *list, const tir_graph *graph,
                         const char *name) {
  for (size_t i = 0; i < list->n; i++) {
    const int64_t input = tool_input_of(graph, list->items[i]);
    tir_port port;
    if (input < 0) continue;
    tir_graph_input(graph, (size_t)input, &port);
    if (strcmp(port.name, name) == 0)
      return tool_value_of(list->items[i], name);
  }
  return NULL;
}

// --- types -----------------------------------------------------------------

// A named dim takes any size here; check_type compares sizes of one name.
static bool same_type(const tir_port *port, const tir_tensor *tensor) {
  if (port->dtype != tir_tensor_dtype(tensor) ||
      port->rank != tir_tensor_rank(tensor))
    return false;
  for (int i = 0; i < port->rank; i++)
    if (!port->dim_names[i] && port->dims[i] != tir_tensor_dim(tensor, i))
      return false;
  return true;
}

// Without names: a tensor has sizes only.
static void port_of_tensor(const tir_tensor *tensor, tir_port *port) {
  *port = (tir_port){.dtype = tir_tensor_dtype(tensor),
                     .rank = tir_tensor_rank(tensor)};
  for (int i = 0; i < port->rank; i++)
    port->dims[i] = tir_tensor_dim(tensor, i);
}

// Size the first `n` tensors give a symbolic dim, −1 if none has it; `*where`
// is the input that does.
static int64_t size_of_symbol(const tir_graph *graph, tir_tensor *const *given,
                              size_t n, const char *symbol, tir_port *where) {
  for (size_t i = 0; i < n; i++) {
    tir_graph_input(graph, i, where);
    for (int axis = 0; axis < where->rank; axis++)
      if (where->dim_names[axis] && strcmp(where->dim_names[axis], symbol) == 0)
        return tir_tensor_dim(given[i], axis);
  }
  return -1;
}

// Input `i` is the last one read: of its declared type, and of the sizes that
// the inputs before it gave their names?
static int check_type(const tir_graph *graph, tir_tensor *const *given,
                      size_t i) {
  tir_port port, is, where;
  char want_text[256], given_text[256];
  tir_graph_input(graph, i, &port);
  port_of_tensor(given[i], &is);
  tool_type(&port, want_text, sizeof want_text);
  tool_type(&is, given_text, sizeof given_text);
  if (!same_type(&port, given[i]))
    return tool_fail("input %s is %s, the file holds %s", tool_name(port.name),
                     want_text, given_text);
  for (int axis = 0; axis < port.rank; axis++) {
    if (!port.dim_names[axis]) continue;
    // The first input that has the name, this one or one before it.
    const int64_t size =
        size_of_symbol(graph, given, i + 1, port.dim_names[axis], &where);
    if (size != is.dims[axis])
      return tool_fail("input %s is %s, the file holds %s, but %s has %s=%lld",
                       tool_name(port.name), want_text, given_text,
                       tool_name(where.name), tool_name(port.dim_names[axis]),
                       (long long)size);
  }
  return TOOL_OK;
}

// --- from files ------------------------------------------------------------

// Notes the file of every item; each must name another input.
static int assign_files(const tir_graph *graph, const tool_list *list,
                        size_t first, size_t last, size_t n_suffix,
                        const char **files) {
  for (size_t i = 0; i < list->n; i++) {
    const char *item = list->items[i];
    const int64_t input = find_input(graph, item, first, last, n_suffix);
    tir_port port;
    if (input < 0)
      return tool_fail("the graph has no %s for %s",
                       n_suffix ? "output" : "input", tool_name(item));
    tir_graph_input(graph, (size_t)input, &port);
    if (files[input])
      return tool_fail("input %s is given twice", tool_name(port.name));
    files[input] = value_of(item, port.name, strlen(port.name) - n_suffix);
  }
  return TOOL_OK;
}

// 1 in the dtype of a head, which is a float.
static int fill_ones(tir_tensor *tensor) {
  static const uint16_t f16 = 0x3c00, bf16 = 0x3f80;
  static const float f32 = 1;
  static const double f64 = 1;
  const tir_dtype dtype = tir_tensor_dtype(tensor);
  const void *one = dtype == TIR_DTYPE_F64    ? (const void *)&f64
                    : dtype == TIR_DTYPE_F16  ? (const void *)&f16
                    : dtype == TIR_DTYPE_BF16 ? (const void *)&bf16
                                              : (const void *)&f32;
  const size_t size = tir_dtype_size(dtype);
  void *data;
  tir_error error;
  if (tir_tensor_write_begin(tensor, &data, &error))
    return tool_fail_error("head", &error);
  for (size_t at = 0; at < tir_tensor_size_bytes(tensor); at += size)
    memcpy((char *)data + at, one, size);
  tir_tensor_write_end(tensor);
  return TOOL_OK;
}

// A head that is not given: ones, of the sizes the inputs before it have.
static int ones_head(tool *t, const tir_graph *graph, size_t i,
                     tir_tensor **out) {
  tir_port port, where;
  tir_error error;
  tir_graph_input(graph, i, &port);
  for (int axis = 0; axis < port.rank; axis++) {
    if (!port.dim_names[axis]) continue;
    const int64_t size =
        size_of_symbol(graph, out, i, port.dim_names[axis], &where);
    // A name no input before it has keeps its size in the graph.
    if (size >= 0) port.dims[axis] = size;
  }
  if (tir_tensor_create(t->context, port.dtype, port.dims, port.rank, &out[i],
                        &error))
    return tool_fail_error("head", &error);
  return fill_ones(out[i]);
}

static int read_input(tool *t, const tir_graph *graph, size_t i,
                      const char *file, tir_tensor **out) {
  tir_port port;
  tir_error error;
  char type[256];
  tir_graph_input(graph, i, &port);
  if (!file)
    return tool_fail("input %s is missing: it is %s", tool_name(port.name),
                     tool_type(&port, type, sizeof type));
  if (tir_npy_load(t->context, file, &out[i], &error))
    return tool_fail_error(tool_name(file), &error);
  return check_type(graph, out, i);
}

int tool_read_inputs(tool *t, const tir_graph *graph, tir_tensor **out) {
  const size_t n = tir_graph_n_inputs(graph);
  // Without --head heads are ones inside the graph, no inputs of it.
  const size_t n_own = t->options.heads.n ? tir_graph_n_inputs(t->graph) : n;
  const char **files = calloc(n + 1, sizeof *files);
  if (!files) return tool_fail("out of memory");
  for (size_t i = 0; i < n; i++) out[i] = NULL;
  int status = assign_files(graph, &t->options.inputs, 0, n_own, 0, files);
  if (status == TOOL_OK)
    status = assign_files(graph, &t->options.heads, n_own, n, strlen(".head"),
                          files);
  for (size_t i = 0; i < n && status == TOOL_OK; i++)
    status = i >= n_own && !files[i] ? ones_head(t, graph, i, out)
                                     : read_input(t, graph, i, files[i], out);
  free(files);
  if (status == TOOL_OK) return TOOL_OK;
  // None are left behind for the caller to find.
  tool_release(out, n);
  return status;
}

// --- random ----------------------------------------------------------------

// A linear congruential generator of 64 bits, its upper 31 as −0.5 to 0.5.
// Other dtypes than f32 and f64 stay zero, which is a good index everywhere.
static void fill_random(void *data, tir_dtype dtype, size_t bytes,
                        uint64_t *state) {
  const size_t size = tir_dtype_size(dtype);
  for (size_t at = 0; at < bytes; at += size) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    const double x = (double)(*state >> 33) / 2147483648.0 - 0.5;
    const float f = (float)x;
    if (dtype == TIR_DTYPE_F32) memcpy((char *)data + at, &f, 4);
    if (dtype == TIR_DTYPE_F64) memcpy((char *)data + at, &x, 8);
  }
}

uint64_t tool_seed(const tool *t) {
  return t->options.seed < 0 ? 0 : (uint64_t)t->options.seed;
}

int tool_random_inputs(tool *t, const tir_graph *graph, tir_tensor **out) {
  uint64_t state = tool_seed(t) * 2 + 1;
  const size_t n = tir_graph_n_inputs(graph);
  for (size_t i = 0; i < n; i++) out[i] = NULL;
  for (size_t i = 0; i < n; i++) {
    tir_port port;
    tir_error error;
    void *data;
    tir_graph_input(graph, i, &port);
    if (tir_tensor_create(t->context, port.dtype, port.dims, port.rank, &out[i],
                          &error) ||
        tir_tensor_write_begin(out[i], &data, &error)) {
      tool_release(out, n);
      return tool_fail_error("inputs", &error);
    }
    fill_random(data, port.dtype, tir_tensor_size_bytes(out[i]), &state);
    tir_tensor_write_end(out[i]);
  }
  return TOOL_OK;
}

int tool_some_inputs(tool *t, const tir_graph *graph, tir_tensor **out) {
  // One file given means that all are.
  return t->options.inputs.n ? tool_read_inputs(t, graph, out)
                             : tool_random_inputs(t, graph, out);
}
