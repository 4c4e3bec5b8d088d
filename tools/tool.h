// What the verbs of the command share: options, models, values, output.
#ifndef TAPEIR_TOOLS_TOOL_H
#define TAPEIR_TOOLS_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "tapeir/tapeir.h"

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2, TOOL_MAX_LIST = 256 };

// A repeatable option, e.g. --input NAME=FILE.
typedef struct tool_list {
  const char *items[TOOL_MAX_LIST];
  size_t n;
} tool_list;

typedef struct tool_options {
  const char *verb;
  tool_list files;   // arguments that are no options
  tool_list inputs;  // --input NAME=FILE.npy
  tool_list heads;   // --head NAME=FILE.npy
  tool_list wrt;     // --wrt NAME
  tool_list sets;    // --set NAME=NUMBER
  tool_list data;    // --data NAME=FILE.npy
  tool_list shapes;  // --shape NAME=SIZES
  const char *graph;
  const char *pipeline;
  const char *passes;
  const char *before, *after;
  const char *output;  // --output FILE
  const char *output_dir;
  const char *save_as, *checkpoint_as;
  const char *lr, *plot, *profile, *trace;
  long threads, epochs, steps, batch, checkpoint, runs;
  long seed;        // −1: not given
  long samples;     // check: coordinates of one value
  long stop_after;  // dump: number of passes, -1: all
  bool json, gradient, plan, force, restart, reference, markdown, man,
      completion, help, train;
} tool_options;

typedef struct tool {
  tir_context *context;
  tool_options options;
  tir_module *module;  // of the file, NULL until loaded
  tir_graph *graph;    // chosen, borrowed from the module
} tool;

typedef struct tool_verb {
  const char *name;
  const char *summary;
  const char *details;  // a paragraph, may be ""
  const char *example;
  const char *options;  // names of the options it takes, space-separated
  int n_files;          // FILE arguments it needs
  int (*run)(tool *t);
} tool_verb;

extern const tool_verb tool_verbs[];  // ends with a NULL name

// --- messages --------------------------------------------------------------
// "error: …" on stderr; returns TOOL_FAILED.
int tool_fail(const char *format, ...)
    __attribute__((__format__(__printf__, 1, 2)));
