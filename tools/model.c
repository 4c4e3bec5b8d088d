// Loading and saving models: .tir, .tirt, .safetensors, standard input.
//
// The ending of a path tells its format; for standard input the first bytes do.
// Nothing is overwritten without --force.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

// The whole of a stream; NULL when reading or memory fails.
static char *read_all(FILE *file, size_t *out_size) {
  size_t size = 0, room = 1 << 16;
  char *bytes = malloc(room);
  while (bytes) {
    // Less than asked is the end or an error: ferror tells which.
    size += fread(bytes + size, 1, room - size, file);
    if (size < room) break;
    // Doubling keeps reading linear.
    char *more = room <= SIZE_MAX / 2 ? realloc(bytes, room *= 2) : NULL;
    if (!more) free(bytes);
    bytes = more;
  }
  if (bytes && ferror(file)) {
    free(bytes);
    bytes = NULL;
  }
  *out_size = size;
  return bytes;
}

static int load_bytes(tool *t, const char *path, FILE *file,
                      tir_module **out_module) {
  size_t size;
  tir_error error;
  char *bytes = read_all(file, &size);
  if (!bytes) return tool_fail("cannot read %s", tool_name(path));
  // How every .tir file begins.
  const bool binary = size >= 8 && memcmp(bytes, "TAPEIR\r\n", 8) == 0;
  const tir_status status =
      binary
          ? tir_module_load_memory(t->context, bytes, size, NULL, out_module,
                                   &error)
          : tir_module_from_text(t->context, bytes, size, out_module, &error);
  free(bytes);
  if (status == TIR_OK) return TOOL_OK;
  // As compilers tell a place, so that editors find it.
  if (!binary && error.line)
    return tool_fail("%s:%d: %s", tool_name(path), error.line, error.message);
  return tool_fail_error(tool_name(path), &error);
}

int tool_load_file(tool *t, const char *path, tir_module **out_module) {
  tir_error error;
  if (strcmp(path, "-") == 0)
    return load_bytes(t, "standard input", stdin, out_module);
  // The library opens other formats itself.
  if (!tool_ends_with(path, ".tirt")) {
    const tir_status status =
        tool_ends_with(path, ".safetensors")
            ? tir_safetensors_load(t->context, path, NULL, out_module, &error)
            : tir_module_load(t->context, path, NULL, out_module, &error);
    return status == TIR_OK ? TOOL_OK
                            : tool_fail_error(tool_name(path), &error);
  }
  FILE *file = fopen(path, "rb");
  if (!file) return tool_fail("cannot open %s", tool_name(path));
  const int status = load_bytes(t, path, file, out_module);
  fclose(file);
  return status;
}

int tool_load(tool *t) {
  return tool_load_file(t, t->options.files.items[0], &t->module);
}

int tool_load_graph(tool *t) {
  const int status = tool_load(t);
  if (status != TOOL_OK) return status;
  const char *name = t->options.graph;
  if (name) {
    t->graph = tir_module_graph(t->module, name);
    if (!t->graph) return tool_fail("no graph is named %s", tool_name(name));
    return TOOL_OK;
  }
  // Without a name: the only one, or the one of a usual name.
  t->graph = tir_module_n_graphs(t->module) == 1
                 ? tir_module_graph_at(t->module, 0)
                 : tir_module_graph(
                       t->module, t->options.train ? "train_step" : "forward");
  if (!t->graph)
    return tool_fail("the file holds %zu graphs: choose one with --graph",
                     tir_module_n_graphs(t->module));
  return TOOL_OK;
}

// Only asks. tool_write_text also opens exclusively, so a text file made by
// another since then is not lost.
int tool_may_write(tool *t, const char *path) {
  if (!t->options.force && access(path, F_OK) == 0)
    return tool_fail("%s exists (--force overwrites)", tool_name(path));
  return TOOL_OK;
}

// The file is made exclusively unless --force allows to cut an old one.
int tool_write_text(tool *t, const char *path, const char *text, size_t size) {
  const bool to_stdout = strcmp(path, "-") == 0;
  if (!to_stdout && tool_may_write(t, path) != TOOL_OK) return TOOL_FAILED;
  const int flags = O_WRONLY | O_CREAT | (t->options.force ? O_TRUNC : O_EXCL);
  const int fd = to_stdout ? -1 : open(path, flags, 0666);
  FILE *file = to_stdout ? stdout : fd >= 0 ? fdopen(fd, "w") : NULL;
  bool ok = file && fwrite(text, 1, size, file) == size;
  // A full disk may show no earlier than this.
  if (file && !to_stdout && fclose(file) != 0) ok = false;
  return ok ? TOOL_OK : tool_fail("cannot write %s", tool_name(path));
}

