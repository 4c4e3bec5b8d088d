// tapeir VERB [options] FILE…: the table of verbs and their options.
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

const tool_verb tool_verbs[] = {
    {"info", "graphs, ports, parameters, ops and memory of a file",
     "info [--json] FILE", "tapeir info fashion.tir", "json", 1, tool_info},
    {"dump", "text form of a graph",
     "dump [--graph NAME] [--pipeline NAME] [--before PASS] [--after PASS] "
     "[--stop-after N] [--gradient] [--plan] FILE",
     "tapeir dump --gradient --pipeline full --plan fashion.tir",
     "graph pipeline before after stop-after gradient plan", 1, tool_dump},
    {"dot", "graph for Graphviz", "dot [--graph NAME] FILE",
     "tapeir dot model.tir | dot -Tsvg > model.svg", "graph pipeline", 1,
     tool_dot},
    {"run", "run a graph on .npy files",
     "run FILE --input NAME=FILE.npy … --output-dir DIR [--graph NAME] "
     "[--pipeline NAME] [--reference] [--save-as OUT.tir]",
     "tapeir run model.tir --input x=x.npy --output-dir out",
     "graph pipeline input output-dir reference save-as force threads train",
     1, tool_run},
    {"grad", "differentiate a graph and run it on .npy files",
     "grad FILE --input NAME=FILE.npy … [--head NAME=FILE.npy …] "
     "[--wrt NAME …] --output-dir DIR [--graph NAME]",
     "tapeir grad model.tir --input x=x.npy --output-dir out",
     "graph pipeline input head wrt output-dir force threads", 1, tool_grad},
    {"check", "verify a file, compare with the reference, check gradients",
     "check [--graph NAME] [--input NAME=FILE.npy …] [--samples N] [--seed N] "
     "[--json] FILE",
     "tapeir check model.tir", "graph input json threads seed samples", 1,
     tool_check},
    {"opt", "run passes on a graph",
     "opt [--passes A,B] [--pipeline NAME] [--graph NAME] FILE --output FILE",
     "tapeir opt --pipeline full model.tir --output small.tirt",
     "graph passes pipeline output force", 1, tool_opt},
    {"convert", ".tir to .tirt and back", "convert FILE --output FILE",
     "tapeir convert model.tir --output model.tirt", "output force", 1,
     tool_convert},
    {"train", "run a file's train_step over .npy data",
     "train FILE --data NAME=FILE.npy … [--set NAME=NUMBER …] [--epochs N] "
     "[--checkpoint N] --save-as OUT.tir",
     "tapeir train m.tir --data x=x.npy --data y=y.npy --set lr=0.1 "
     "--save-as m2.tir",
     "graph data set epochs checkpoint save-as force seed", 1, tool_train},
    {"ops", "the op table", "ops [--json | --markdown]",
     "tapeir ops --markdown", "json markdown", 0, tool_ops},
    {NULL, NULL, NULL, NULL, NULL, 0, NULL},
};

enum {
  OPT_GRAPH = 256, OPT_PIPELINE, OPT_PASSES, OPT_BEFORE, OPT_AFTER,
  OPT_OUTPUT, OPT_OUTPUT_DIR, OPT_SAVE_AS, OPT_THREADS, OPT_EPOCHS,
  OPT_CHECKPOINT, OPT_SEED, OPT_INPUT, OPT_HEAD, OPT_WRT, OPT_SET, OPT_DATA,
  OPT_JSON, OPT_GRADIENT, OPT_PLAN, OPT_FORCE, OPT_REFERENCE, OPT_MARKDOWN,
  OPT_TRAIN, OPT_HELP, OPT_SAMPLES, OPT_STOP_AFTER,
};

