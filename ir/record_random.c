// Streams: which numbers a random node draws.
//
// Outside of bodies a stream is the ordinal of the draw in its step. A body is
// recorded once and run many times, so in there a stream is computed: from a
// root, an input of the body that every trip gives another value. It is a carry
// of its node, as any: a backward loop, which is given the carries before each
// trip, draws what the forward one drew.
//
//   root of trip 0         ENTER * s + ENTRY, where s is the stream of the
//                          control node, a draw like any other outside
//   root of the next trip  root + TRIP
//   draw j of a trip       root + j
//
// All modulo 2^64. Reduced lattices of these numbers prove that no two streams
// agree in a step of 2^10 draws and 2^10 loops that make 2^32 trips of 2^10
// draws each; and with loops in loops, of 2^6 draws, 2^6 loops and 2^14 trips
// on either level.
#include "ir/record.h"
#include "tapeir/ops.h"
#define TIR_NO_SITES
#include "tapeir/sites.h"

static const uint64_t ENTER = 0xD1342543DE82EF95u;
static const uint64_t ENTRY = 0x94D049BB133111EBu;
static const uint64_t TRIP = 0xBF58476D1CE4E5B9u;

// A literal of all 64 bits, which a double could not hold.
static tir_value number(tir_tape *tape, uint64_t bits) {
  const tir_attrs_constant attrs = {.bits = bits};
  const tir_ir_type type = {.dtype = TIR_DTYPE_I64};
  return tir_ir_record_declared(tape, TIR_OP_CONSTANT, &attrs, &type, NULL);
}

static tir_value root(tir_tape *tape) {
  return tir_ir_handle(tape, tape->body->root);
}

// Of the next draw.
static tir_value stream(tir_tape *tape) {
  const uint32_t ordinal = tape->n_random++;
  if (!tape->body) return number(tape, ordinal);
  if (!ordinal) return root(tape);
  return tir_add(tape, root(tape), number(tape, ordinal));
}

// One for all bodies, so it is made outside of them.
static tir_value state(tir_tape *tape) {
  if (!tape->random_state)
    return tir_ir_keep_error(tape, "random", TIR_ERR_STATE,
                             "this recorder has no random state");
  if (!tape->body) return tape->random_state(tape);
  const tir_ir_outside inside = tir_ir_outside_begin(tape);
  return tir_ir_outside_end(tape, inside, tape->random_state(tape));
}

void tir_ir_random_operands(tir_tape *tape, tir_value *out_state,
                            tir_value *out_stream) {
  *out_state = state(tape);
  *out_stream = stream(tape);
}

// The product is taken here where the stream is known. On a live tape the
// literal is then an operand of the node, so a later one compiles nothing anew.
tir_value tir_ir_random_root(tir_tape *tape) {
  if (!tape->body) return number(tape, ENTER * tape->n_random++ + ENTRY);
  const tir_value scaled = tir_mul(tape, stream(tape), number(tape, ENTER));
  return tir_add(tape, scaled, number(tape, ENTRY));
}

tir_value tir_ir_random_next_root(tir_tape *tape) {
  return tir_add(tape, root(tape), number(tape, TRIP));
}