int tool_write_json(tool *t, const char *path, json_t *document) {
  char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
  json_decref(document);
  if (!text) return tool_fail("out of memory");
  const size_t n = strlen(text);
  text[n] = '\n';  // in place of the end
  const int status = tool_write_text(t, path, text, n + 1);
  free(text);
  return status;
}

// The whole text stands in memory before any of it is written.
static int save_text(tir_module *module, tool *t, const char *path) {
  char *text;
  tir_error error;
  if (tir_module_to_text(module, &text, &error))
    return tool_fail_error("text", &error);
  const int status = tool_write_text(t, path, text, strlen(text));
  tir_text_free(t->context, text);
  return status;
}

int tool_save(tool *t, tir_module *module, const char *path) {
  const bool weights = tool_ends_with(path, ".safetensors");
  // A text is refused where it is written, other formats below.
  if (tool_ends_with(path, ".tirt") || strcmp(path, "-") == 0)
    return save_text(module, t, path);
  if (!weights && !tool_ends_with(path, ".tir"))
    return tool_fail("%s: only .tir, .tirt and .safetensors can be written",
                     tool_name(path));
  if (tool_may_write(t, path) != TOOL_OK) return TOOL_FAILED;
  tir_error error;
  if (weights ? tir_safetensors_save(module, path, &error)
              : tir_module_save(module, path, &error))
    return tool_fail_error(tool_name(path), &error);
  return TOOL_OK;
}

// --- modules made from others -----------------------------------------------

// By copy: a module owns the tensors of its parameters.
static tir_status copy_param(tir_module *to, tir_module *from, const char *name,
                             tir_error *error) {
  tir_tensor *tensor = NULL;
  const int64_t at = tir_module_find_param(from, name);
  if (at < 0) return TIR_OK;  // adding the graph says that it is missing
  tir_status status = tir_module_get_param(from, name, &tensor, error);
  if (status == TIR_OK)
    status = tir_module_add_param(
        to, name, tir_module_param_kind(from, (size_t)at), tensor, error);
  tir_tensor_release(tensor);
  return status;
}

int tool_module_of_graph(tool *t, const tir_graph *graph,
                         tir_module **out_module) {
  tir_error error;
  *out_module = NULL;
  tir_status status = tir_module_create(t->context, out_module, &error);
  // Before the graph, which is refused without them.
  for (size_t i = 0; status == TIR_OK && i < tir_graph_n_params(graph); i++) {
    tir_port port;
    tir_graph_param(graph, i, &port);
    status = copy_param(*out_module, t->module, port.name, &error);
  }
  if (status == TIR_OK)
    status = tir_module_add_graph(*out_module, graph, NULL, NULL, &error);
  if (status == TIR_OK) return TOOL_OK;
  // Half a module is of no use to the caller.
  tir_module_destroy(*out_module);
  *out_module = NULL;
  return tool_fail_error("graph", &error);
}

// Which parameters are frozen is not carried over.
static tir_status copy_all_but_graphs(tir_module *to, tir_module *from,
                                      tir_error *error) {
  for (size_t i = 0; i < tir_module_n_params(from); i++) {
    const tir_status status =
        copy_param(to, from, tir_module_param_name(from, i), error);
    if (status != TIR_OK) return status;
  }
  for (size_t i = 0; i < tir_module_n_metadata(from); i++) {
    const char *key = tir_module_metadata_key(from, i);
    const tir_status status = tir_module_set_metadata(
        to, key, tir_module_get_metadata(from, key), error);
    if (status != TIR_OK) return status;
  }
  return TIR_OK;
}

int tool_remake_module(tool *t, tool_remake remake, tir_module **out_module) {
  tir_error error;
  tir_module *module = NULL;
  tir_status made = tir_module_create(t->context, &module, &error);
  if (made == TIR_OK) made = copy_all_but_graphs(module, t->module, &error);
  int status = made == TIR_OK ? TOOL_OK : tool_fail_error("copy", &error);
  for (size_t i = 0; i < tir_module_n_graphs(t->module) && !status; i++) {
    tir_graph *graph = NULL;
    // The callback finds the graph there.
    t->graph = tir_module_graph_at(t->module, i);
    status = remake(t, &graph);
    // Adding copies the graph, so the one made can go.
    if (status == TOOL_OK &&
        tir_module_add_graph(module, graph ? graph : t->graph, NULL, NULL,
                             &error))
      status = tool_fail_error("copy", &error);
    tir_graph_destroy(graph);
  }
  if (status == TOOL_OK) {
    *out_module = module;
    return TOOL_OK;
  }
  tir_module_destroy(module);
  return status;
}
