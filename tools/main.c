// tapeir VERB [options] FILE…: the table of verbs, and one of them run.
//
// A verb is a function from the tool to an exit status. What every verb needs
// is opened and closed here, so a verb may return from anywhere.
#include <signal.h>
#include <string.h>

#include "options.h"

// Name, summary, details, example, options, number of files, function. Help,
// man page and completion are written from it.
const tool_verb tool_verbs[] = {
    {"info", "graphs, ports, parameters, ops and memory of a file", "",
     "tapeir info fashion.tir", "json", 1, tool_info},
    {"explain", "where the memory goes",
     "Says at which step the memory of a run is largest and what lives there, "
     "and which forward values the backward pass reads, so that they must be "
     "kept: by which op, for the gradient of which. A graph that changes state "
     "is taken as it is; others are differentiated first.",
     "tapeir explain --graph loss fashion.tir", "graph pipeline json", 1,
     tool_explain},
    {"dump", "text form of a graph", "",
     "tapeir dump --gradient --pipeline full --plan fashion.tir",
     "graph pipeline passes before after stop-after gradient plan", 1,
     tool_dump},
    {"dot", "graph for Graphviz", "",
     "tapeir dot model.tir | dot -Tsvg > model.svg", "graph pipeline", 1,
     tool_dot},
    {"view", "one HTML page with the graph, its memory and its times",
     "The page shows the graph as it runs, with scopes by the dots and slashes "
     "of names, details of every node, memory by step, and times if a bench "
     "of the same graph is given. It loads nothing from anywhere.",
     "tapeir view fashion.tir --graph loss --gradient --output page.html",
     "graph pipeline gradient profile output force", 1, tool_view},
    {"run", "run a graph on .npy files",
     "Writes DIR/NAME.npy for every output and DIR/manifest.json.",
     "tapeir run model.tir --input x=x.npy --output-dir out",
     "graph pipeline input output-dir reference save-as train force threads", 1,
     tool_run},
    {"grad", "differentiate a graph and run it on .npy files",
     "Writes DIR/NAME.grad.npy for every float input and parameter.",
     "tapeir grad model.tir --input x=x.npy --output-dir out",
     "graph pipeline input head wrt output-dir force threads", 1, tool_grad},
    {"check", "verify a file, compare with the reference, check gradients",
     "For every graph: the optimised program against the reference evaluator "
     "(value, gradient), and the gradient against central differences in f64 "
     "(slope) at sampled coordinates of every float input and parameter. "
     "Inputs are random where none are given.",
     "tapeir check model.tir", "graph input samples seed json threads", 1,
     tool_check},
    {"opt", "run passes on the graphs of a file",
     "All graphs, or the one named; everything else stays as it is.",
     "tapeir opt --pipeline full model.tir --output small.tirt",
     "graph passes pipeline output force", 1, tool_opt},
    {"convert", ".tir to .tirt and back, and weights to .safetensors",
     "With --shape the symbolic dims of that input become sizes, in every "
     "graph that has it.",
     "tapeir convert model.tir --output model.tirt", "output shape force", 1,
     tool_convert},
    {"diff", "structural difference of two files",
     "Compares graphs by their nodes, whatever their values are numbered, and "
     "parameters, state and metadata. Exit status as of diff(1): 0 equal, 1 "
     "different, 2 trouble.",
     "tapeir diff before.tir after.tir", "graph json", 2, tool_diff},
    {"bench", "times of a graph and of its steps",
     "Inputs are random where none are given. Whole runs are timed without "
     "the monitor that times the steps. State the graph changes is changed in "
     "memory only.",
     "tapeir bench --graph train_step fashion.tir",
     "graph pipeline input runs seed json trace force threads", 1, tool_bench},
    {"train", "run a file's train_step over data",
     "Data are cut along the first axis into batches, in an order drawn from "
     "the seed and the epoch. The file saved says where training stopped: "
     "training it again with the same data goes on from there, with the same "
     "bits as if it had never stopped.",
     "tapeir train m.tir --data images=train-images-idx3-ubyte.gz --data "
     "labels=train-labels-idx1-ubyte.gz --lr 0.05 --epochs 8 --save-as m2.tir",
     "graph data set lr epochs steps batch seed checkpoint checkpoint-as "
     "save-as plot restart force json threads",
     1, tool_train},
    {"ops", "the op table", "", "tapeir ops --markdown", "json markdown", 0,
     tool_ops},
    {"help", "this, the man page, or the completion for bash", "",
     "tapeir help --man", "man completion", 0, tool_help},
    {NULL, NULL, NULL, NULL, NULL, 0, NULL},
};

// Module and graph a verb leaves in `t` end here, also after a failure.
static int run_verb(tool *t, const tool_verb *verb) {
  tir_error error;
  const tir_context_options options = {
      // 0, not given, is one thread.
      .n_threads = (int32_t)t->options.threads,
  };
  if (tir_context_create(&options, &t->context, &error))
    return tool_fail_error("start", &error);
  const int status = verb->run(t);
  tir_module_destroy(t->module);
  tir_context_destroy(t->context);
  return status;
}

// Only here: until the stream is flushed nothing is known about it.
// What was printed must have arrived: a reader that went away is no success.
static int finish(int status) {
  const bool failed = ferror(stdout) || fflush(stdout) != 0;
  if (failed && status == TOOL_OK) return tool_fail("cannot write the output");
  return status;
}

int main(int argc, char **argv) {
  // A closed pipe shows as a failed write, with a message and a status.
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || strcmp(argv[1], "--help") == 0) {
    tool_print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? TOOL_USAGE : finish(TOOL_OK);
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("tapeir %s\n", tir_version());
    return finish(TOOL_OK);
  }
  // The last entry has no name: it ends the search.
  const tool_verb *verb = tool_verbs;
  while (verb->name && strcmp(verb->name, argv[1]) != 0) verb++;
  // Without a verb there is no usage to point at but the overview.
  if (!verb->name) {
    fprintf(stderr, "error: no verb %s: `tapeir --help` lists them\n",
            tool_name(argv[1]));
    return TOOL_USAGE;
  }
  // Zeroed, and too long with all its lists to stand on the stack.
  static tool t;
  // What is not zero when it is not given.
  t.options.verb = verb->name;
  t.options.epochs = 1;
  t.options.samples = 16;
  t.options.stop_after = -1;
  t.options.seed = -1;
  int status = tool_parse(&t, verb, argc - 2, argv + 2);
  if (status == TOOL_OK && t.options.help)
    tool_print_verb_help(verb);
  else if (status == TOOL_OK)
    status = run_verb(&t, verb);
  return finish(status);
}
