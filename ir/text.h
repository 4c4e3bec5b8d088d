// Text form: printed and parsed exactly. The grammar is docs/text-format.md.
#ifndef TAPEIR_IR_TEXT_H
#define TAPEIR_IR_TEXT_H

#include "ir/graph.h"
#include "ir/module.h"

// Growing text in a context's memory.
typedef struct tir_ir_text {
  tir_context *context;
  TIR_VEC(char) bytes;  // NUL-terminated once anything was added
  bool out_of_memory;   // sticky; checked once at the end
} tir_ir_text;

void tir_ir_text_init(tir_ir_text *text, tir_context *context);
void tir_ir_text_free(tir_ir_text *text);
void tir_ir_text_add(tir_ir_text *text, const char *format, ...)
    TIR_PRINTF(2, 3);
void tir_ir_text_bytes(tir_ir_text *text, const char *bytes, size_t size);
void tir_ir_text_word(tir_ir_text *text, const char *word);
void tir_ir_text_i64(tir_ir_text *text, int64_t x);
// Shortest decimal that reads back as the same f32 / f64; a NaN as its bits.
// The locale makes no difference, here and in reading.
// Value of a hex digit in either case, −1 for what is none.
int tir_ir_hex_digit(char c);
void tir_ir_text_float(tir_ir_text *text, double x, bool is_f32);
// One element of a tensor: shortest decimal, integer, true or false; NaNs as
// their bits, "0x7fc00000".
void tir_ir_text_element(tir_ir_text *text, tir_dtype dtype,
                         const void *element);
// The reverse of tir_ir_text_element. False if the text is no element of the
// dtype: malformed or out of range (a float too large becomes infinite).
bool tir_ir_read_element(const char *text, size_t size, tir_dtype dtype,
                         void *out_element);
// An integer in decimal; false if it is none or does not fit.
bool tir_ir_read_i64(const char *text, size_t size, int64_t *out);
// "…" with escapes.
void tir_ir_text_string(tir_ir_text *text, const char *bytes, size_t size);
// A letter or _, then letters, digits, _ and dots.
bool tir_ir_is_identifier(const char *bytes, size_t size);
// An identifier as it is, any other name as a string.
void tir_ir_text_name(tir_ir_text *text, const char *name);
// Moves the bytes out as one NUL-terminated allocation that remembers its
// size (free with tir_text_free); MEMORY if anything was lost.
tir_status tir_ir_text_finish(tir_ir_text *text, char **out_text,
                              tir_error *error);

// Called after each node's line; may add a comment to it ("  # …").
typedef void (*tir_ir_annotate)(void *user, const tir_ir_graph *graph,
                                tir_ir_node node, tir_ir_text *text);

enum {
  TIR_TEXT_LIST_MAX = 64,   // elements of a tensor printed as a list
  TIR_TEXT_HEX_BYTES = 32,  // per line of bytes
};

// Appends `graph @name(…) { … }`. Values print as %name if they carry a
// unique name, else %0, %1, … in order. Constants of more than
// TIR_TEXT_LIST_MAX elements print as `constant {data = "name.c0"}` and go to
// the data section.
void tir_ir_print_graph(const tir_ir_graph *graph, tir_ir_annotate annotate,
                        void *user, tir_ir_text *text);
// Data section of the graph's big constants: `data "name.c0" f32[1000] hex …`.
void tir_ir_print_data(const tir_ir_graph *graph, tir_ir_text *text);

// Contents of a tensor: `[1, 2, 3]`, or `hex …` when it has many elements.
void tir_ir_print_tensor(const tir_tensor *tensor, tir_ir_text *text);

// Parses graphs, data sections, parameters and metadata into a new module.
// Parameters of the text come with lines `param "w" f32[3, 1] {kind =
// trainable} [1, 2, 3]` (or `hex …`); without one, a graph's params are
// declared only: the module has no tensor. Every graph is published, that is
// verified. All nodes become history with every float input and parameter a
// variable, so a gradient call in the text expands.
// Errors carry the line.
tir_status tir_ir_parse(tir_context *context, const char *text, size_t size,
                        tir_module **out_module, tir_error *error);
// One graph only, for tests and tools.
tir_status tir_ir_parse_graph(tir_context *context, const char *text,
                              size_t size, tir_ir_graph **out_graph,
                              tir_error *error);

#endif
