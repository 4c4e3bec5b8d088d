// tapeir run, grad: running graphs on .npy files.
//
// What may be refused is asked before the run: inputs, and files that are there
// already.
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int write_outputs(tool *t, const tir_graph *graph,
                         const tool_tensors *v) {
  json_t *manifest = json_object();
  int status = TOOL_OK;
  for (size_t i = 0; i < v->n_out && status == TOOL_OK; i++) {
    tir_port port;
    char number[32];
    tir_graph_output(graph, i, &port);
    // An output without a name is told by its number.
    snprintf(number, sizeof number, "output%zu", i);
    status = tool_write_value(t, manifest, port.name[0] ? port.name : number,
                              v->out[i]);
  }
  if (status == TOOL_OK) return tool_write_manifest(t, manifest);
  json_decref(manifest);
  return status;
}

// Writes the state of the module, as a run does.
static int run_reference(tool *t, const tool_tensors *v) {
  tir_error error;
  if (tir_reference_run(t->graph, t->module, v->in, v->n_in, v->out, v->n_out,
                        &error))
    return tool_fail_error("reference", &error);
  return TOOL_OK;
}

int tool_run(tool *t) {
  if (!t->options.output_dir) return tool_usage(t, "--output-dir is missing");
  tool_tensors v = {0};
  int status = tool_load_graph(t);
  if (status == TOOL_OK) status = tool_make_room(t->graph, &v);
  if (status == TOOL_OK) status = tool_read_inputs(t, t->graph, v.in);
  if (status == TOOL_OK && t->options.save_as)
    status = tool_may_write(t, t->options.save_as);
  // The directory last, so that a wrong input leaves none behind.
  if (status == TOOL_OK) status = tool_open_output_dir(t);
  if (status == TOOL_OK)
    status =
        t->options.reference
            ? run_reference(t, &v)
            : tool_run_graph(t, t->graph, t->options.pipeline, v.in, v.out);
  // Results first: they are there also when saving fails.
  if (status == TOOL_OK) status = write_outputs(t, t->graph, &v);
  if (status == TOOL_OK && t->options.save_as)
    status = tool_save(t, t->module, t->options.save_as);
  tool_free_tensors(&v);
  return status;
}

// Only the gradients, which stand behind the graph's own outputs.
static int write_gradients(tool *t, const tir_graph *graph,
                           const tool_tensors *v) {
  json_t *manifest = json_object();
  int status = TOOL_OK;
  for (size_t i = tir_graph_n_outputs(t->graph);
       i < v->n_out && status == TOOL_OK; i++) {
    tir_port port;
    tir_graph_output(graph, i, &port);
    status = tool_write_value(t, manifest, port.name, v->out[i]);
  }
  if (status == TOOL_OK) return tool_write_manifest(t, manifest);
  json_decref(manifest);
  return status;
}

int tool_grad(tool *t) {
  if (!t->options.output_dir) return tool_usage(t, "--output-dir is missing");
  tool_tensors v = {0};
  tir_error error;
  tir_graph *graph = NULL;
  int status = tool_load_graph(t);
  // Heads are inputs of the differentiated graph only when some are given.
  if (status == TOOL_OK &&
      tir_graph_differentiate(t->graph, t->options.wrt.items, t->options.wrt.n,
                              t->options.heads.n == 0, &graph, &error))
    status = tool_fail_error("gradient", &error);
  if (status == TOOL_OK) status = tool_make_room(graph, &v);
  if (status == TOOL_OK) status = tool_read_inputs(t, graph, v.in);
  if (status == TOOL_OK) status = tool_open_output_dir(t);
  if (status == TOOL_OK)
    status = tool_run_graph(t, graph, t->options.pipeline, v.in, v.out);
  if (status == TOOL_OK) status = write_gradients(t, graph, &v);
  tool_free_tensors(&v);
  tir_graph_destroy(graph);
  return status;
}
