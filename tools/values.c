// Tensors of a run, results in .npy files with a manifest.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

void tool_release(tir_tensor **tensors, size_t n) {
  for (size_t i = 0; i < n; i++) {
    tir_tensor_release(tensors[i]);
    tensors[i] = NULL;
  }
}

// One more of each: of none calloc may give NULL.
int tool_make_room(const tir_graph *graph, tool_tensors *v) {
  v->n_in = tir_graph_n_inputs(graph);
  v->n_out = tir_graph_n_outputs(graph);
  v->in = calloc(v->n_in + 1, sizeof(tir_tensor *));
  v->out = calloc(v->n_out + 1, sizeof(tir_tensor *));
  return v->in && v->out ? TOOL_OK : tool_fail("out of memory");
}

// Also of room that was only half made.
void tool_free_tensors(tool_tensors *v) {
  if (v->in) tool_release(v->in, v->n_in);
  if (v->out) tool_release(v->out, v->n_out);
  free(v->in);
  free(v->out);
}

// --- out -------------------------------------------------------------------

// NAME as a file name: bytes outside [A-Za-z0-9._-] as %XX, cut and hashed
// when long or taken.
static void file_name(const char *name, const json_t *manifest, char *out,
                      size_t size) {
  size_t n = 0;
  // FNV-1a over the whole name, also what is cut from it.
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
    hash = (hash ^ *c) * 1099511628211u;
    const bool plain = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                       (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' ||
                       *c == '.';
    // The rest is for the hash and the ending.
    if (n + 4 >= size - 24) continue;
    if (plain)
      out[n++] = (char)*c;
    else
      n += (size_t)snprintf(out + n, 4, "%%%02X", *c);
  }
  out[n] = '\0';
  bool taken = false;
  const char *key;
  json_t *entry;
  // Different names may look alike once they are cut.
  json_object_foreach((json_t *)manifest, key, entry) {
    const char *file = json_string_value(json_object_get(entry, "file"));
    taken |=
        file && strncmp(file, out, n) == 0 && strcmp(file + n, ".npy") == 0;
  }
  if (n > 120 || n == 0 || taken) {
    if (n > 100) n = 100;
    n += (size_t)snprintf(out + n, size - n, "-%016" PRIx64, hash);
  }
  snprintf(out + n, size - n, ".npy");
}

static int manifest_path(const tool *t, char *path, size_t size) {
  const char *dir = t->options.output_dir;
  if (snprintf(path, size, "%s/manifest.json", dir) >= (int)size)
    return tool_fail("the path is too long");
  return TOOL_OK;
}

int tool_open_output_dir(tool *t) {
  char path[4096];
  // A directory that is there already will do.
  if (mkdir(t->options.output_dir, 0777) != 0 &&
      access(t->options.output_dir, W_OK) != 0)
    return tool_fail("cannot make %s", tool_name(t->options.output_dir));
  if (manifest_path(t, path, sizeof path) != TOOL_OK) return TOOL_FAILED;
  return tool_may_write(t, path);
}

// In the manifest it has the name it has in the graph.
int tool_write_value(tool *t, json_t *manifest, const char *name,
                     const tir_tensor *value) {
  char file[256], path[4096];
  tir_error error;
  file_name(name, manifest, file, sizeof file);
  if (snprintf(path, sizeof path, "%s/%s", t->options.output_dir, file) >=
      (int)sizeof path)
    return tool_fail("the path is too long");
  if (tool_may_write(t, path) != TOOL_OK) return TOOL_FAILED;
  if (tir_npy_save(value, path, &error))
    return tool_fail_error(tool_name(path), &error);
  json_t *shape = json_array();
  for (int i = 0; i < tir_tensor_rank(value); i++)
    json_array_append_new(shape, json_integer(tir_tensor_dim(value, i)));
  json_object_set_new(
      manifest, name,
      json_pack("{s:s, s:s, s:o}", "file", file, "dtype",
                tir_dtype_name(tir_tensor_dtype(value)), "shape", shape));
  return TOOL_OK;
}

// Written last, so a directory with a manifest is complete. Takes it over.
int tool_write_manifest(tool *t, json_t *manifest) {
  char path[4096];
  if (manifest_path(t, path, sizeof path) == TOOL_OK)
    return tool_write_json(t, path, manifest);
  json_decref(manifest);
  return TOOL_FAILED;
}

// --- running ---------------------------------------------------------------

// Sizes of symbolic dims, read off the inputs given.
static size_t dim_sizes(const tir_graph *graph, tir_tensor *const *inputs,
                        tir_dim_size *out, size_t n_max) {
  size_t n = 0;
  for (size_t i = 0; i < tir_graph_n_inputs(graph); i++) {
    tir_port port;
    tir_graph_input(graph, i, &port);
    // The first input that has a name decides; binding checks the others.
    for (int axis = 0; axis < port.rank; axis++) {
      bool known = !port.dim_names[axis];
      for (size_t k = 0; k < n && !known; k++)
        known = strcmp(out[k].name, port.dim_names[axis]) == 0;
      if (!known && n < n_max)
        out[n++] = (tir_dim_size){port.dim_names[axis],
                                  tir_tensor_dim(inputs[i], axis)};
    }
  }
  return n;
}

// Names no input has keep their sizes of the graph.
int tool_compile(tool *t, const tir_graph *graph, const char *pipeline,
                 tir_tensor *const *inputs, tir_program **out_program) {
  enum { MAX_SYMBOLS = 64 };
  tir_dim_size sizes[MAX_SYMBOLS];
  const tir_compile_options options = {
      .pipeline = pipeline,
      .dim_sizes = sizes,
      .n_dim_sizes = inputs ? dim_sizes(graph, inputs, sizes, MAX_SYMBOLS) : 0,
  };
  tir_error error;
  if (tir_compile(t->context, graph, &options, out_program, &error))
    return tool_fail_error("compile", &error);
  return TOOL_OK;
}

int tool_run_graph(tool *t, const tir_graph *graph, const char *pipeline,
                   tir_tensor *const *inputs, tir_tensor **out) {
  tir_error error;
  tir_program *program = NULL;
  tir_instance *instance = NULL;
  if (tool_compile(t, graph, pipeline, inputs, &program) != TOOL_OK)
    return TOOL_FAILED;
  tir_status status =
      tir_instance_create(program, t->module, &instance, &error);
  // Read where they stand: they outlive the instance.
  for (size_t i = 0; i < tir_graph_n_inputs(graph) && status == TIR_OK; i++)
    status = tir_instance_bind_input(instance, i, tir_tensor_data(inputs[i]),
                                     tir_tensor_size_bytes(inputs[i]), &error);
  if (status == TIR_OK) status = tir_run(instance, NULL, &error);
  const size_t n = tir_graph_n_outputs(graph);
  // What is not made stays NULL, so that all may be released.
  for (size_t i = 0; i < n; i++) out[i] = NULL;
  for (size_t i = 0; i < n && status == TIR_OK; i++) {
    tir_port port;
    tir_program_output(program, i, &port);
    // By copy: the instance's memory ends with it.
    status =
        tir_tensor_from_data(t->context, port.dtype, port.dims, port.rank,
                             tir_instance_output(instance, i), &out[i], &error);
  }
  if (status != TIR_OK) tool_release(out, n);
  tir_instance_destroy(instance);
  tir_program_destroy(program);
  return status ? tool_fail_error("run", &error) : TOOL_OK;
}
