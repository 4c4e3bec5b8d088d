// The option table, for reading options and for describing them.
#ifndef TAPEIR_TOOLS_OPTIONS_H
#define TAPEIR_TOOLS_OPTIONS_H

#include "tool.h"

typedef enum tool_option_kind {
  TOOL_FLAG,
  TOOL_TEXT,
  TOOL_LIST,      // may be given again
  TOOL_COUNT,     // a whole number, 0 or more
  TOOL_POSITIVE,  // 1 or more
} tool_option_kind;

typedef struct tool_option {
  const char *name;
  const char *value;  // what stands for it in the help; NULL: a flag
  tool_option_kind kind;
  size_t offset;  // in tool_options
  const char *help;
} tool_option;

extern const tool_option tool_option_table[];  // ends with a NULL name

bool tool_verb_takes(const tool_verb *verb, const char *name);
// Reads what follows the verb; TOOL_OK or says what is wrong.
int tool_parse(tool *t, const tool_verb *verb, int argc, char **argv);

// The overview, one verb, the man page in roff, the completion for bash: all
// from the tables.
void tool_print_help(FILE *out);
void tool_print_verb_help(const tool_verb *verb);
void tool_print_man(void);
void tool_print_completion(void);

#endif