static const struct option all_options[] = {
    {"graph", required_argument, NULL, OPT_GRAPH},
    {"pipeline", required_argument, NULL, OPT_PIPELINE},
    {"passes", required_argument, NULL, OPT_PASSES},
    {"before", required_argument, NULL, OPT_BEFORE},
    {"after", required_argument, NULL, OPT_AFTER},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"output-dir", required_argument, NULL, OPT_OUTPUT_DIR},
    {"save-as", required_argument, NULL, OPT_SAVE_AS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"epochs", required_argument, NULL, OPT_EPOCHS},
    {"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"input", required_argument, NULL, OPT_INPUT},
    {"head", required_argument, NULL, OPT_HEAD},
    {"wrt", required_argument, NULL, OPT_WRT},
    {"set", required_argument, NULL, OPT_SET},
    {"data", required_argument, NULL, OPT_DATA},
    {"samples", required_argument, NULL, OPT_SAMPLES},
    {"stop-after", required_argument, NULL, OPT_STOP_AFTER},
    {"json", no_argument, NULL, OPT_JSON},
    {"gradient", no_argument, NULL, OPT_GRADIENT},
    {"plan", no_argument, NULL, OPT_PLAN},
    {"force", no_argument, NULL, OPT_FORCE},
    {"reference", no_argument, NULL, OPT_REFERENCE},
    {"markdown", no_argument, NULL, OPT_MARKDOWN},
    {"train", no_argument, NULL, OPT_TRAIN},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(FILE *out) {
  fprintf(out, "usage: tapeir VERB [options] FILE…\n\n");
  for (const tool_verb *v = tool_verbs; v->name; v++)
    fprintf(out, "  %-9s %s\n", v->name, v->summary);
  fprintf(out, "\n`tapeir VERB --help` says more. FILE is .tir or .tirt, "
               "`-` is standard input.\n");
}

static void print_verb_help(const tool_verb *v) {
  printf("tapeir %s: %s\n\nusage:   tapeir %s\nexample: %s\n", v->name,
         v->summary, v->usage, v->example);
}

// Does the verb take the option?
static bool takes(const tool_verb *verb, const char *name) {
  const size_t n = strlen(name);
  for (const char *at = verb->options; at && *at;) {
    const size_t length = strcspn(at, " ");
    if (length == n && strncmp(at, name, n) == 0) return true;
    at += length + (at[length] == ' ');
  }
  return strcmp(name, "help") == 0;
}

static bool add(tool_list *list, const char *item) {
  if (list->n == TOOL_MAX_LIST) return false;
  list->items[list->n++] = item;
  return true;
}

// A whole number of at least 1 (seed: any); false if it is not one.
static bool number(const char *text, long *out) {
  char *end;
  *out = strtol(text, &end, 10);
  return *text && !*end && *out >= 0;
}

static bool take_option(tool_options *o, int option, const char *value) {
  switch (option) {
    case OPT_GRAPH: o->graph = value; return true;
    case OPT_PIPELINE: o->pipeline = value; return true;
    case OPT_PASSES: o->passes = value; return true;
    case OPT_BEFORE: o->before = value; return true;
    case OPT_AFTER: o->after = value; return true;
    case OPT_OUTPUT: o->output = value; return true;
    case OPT_OUTPUT_DIR: o->output_dir = value; return true;
    case OPT_SAVE_AS: o->save_as = value; return true;
    case OPT_THREADS: return number(value, &o->threads) && o->threads == 1;
    case OPT_EPOCHS: return number(value, &o->epochs);
    case OPT_CHECKPOINT: return number(value, &o->checkpoint);
    case OPT_SEED: return number(value, &o->seed);
    case OPT_SAMPLES: return number(value, &o->samples) && o->samples > 0;
    case OPT_STOP_AFTER: return number(value, &o->stop_after);
    case OPT_INPUT: return add(&o->inputs, value);
    case OPT_HEAD: return add(&o->heads, value);
    case OPT_WRT: return add(&o->wrt, value);
    case OPT_SET: return add(&o->sets, value);
    case OPT_DATA: return add(&o->data, value);
    case OPT_JSON: return o->json = true;
    case OPT_GRADIENT: return o->gradient = true;
    case OPT_PLAN: return o->plan = true;
    case OPT_FORCE: return o->force = true;
    case OPT_REFERENCE: return o->reference = true;
    case OPT_MARKDOWN: return o->markdown = true;
    case OPT_TRAIN: return o->train = true;
    case OPT_HELP: return o->help = true;
    default: return false;
  }
}

static int parse(tool *t, const tool_verb *verb, int argc, char **argv) {
  int index = 0;
  for (int c; (c = getopt_long(argc, argv, "", all_options, &index)) != -1;) {
    if (c == '?') return TOOL_USAGE;
    if (!takes(verb, all_options[index].name))
      return tool_usage(t, "no option --%s", all_options[index].name);
    if (!take_option(&t->options, c, optarg))
      return tool_usage(t, "--%s: not allowed: %s", all_options[index].name,
                        tool_name(optarg));
  }
  for (int i = optind; i < argc; i++)
    if (!add(&t->options.files, argv[i]))
      return tool_usage(t, "too many files");
  if (t->options.help) return TOOL_OK;
  if ((int)t->options.files.n != verb->n_files)
    return tool_usage(t, "%d file%s wanted, %zu given", verb->n_files,
                      verb->n_files == 1 ? "" : "s", t->options.files.n);
  return TOOL_OK;
}

int main(int argc, char **argv) {
  if (argc < 2 || strcmp(argv[1], "--help") == 0) {
    print_help(argc < 2 ? stderr : stdout);
    return argc < 2 ? TOOL_USAGE : TOOL_OK;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("tapeir %s\n", tir_version());
    return TOOL_OK;
  }
  const tool_verb *verb = tool_verbs;
  while (verb->name && strcmp(verb->name, argv[1]) != 0) verb++;
  if (!verb->name) {
    fprintf(stderr, "error: no verb %s\n", tool_name(argv[1]));
    return TOOL_USAGE;
  }
  static tool t;
  t.options.verb = verb->name;
  t.options.epochs = 1;
  t.options.samples = 16;
  t.options.stop_after = -1;
  int status = parse(&t, verb, argc - 1, argv + 1);
  if (status == TOOL_OK && t.options.help) {
    print_verb_help(verb);
    return TOOL_OK;
  }
  tir_error error;
  if (status == TOOL_OK && tir_context_create(NULL, &t.context, &error))
    status = tool_fail_error("start", &error);
  if (status == TOOL_OK) status = verb->run(&t);
  tir_module_destroy(t.module);
  tir_context_destroy(t.context);
  // A reader that went away is no success.
  if (fflush(stdout) != 0 && status == TOOL_OK)
    status = tool_fail("cannot write the output");
  return status;
}
