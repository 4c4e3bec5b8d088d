// A small transformer over characters: pre-norm blocks, causal attention.
#ifndef CHAR_MODEL_H
#define CHAR_MODEL_H

#include "tapeir/tapeir.h"

enum { LENGTH = 48, WIDTH = 64, HEADS = 4, LAYERS = 2 };

// Ends the program with the message if a call failed.
void check(tir_status status);

// What the functions below work on.
extern tir_context *c;
extern tir_tape *t;
extern tir_module *m;
extern tir_error error;

// Adds the parameters, what AdamW keeps of them, and the states that hold keys
// and values.
void build(int64_t n_kinds);
// Logits [batch, rows, n_kinds] of `rows` tokens that stand from `start` on.
// Cached: keys and values go to the states, and those before are seen there.
tir_value model(tir_value tokens, int64_t batch, int64_t rows, tir_value start,
                bool cached);
// Variables of a training step, and the step once they have gradients.
void want_gradients(void);
void update(void);

#endif
