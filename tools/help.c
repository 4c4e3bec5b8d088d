// Help in four forms, from the tables of verbs and options, so that they
// cannot say different things.
//
// Written are files others read (man page, completion), so nothing here depends
// on a terminal.
#include <string.h>

#include "options.h"

static const char about[] =
    "FILE is a .tir or .tirt file, `-` is standard input. Standard output "
    "carries data only, messages go to standard error. No file is overwritten "
    "without --force. Colour and progress only on a terminal, and no colour "
    "when NO_COLOR is set.";

static const char status_text[] =
    "0: it worked. 1: the input or the run failed, or `diff` found a "
    "difference, or `check` a failure. 2: wrong usage; of `diff` also trouble "
    "with a file.";

// Text in lines of at most 78 columns.
static void wrap(FILE *out, const char *text, const char *indent) {
  size_t column = 0;
  for (const char *at = text; *at;) {
    const size_t n = strcspn(at, " ");
    // At the start of a line a word fits whatever its length.
    if (column && column + 1 + n > 78 - strlen(indent)) {
      fprintf(out, "\n");
      column = 0;
    }
    fprintf(out, "%s%.*s", column ? " " : indent, (int)n, at);
    column += n + (column > 0);
    at += n + (at[n] == ' ');
  }
  fprintf(out, "\n");
}

void tool_print_help(FILE *out) {
  fprintf(out, "usage: tapeir VERB [options] FILE…\n\n");
  for (const tool_verb *v = tool_verbs; v->name; v++)
    fprintf(out, "  %-9s %s\n", v->name, v->summary);
  fprintf(out, "\n`tapeir VERB --help` says more.\n\n");
  wrap(out, about, "");
  fprintf(out, "\nExit status. ");
  wrap(out, status_text, "");
}

// By number of files, two at most.
static const char *arguments(const tool_verb *v) {
  static const char *const files[] = {"", " FILE", " FILE FILE"};
  return files[v->n_files];
}

// "--graph NAME", or "--force" for a flag.
static void option_text(const tool_option *o, char *buffer, size_t size) {
  snprintf(buffer, size, "--%s%s%s", o->name, o->value ? " " : "",
           o->value ? o->value : "");
}

void tool_print_verb_help(const tool_verb *v) {
  printf("tapeir %s: %s\n\nusage:   tapeir %s [options]%s\nexample: %s\n",
         v->name, v->summary, v->name, arguments(v), v->example);
  if (*v->details) {
    printf("\n");
    wrap(stdout, v->details, "");
  }
  printf("\n");
  // In the order of the table, whatever order the verb names them in.
  for (const tool_option *o = tool_option_table; o->name; o++) {
    if (!tool_verb_takes(v, o->name)) continue;
    char text[64];
    option_text(o, text, sizeof text);
    printf("  %-26s %s\n", text, o->help);
  }
}

// --- man page --------------------------------------------------------------

// A line of roff: control characters of its own escaped.
static void roff(const char *text) {
  // Either would begin a request of roff.
  if (*text == '.' || *text == '\'') printf("\\&");
  for (const char *c = text; *c; c++) {
    // A plain dash may be set as a hyphen, which cannot be pasted.
    if (*c == '\\')
      printf("\\e");
    else if (*c == '-')
      printf("\\-");
    else
      putchar(*c);
  }
}

static void roff_line(const char *before, const char *text) {
  printf("%s", before);
  roff(text);
  printf("\n");
}

static void man_verb(const tool_verb *v) {
  roff_line(".SS ", v->name);
  roff_line("", v->summary);
  if (*v->details) roff_line(".PP\n", v->details);
  printf(".PP\n.B tapeir %s\n[options]%s\n", v->name, arguments(v));
  for (const tool_option *o = tool_option_table; o->name; o++) {
    // --help is the same everywhere.
    if (!tool_verb_takes(v, o->name) || strcmp(o->name, "help") == 0) continue;
    printf(".TP\n.B ");
    char text[64];
    snprintf(text, sizeof text, "--%s", o->name);
    roff(text);
    if (o->value) roff_line(" ", o->value);
    if (!o->value) printf("\n");
    roff_line("", o->help);
  }
  roff_line(".PP\nExample:\n.PP\n.EX\n", v->example);
  printf(".EE\n");
}

void tool_print_man(void) {
  printf(
      ".\\\" Written by `tapeir help --man`.\n"
      ".TH TAPEIR 1 \"\" \"tapeir %s\"\n.SH NAME\n"
      "tapeir \\- look into, run, train and check static graphs\n"
      ".SH SYNOPSIS\n.B tapeir\nVERB [options] FILE…\n.SH DESCRIPTION\n",
      tir_version());
  roff_line("", about);
  printf(".SH VERBS\n");
  for (const tool_verb *v = tool_verbs; v->name; v++) man_verb(v);
  roff_line(".SH EXIT STATUS\n", status_text);
  printf(
      ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo colour when it is set and not "
      "empty.\n");
}

// --- completion ------------------------------------------------------------

static void complete_verb(const tool_verb *v) {
  printf("    %s) options=\"", v->name);
  for (const tool_option *o = tool_option_table; o->name; o++)
    if (tool_verb_takes(v, o->name)) printf("--%s ", o->name);
  printf("\" ;;\n");
}

// Twice over the options: those that take a file, then those that take free
// text, for which nothing is offered.
static void complete_values(void) {
  printf(
      "  case $previous in\n"
      "    --pipeline) COMPREPLY=($(compgen -W 'none basic full' -- "
      "\"$word\")); return ;;\n"
      "    --output-dir) COMPREPLY=($(compgen -d -- \"$word\")); "
      "return ;;\n");
  for (int free_text = 0; free_text < 2; free_text++) {
    const char *separator = "    ";
    for (const tool_option *o = tool_option_table; o->name; o++) {
      if (!o->value || strcmp(o->name, "pipeline") == 0 ||
          strcmp(o->name, "output-dir") == 0)
        continue;
      // A value with a dot or FILE in it is the name of a file.
      const bool is_file = strchr(o->value, '.') || strstr(o->value, "FILE");
      if (is_file == (free_text == 1)) continue;
      printf("%s--%s", separator, o->name);
      separator = " | ";
    }
    printf(free_text ? ") return ;;\n"
                     : ") COMPREPLY=($(compgen -f -- \"${word#*=}\")); "
                       "return ;;\n");
  }
  printf("  esac\n");
}

// The first word is the verb; which options are offered depends on it.
void tool_print_completion(void) {
  printf(
      "# Completion for bash. Written by `tapeir help --completion`.\n"
      "_tapeir() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} options\n"
      "  local previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '");
  for (const tool_verb *v = tool_verbs; v->name; v++) printf("%s ", v->name);
  printf("--help --version' -- \"$word\"))\n    return\n  fi\n");
  complete_values();
  printf("  case ${COMP_WORDS[1]} in\n");
  for (const tool_verb *v = tool_verbs; v->name; v++) complete_verb(v);
  // With filenames, so that the shell quotes them and marks directories.
  printf(
      "    *) return ;;\n"
      "  esac\n"
      "  case $word in\n"
      "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
      "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
      "  esac\n"
      "}\n"
      "complete -o filenames -F _tapeir tapeir\n");
}

int tool_help(tool *t) {
  if (t->options.man)
    tool_print_man();
  else if (t->options.completion)
    tool_print_completion();
  else
    tool_print_help(stdout);
  return TOOL_OK;
}
