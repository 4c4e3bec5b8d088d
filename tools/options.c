// Options: one table says what each is, reads it, and describes it in --help,
// the man page and the completion.
//
// A value is stored by the offset of its field, so a new option needs a field
// and a line and no code.
#include "options.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(tool_options, name)

// Help, man page and completion show options in this order.
const tool_option tool_option_table[] = {
    {"after", "PASS", TOOL_TEXT, FIELD(after), "stop behind this pass"},
    {"batch", "N", TOOL_POSITIVE, FIELD(batch),
     "rows of one step (default: as captured)"},
    {"before", "PASS", TOOL_TEXT, FIELD(before), "stop before this pass"},
    {"checkpoint", "N", TOOL_POSITIVE, FIELD(checkpoint),
     "save after every N steps"},
    {"checkpoint-as", "PATTERN.tir", TOOL_TEXT, FIELD(checkpoint_as),
     "where to: %d stands for the step (default: --save-as)"},
    {"data", "NAME=FILE", TOOL_LIST, FIELD(data),
     "rows of an input: .npy, idx(.gz), or .csv with :COLUMNS"},
    {"epochs", "N", TOOL_POSITIVE, FIELD(epochs),
     "times through the data, in all (default 1)"},
    {"force", NULL, TOOL_FLAG, FIELD(force), "overwrite files"},
    {"gradient", NULL, TOOL_FLAG, FIELD(gradient),
     "differentiate the graph first"},
    {"graph", "NAME", TOOL_TEXT, FIELD(graph),
     "which graph (default: the only one, else forward)"},
    {"head", "NAME=FILE.npy", TOOL_LIST, FIELD(heads),
     "gradient of an output (default: ones)"},
    {"input", "NAME=FILE.npy", TOOL_LIST, FIELD(inputs), "data of an input"},
    {"json", NULL, TOOL_FLAG, FIELD(json), "print JSON"},
    {"lr", "NUMBER", TOOL_TEXT, FIELD(lr), "the same as --set lr=NUMBER"},
    {"markdown", NULL, TOOL_FLAG, FIELD(markdown), "print Markdown"},
    {"man", NULL, TOOL_FLAG, FIELD(man), "print the man page"},
    {"completion", NULL, TOOL_FLAG, FIELD(completion),
     "print the completion for bash"},
    {"output", "FILE", TOOL_TEXT, FIELD(output), "file to write"},
    {"output-dir", "DIR", TOOL_TEXT, FIELD(output_dir),
     "directory for the results, made if need be"},
    {"passes", "A,B", TOOL_TEXT, FIELD(passes), "passes to run, in order"},
    {"pipeline", "NAME", TOOL_TEXT, FIELD(pipeline),
     "none, basic (same bits) or full"},
    {"plan", NULL, TOOL_FLAG, FIELD(plan), "with the memory plan"},
    {"plot", "OUT.svg", TOOL_TEXT, FIELD(plot), "draw the loss curve"},
    {"profile", "BENCH.json", TOOL_TEXT, FIELD(profile),
     "times of tapeir bench --json"},
    {"reference", NULL, TOOL_FLAG, FIELD(reference),
     "run the slow reference evaluator"},
    {"restart", NULL, TOOL_FLAG, FIELD(restart),
     "begin at step 0 with the parameters of the file"},
    {"runs", "N", TOOL_POSITIVE, FIELD(runs),
     "runs to time (default: for half a second)"},
    {"samples", "N", TOOL_POSITIVE, FIELD(samples),
     "coordinates of each value that are checked (default 16)"},
    {"save-as", "OUT.tir", TOOL_TEXT, FIELD(save_as),
     "save the module with the state it has after the run"},
    {"seed", "N", TOOL_COUNT, FIELD(seed), "of random inputs and shuffling"},
    {"shape", "NAME=SIZES", TOOL_LIST, FIELD(shapes),
     "sizes for the symbolic dims of an input, as 1,3,224"},
    {"set", "NAME=NUMBER", TOOL_LIST, FIELD(sets), "value of a scalar input"},
    {"steps", "N", TOOL_POSITIVE, FIELD(steps), "stop after N steps in all"},
    {"stop-after", "N", TOOL_COUNT, FIELD(stop_after),
     "run only the first N passes"},
    {"threads", "N", TOOL_POSITIVE, FIELD(threads), "threads of the run"},
    {"trace", "OUT.json", TOOL_TEXT, FIELD(trace),
     "write one run for Chrome's trace viewer"},
    {"train", NULL, TOOL_FLAG, FIELD(train),
     "train_step where no graph is named"},
    {"wrt", "NAME", TOOL_LIST, FIELD(wrt),
     "differentiate for this one (default: everything that is a float)"},
    {"help", NULL, TOOL_FLAG, FIELD(help), "show this"},
    {NULL, NULL, TOOL_FLAG, 0, NULL},
};

