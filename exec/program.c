// What a program tells about itself: memory report, planned values, ports and
// its text with the plan as comments.
#include "exec/program.h"

#include <string.h>

#include "ir/text.h"

static const char *const place_names[] = {
    [TIR_PLACE_NONE] = "none",     [TIR_PLACE_ARENA] = "arena",
    [TIR_PLACE_INPUT] = "input",   [TIR_PLACE_PARAM] = "param",
    [TIR_PLACE_OUTPUT] = "output", [TIR_PLACE_CONSTANT] = "constant",
};

static const char *place_name(const tir_place *place) {
  return place->is_view ? "view" : place_names[place->kind];
}

void tir_program_memory(const tir_program *program,
                        tir_memory_report *out_report) {
  if (!out_report) return;
  *out_report = program ? program->report : (tir_memory_report){0};
}

// --- planned values --------------------------------------------------------

// "%" and the number; returns the position after the NUL.
static char *write_number(char *at, uint32_t number) {
  char digits[10];
  int n = 0;
  do {
    digits[n++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  *at++ = '%';
  while (n > 0) *at++ = digits[--n];
  *at++ = '\0';
  return at;
}

// Names as in the program's text, so that a value listed can be found there.
typedef struct numbering {
  const tir_ir_graph *graph;
  uint32_t *numbers;  // by value id
  uint8_t *taken;     // by string id
  uint32_t count;
} numbering;

// As the printer does it: ports first, and a value that cannot be called by
// its name (none, not an identifier, or another's) takes a number.
static void number_values(numbering *x, bool ports) {
  const tir_ir_graph *graph = x->graph;
  for (tir_ir_node n = tir_ir_first(graph); tir_ir_node_valid(n);
       n = tir_ir_next(graph, n)) {
    const tir_op op = tir_ir_op(graph, n);
    if ((op == TIR_OP_INPUT || op == TIR_OP_PARAM) != ports) continue;
    for (uint32_t i = 0; i < tir_ir_n_out(graph, n); i++) {
      const tir_ir_value v = tir_ir_out(graph, n, i);
      const uint32_t name = tir_ir_value_at(graph, v)->name;
      const char *text = tir_ir_value_name(graph, v);
      if (name && !x->taken[name] && tir_ir_is_identifier(text, strlen(text)))
        x->taken[name] = 1;
      else
        x->numbers[v.id] = x->count++;
    }
  }
}

// Every value that is somewhere in memory, by rising id. Its name is the
// graph's text, or one written into `texts`.
static void list_all(tir_program *program, const uint32_t *numbers,
                     char *texts) {
  uint32_t count = 0;
  for (uint32_t v = 1; v < program->plan.n_places; v++) {
    if (program->plan.places[v].kind == TIR_PLACE_NONE) continue;
    const char *name = tir_ir_value_name(program->graph, (tir_ir_value){v});
    if (name[0] == '\0') {
      name = texts;
      texts = write_number(texts, numbers[v]);
    }
    program->listed[count] = v;
    program->listed_names[count++] = name;
  }
}

// Lists and texts stay in the program's arena; the numbering is scratch.
tir_status tir_exec_list_values(tir_program *program, tir_error *error) {
  const size_t n = (size_t)program->report.n_values;
  // '%', up to ten digits, NUL.
  const size_t text_bytes = n * 12, ids_bytes = n * sizeof *program->listed;
  const size_t names_bytes = n * sizeof *program->listed_names;
  if (n == 0) return TIR_OK;
  char *texts = tir_base_arena_alloc(&program->arena, text_bytes, 1);
  program->listed =
      tir_base_arena_alloc(&program->arena, ids_bytes, _Alignof(uint32_t));
  program->listed_names = tir_base_arena_alloc(&program->arena, names_bytes,
                                               _Alignof(const char *));
  tir_context *context = program->context;
  numbering x = {.graph = program->graph};
  const size_t numbers_bytes = program->plan.n_places * sizeof *x.numbers;
  // String ids start at 1.
  const size_t n_strings = x.graph->strings.texts.count + 1;
  x.numbers = tir_base_alloc(context, numbers_bytes, _Alignof(uint32_t));
  x.taken = tir_base_alloc_zero(context, n_strings, 1);
  const bool ok =
      texts && program->listed && program->listed_names && x.numbers && x.taken;
  if (ok) {
    number_values(&x, true);
    number_values(&x, false);
    list_all(program, x.numbers, texts);
  }
  tir_base_free(context, x.numbers, numbers_bytes, _Alignof(uint32_t));
  tir_base_free(context, x.taken, n_strings, 1);
  return ok ? TIR_OK : tir_base_fail_memory(error, names_bytes);
}

// 0 also for a program that lists nothing, like a tape's.
size_t tir_program_n_values(const tir_program *program) {
  return program && program->listed ? (size_t)program->report.n_values : 0;
}

tir_status tir_program_value(const tir_program *program, size_t index,
                             tir_planned_value *out_value) {
  if (!out_value || index >= tir_program_n_values(program))
    return TIR_ERR_ARGUMENT;
  const tir_ir_value value = {program->listed[index]};
  const tir_place *place = &program->plan.places[value.id];
  *out_value = (tir_planned_value){
      .name = program->listed_names[index],
      .op = tir_ir_desc(program->graph, tir_ir_producer(program->graph, value))
                ->name,
      .place = place_name(place),
      .offset_bytes = place->offset,
      .size_bytes = place->size,
      .first_step = place->first,
      .last_step = place->last,
      .in_place = place->in_place,
      // From 0, as the order of values in the graph that tir_program_graph
      // gives.
      .value = value.id - 1,
  };
  return TIR_OK;
}

// The graph after its passes, as a copy that may outlive the program.
tir_status tir_program_graph(const tir_program *program, tir_graph **out_graph,
                             tir_error *error) {
  if (out_graph) *out_graph = NULL;
  if (!program || !out_graph)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "program: %s is NULL",
                         !program ? "program" : "out_graph");
  tir_ir_graph *copy = NULL;
  TIR_TRY(tir_ir_graph_copy(program->graph, &copy, error));
  return tir_ir_graph_publish(copy, NULL, out_graph, error);
}

// --- text ------------------------------------------------------------------

// Where each result lives, as a range of bytes, and from which step to which.
static void annotate(void *user, const tir_ir_graph *graph, tir_ir_node node,
                     tir_ir_text *text) {
  const tir_program *program = user;
  const tir_plan_region *region = tir_plan_region_of(&program->plan, node.id);
  for (uint32_t i = 0; i < tir_ir_n_out(graph, node); i++) {
    const tir_place *place =
        &program->plan.places[tir_ir_out(graph, node, i).id];
    // Computed in registers of its region, so that it has a step but no bytes.
    const bool inner = region && place->kind == TIR_PLACE_NONE;
    tir_ir_text_add(text, i == 0 ? "  # %s%s" : ", %s%s",
                    place->is_view ? "view of " : "",
                    inner ? "inside" : place_names[place->kind]);
    if (inner) tir_ir_text_add(text, " step %u", place->first);
    if (place->kind == TIR_PLACE_NONE) continue;
    if (place->kind != TIR_PLACE_ARENA)
      tir_ir_text_add(text, " %u at", place->index);
    tir_ir_text_add(text, " %zu..%zu steps %u..%u%s", place->offset,
                    place->offset + place->size, place->first, place->last,
                    place->in_place ? " in place" : "");
    if (region) tir_ir_text_add(text, " fused");
  }
}

tir_status tir_program_to_text(const tir_program *program, char **out_text,
                               tir_error *error) {
  if (out_text) *out_text = NULL;
  if (!program || !out_text)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "program: %s is NULL",
                         !program ? "program" : "out_text");
  tir_ir_text text;
  tir_ir_text_init(&text, program->context);
  // The callback takes its user pointer without const; it only reads.
  tir_ir_print_graph(program->graph, annotate, (void *)(uintptr_t)program,
                     &text);
  tir_ir_print_data(program->graph, &text);
  // The last line sums up what the comments beside the nodes say.
  const tir_memory_report *report = &program->report;
  tir_ir_text_add(&text,
                  "# %llu steps, arena %llu bytes (at least %llu), scratch "
                  "%llu, block %llu\n",
                  (unsigned long long)report->n_steps,
                  (unsigned long long)report->arena_bytes,
                  (unsigned long long)report->lower_bound_bytes,
                  (unsigned long long)report->scratch_bytes,
                  (unsigned long long)report->block_bytes);
  return tir_ir_text_finish(&text, out_text, error);
}

// --- ports -----------------------------------------------------------------

// Text belongs to the graph and lives as long as the program. Dims that were
// given a size have lost their name.
tir_status tir_program_input(const tir_program *program, size_t index,
                             tir_port *out_port) {
  if (!program || !out_port || index >= program->n_inputs)
    return TIR_ERR_ARGUMENT;
  const tir_ir_value value = program->graph->inputs.data[index];
  tir_ir_fill_port(program->graph, value,
                   tir_ir_value_name(program->graph, value), out_port);
  return TIR_OK;
}

// Through replacements: an output may name a value that a pass replaced.
tir_status tir_program_output(const tir_program *program, size_t index,
                              tir_port *out_port) {
  if (!program || !out_port || index >= program->n_outputs)
    return TIR_ERR_ARGUMENT;
  const tir_ir_graph *graph = program->graph;
  const tir_ir_output *output = &graph->outputs.data[index];
  tir_ir_fill_port(graph, tir_ir_resolve(graph, output->value),
                   tir_base_strings_text(&graph->strings, output->name),
                   out_port);
  return TIR_OK;
}