int tool_fail_error(const char *where, const tir_error *error);
// Wrong usage: message on stderr; returns TOOL_USAGE.
int tool_usage(const tool *t, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
// A name from a file with control bytes escaped; valid until the eighth next
// call.
const char *tool_name(const char *name);
// Drops what a full buffer left of a last UTF-8 character; returns the text.
char *tool_cut(char *text);
// "[batch=4, 3]" after a dtype: "f32[batch=4, 3]".
const char *tool_type(const tir_port *port, char *buffer, size_t size);
// 1.5 KiB, 272.0 MiB.
const char *tool_bytes(uint64_t bytes, char buffer[32]);
// Terminal codes; "" where the stream is no terminal or NO_COLOR is set.
const char *tool_bold(FILE *out);
const char *tool_dim(FILE *out);
const char *tool_red(FILE *out);
const char *tool_green(FILE *out);
const char *tool_plain(FILE *out);
bool tool_ends_with(const char *text, const char *end);
// Of a clock that only goes forward.
int64_t tool_now_ns(void);
// A JSON number, null for what JSON cannot say.
json_t *tool_json_number(double x);
// Prints a JSON document on stdout and frees it.
int tool_print_json(json_t *document);

// --- models ----------------------------------------------------------------
// Loads options.files.items[0] (.tir, .tirt, .safetensors or "-"); TOOL_OK or
// prints.
int tool_load(tool *t);
int tool_load_file(tool *t, const char *path, tir_module **out_module);
// Also chooses the graph: --graph, else the only one, else "forward" (with
// --train "train_step").
int tool_load_graph(tool *t);
// Writes a module as .tir, .tirt or .safetensors (parameters alone) by the
// path's ending; refuses to overwrite without --force.
int tool_save(tool *t, tir_module *module, const char *path);
// Fails if the file exists and --force is not given.
int tool_may_write(tool *t, const char *path);
// A new file ("-": standard output), with --force also over an old one.
int tool_write_text(tool *t, const char *path, const char *text, size_t size);
// Takes the document over.
int tool_write_json(tool *t, const char *path, json_t *document);
// Module holding a copy of one graph, with its parameters of `t->module`.
int tool_module_of_graph(tool *t, const tir_graph *graph,
                         tir_module **out_module);
// A graph in place of t->graph, NULL if that one stays as it is.
typedef int (*tool_remake)(tool *t, tir_graph **out_graph);
// A copy of `t->module` with every graph remade.
int tool_remake_module(tool *t, tool_remake remake, tir_module **out_module);
// The chosen graph, differentiated and rewritten as the options say; the
// caller destroys it.
int tool_derive(tool *t, tir_graph **out_graph);

// tir_graph_input, tir_graph_output or tir_graph_param.
typedef tir_status (*tool_port_fn)(const tir_graph *graph, size_t index,
                                   tir_port *out_port);

// --- values ----------------------------------------------------------------
// VALUE of the item NAME=VALUE, NULL if it is another name's.
const char *tool_value_of(const char *item, const char *name);
// Number of the input that NAME=VALUE names: the one with the longest name
// that fits before a '='; −1 if there is none.
int64_t tool_input_of(const tir_graph *graph, const char *item);
// VALUE of the first item that names this input, NULL if none does.
const char *tool_item_of(const tool_list *list, const tir_graph *graph,
                         const char *name);
// Reads the tensors of a graph's inputs from --input; those behind the inputs
// of `t->graph` are heads, from --head or ones. Missing, extra or ill-typed
// ones are errors. `out` has room for tir_graph_n_inputs tensors; the caller
// releases them.
int tool_read_inputs(tool *t, const tir_graph *graph, tir_tensor **out);
// --seed, 0 if it is not given.
uint64_t tool_seed(const tool *t);
// Inputs filled with small random numbers (indices: zeros).
int tool_random_inputs(tool *t, const tir_graph *graph, tir_tensor **out);
// Leaves NULLs behind, so that releasing again does nothing.
void tool_release(tir_tensor **tensors, size_t n);
// f32 and f64: what is computed in.
bool tool_is_float(tir_dtype dtype);
// f16 and bf16.
bool tool_is_half(tir_dtype dtype);
// Element number `i` of any dtype. An i64 beyond 2^53 is rounded.
double tool_element(const tir_tensor *tensor, size_t i);
// Inputs and outputs of one graph; all-zero is empty.
typedef struct tool_tensors {
  tir_tensor **in, **out;
  size_t n_in, n_out;
} tool_tensors;
int tool_make_room(const tir_graph *graph, tool_tensors *v);
void tool_free_tensors(tool_tensors *v);
// --input files if any are given, else random numbers.
int tool_some_inputs(tool *t, const tir_graph *graph, tir_tensor **out);
// Compiled for the sizes of `inputs` (NULL: those of the graph).
int tool_compile(tool *t, const tir_graph *graph, const char *pipeline,
                 tir_tensor *const *inputs, tir_program **out_program);
// Makes DIR; fails if it holds a manifest and --force is not given.
int tool_open_output_dir(tool *t);
// Writes DIR/NAME.npy and notes it in the manifest.
int tool_write_value(tool *t, json_t *manifest, const char *name,
                     const tir_tensor *value);
int tool_write_manifest(tool *t, json_t *manifest);
// Runs a graph compiled with the options' pipeline; new tensors in `out`.
int tool_run_graph(tool *t, const tir_graph *graph, const char *pipeline,
                   tir_tensor *const *inputs, tir_tensor **out);

// --- verbs -----------------------------------------------------------------
int tool_info(tool *t);
int tool_explain(tool *t);
int tool_diff(tool *t);
int tool_bench(tool *t);
int tool_view(tool *t);
int tool_help(tool *t);
// The graph differentiated, NULL if it changes state or has no gradient.
int tool_gradient_for_plan(const tir_graph *graph, tir_graph **out);
int tool_dump(tool *t);
int tool_dot(tool *t);
int tool_run(tool *t);
int tool_grad(tool *t);
int tool_check(tool *t);
int tool_opt(tool *t);
int tool_convert(tool *t);
int tool_ops(tool *t);
int tool_train(tool *t);

#endif