// As whole words, since one name may begin another. All verbs take --help.
bool tool_verb_takes(const tool_verb *verb, const char *name) {
  const size_t n = strlen(name);
  for (const char *at = verb->options; *at;) {
    const size_t length = strcspn(at, " ");
    if (length == n && strncmp(at, name, n) == 0) return true;
    at += length + (at[length] == ' ');
  }
  return strcmp(name, "help") == 0;
}

// By whole name: options have no short forms and are not abbreviated.
static const tool_option *find(const char *name, size_t size) {
  for (const tool_option *o = tool_option_table; o->name; o++)
    if (strlen(o->name) == size && strncmp(o->name, name, size) == 0) return o;
  return NULL;
}

// Digits alone: no sign, no blanks. Below 2^31, so that it fits a long
// everywhere.
static bool number(const char *text, long least, long *out) {
  char *end;
  if (!isdigit((unsigned char)*text)) return false;
  *out = strtol(text, &end, 10);
  return !*end && *out >= least && *out < 2147483648L;
}

// False where the value is not allowed, or the list is full.
static bool store(tool_options *options, const tool_option *o,
                  const char *value) {
  void *field = (char *)options + o->offset;
  // Means something only where the kind is a list.
  tool_list *list = field;
  switch (o->kind) {
    case TOOL_FLAG:
      *(bool *)field = true;
      return true;
    case TOOL_TEXT:
      *(const char **)field = value;
      return true;
    case TOOL_COUNT:
      return number(value, 0, field);
    case TOOL_POSITIVE:
      return number(value, 1, field);
    default:
      if (list->n == TOOL_MAX_LIST) return false;
      list->items[list->n++] = value;
      return true;
  }
}

// "--name", "--name VALUE" or "--name=VALUE" at argv[*at].
static int take(tool *t, const tool_verb *verb, int argc, char **argv,
                int *at) {
  const char *name = argv[*at] + 2;
  const size_t size = strcspn(name, "=");
  const tool_option *o = find(name, size);
  const char *value = name[size] == '=' ? name + size + 1 : NULL;
  // One that another verb takes is as unknown here as any other.
  if (!o || !tool_verb_takes(verb, o->name))
    return tool_usage(t, "no option %s", tool_name(argv[*at]));
  if (o->kind == TOOL_FLAG && value)
    return tool_usage(t, "--%s takes no value", o->name);
  if (o->kind != TOOL_FLAG && !value) {
    if (*at + 1 == argc)
      return tool_usage(t, "--%s needs %s", o->name, o->value);
    // The next argument is the value, even if it begins with a dash.
    value = argv[++*at];
  }
  if (store(&t->options, o, value)) return TOOL_OK;
  return tool_usage(t, "--%s: not allowed: %s", o->name, tool_name(value));
}

int tool_parse(tool *t, const tool_verb *verb, int argc, char **argv) {
  tool_list *files = &t->options.files;
  bool only_files = false;
  for (int i = 0; i < argc; i++) {
    // Behind -- everything is a file.
    if (!only_files && strcmp(argv[i], "--") == 0) {
      only_files = true;
    } else if (!only_files && strncmp(argv[i], "--", 2) == 0) {
      const int status = take(t, verb, argc, argv, &i);
      if (status != TOOL_OK) return status;
    } else if (!only_files && argv[i][0] == '-' && argv[i][1]) {
      return tool_usage(t, "no option %s", tool_name(argv[i]));
    } else {
      // A dash alone is standard input, a file like others.
      if (files->n == TOOL_MAX_LIST) return tool_usage(t, "too many files");
      files->items[files->n++] = argv[i];
    }
  }
  // Who asks for help needs no file.
  if (t->options.help || (int)files->n == verb->n_files) return TOOL_OK;
  return tool_usage(t, "%d file%s wanted, %zu given", verb->n_files,
                    verb->n_files == 1 ? "" : "s", files->n);
}
