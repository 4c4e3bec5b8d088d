// From values to C: reading, formatting, flushing, ending steps.
//
// Every reader goes through `fetch`, which runs what the value needs and
// nothing else that is no effect. Errors of the recording come out here first:
// a tape in error runs nothing.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exec/live.h"
#include "ir/base/tensor.h"
#include "ir/text.h"

// C control flow over a capture's values would be lost: says which value.
static tir_status fail_in_capture(tir_tape *tape, tir_value value,
                                  const char *call, tir_error *error) {
  const tir_ir_value v = tir_ir_peek(tape, value);
  char name[TIR_QUOTED_MAX + 1] = "", place[TIR_PLACE_MAX] = "";
  if (v.id) {
    tir_ir_name_text(tape->graph, v, name);
    tir_ir_place_text(tape->graph, v, place);
  }
  return tir_base_fail(error, TIR_ERR_STATE,
                       "%s: value%s%s of a capture has no data: a live tape "
                       "re-traces C control flow, a capture does not",
                       call, name, place);
}

// The value's data, run if need be. On success *out_data is borrowed and
// valid until the next call on the tape; a literal gives its one element with
// *out_repeat set.
static tir_status fetch(tir_tape *tape, tir_value value, const char *call,
                        tir_ir_type *out_type, const void **out_data,
                        bool *out_repeat, tir_error *error) {
  if (!tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "%s: tape is NULL", call);
  if (tape->error.status != TIR_OK) {
    if (error) *error = tape->error;
    return tape->error.status;
  }
  if (tape->body)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "%s: a value in the body of a %s has no data: it is "
                         "recorded once for all trips",
                         call, tape->body->op);
  if (tape->capture) return fail_in_capture(tape, value, call, error);
  tir_live *live = tir_live_of(tape);
  const tir_ir_value v = tir_ir_use(tape, value, call, "value");
  if (!v.id) return tir_tape_check(tape, error);
  const tir_live_value *data = &live->root.values.data[v.id];
  if (data->state == TIR_LIVE_PENDING)
    TIR_TRY(tir_live_run(live, &v.id, 1, error));
  data = &live->root.values.data[v.id];
  tir_ir_type_of(tape->graph, v, out_type);
  *out_repeat = false;
  if (data->buffer) {
    *out_data = data->buffer->data;
    return TIR_OK;
  }
  const tir_ir_node n = tir_ir_producer(tape->graph, v);
  if (tir_ir_op(tape->graph, n) == TIR_OP_CONSTANT) {
    // The element's bits come first in the attributes of a constant.
    *out_data = tir_ir_attrs(tape->graph, n);
    *out_repeat = true;
    return TIR_OK;
  }
  return tir_base_fail(error, TIR_ERR_STATE,
                       "%s: the value was lost in a run that failed", call);
}

// `to` has room for the whole type.
static void copy_out(const tir_ir_type *type, const void *from, bool repeat,
                     void *to) {
  const size_t bytes = tir_ir_type_bytes(type);
  const size_t size = tir_dtype_size(type->dtype);
  if (!repeat) {
    if (bytes) memcpy(to, from, bytes);
    return;
  }
  for (size_t at = 0; at < bytes; at += size)
    memcpy((uint8_t *)to + at, from, size);
}

// A copy: the value's own memory may be overwritten by the next assign.
tir_status tir_read(tir_tape *tape, tir_value value, tir_tensor **out_tensor,
                    tir_error *error) {
  if (!out_tensor)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "read: out_tensor is NULL");
  *out_tensor = NULL;
  tir_ir_type type;
  const void *data = NULL;
  bool repeat = false;
  TIR_TRY(fetch(tape, value, "read", &type, &data, &repeat, error));
  TIR_TRY(tir_tensor_create(tape->context, type.dtype, type.dims, type.rank,
                            out_tensor, error));
  copy_out(&type, data, repeat, (*out_tensor)->data);
  return TIR_OK;
}

tir_status tir_read_into(tir_tape *tape, tir_value value, void *data,
                         size_t size_bytes, tir_error *error) {
  tir_ir_type type;
  const void *from = NULL;
  bool repeat = false;
  TIR_TRY(fetch(tape, value, "read_into", &type, &from, &repeat, error));
  // The run is not undone by a wrong size: effects have happened.
  if (tir_ir_type_bytes(&type) != size_bytes)
    return tir_base_fail(error, TIR_ERR_ARGUMENT,
                         "read_into: %zu bytes given, the value has %zu",
                         size_bytes, tir_ir_type_bytes(&type));
  if (!data && size_bytes)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "read_into: data is NULL");
  copy_out(&type, from, repeat, data);
  return TIR_OK;
}

// NaN on an error, which the tape keeps, because there is no status to return.
static double read_scalar(tir_tape *tape, tir_value value, const char *call) {
  tir_ir_type type;
  const void *data = NULL;
  bool repeat = false;
  tir_error error;
  const tir_status status =
      fetch(tape, value, call, &type, &data, &repeat, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, NULL, status, "%s", error.message);
    return (double)NAN;
  }
  if (tir_ir_type_numel(&type) != 1) {
    char text[TIR_TYPE_TEXT_MAX];
    tir_ir_keep_error(tape, call, TIR_ERR_SHAPE,
                      "a value of shape %s has no single element",
                      tir_ir_shape_text(&type, text));
    return (double)NAN;
  }
  return tir_ir_load_f64(type.dtype, data);
}

double tir_read_scalar(tir_tape *tape, tir_value value) {
  return read_scalar(tape, value, "read_scalar");
}

bool tir_read_bool(tir_tape *tape, tir_value value) {
  const double x = read_scalar(tape, value, "read_bool");
  // NaN is true as a number, but not the NaN of an error.
  return tape && tape->error.status == TIR_OK && x != 0;
}

// In a body or a capture nothing ever runs, so there it is an error.
tir_status tir_tape_flush(tir_tape *tape, tir_error *error) {
  if (!tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "tape_flush: tape is NULL");
  if (tape->error.status != TIR_OK) {
    if (error) *error = tape->error;
    return tape->error.status;
  }
  if (tape->body)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "tape_flush: it has no place in the body of a %s",
                         tape->body->op);
  if (tape->capture)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "tape_flush: a capture is going on");
  return tir_live_flush(tir_live_of(tape), error);
}

tir_status tir_step_end(tir_tape *tape, const tir_value *keep, size_t n_keep,
                        tir_error *error) {
  if (!tape)
    return tir_base_fail(error, TIR_ERR_ARGUMENT, "step_end: tape is NULL");
  if (tape->body)
    return tir_base_fail(error, TIR_ERR_STATE,
                         "step_end: it has no place in the body of a %s",
                         tape->body->op);
  // Kept values move to the scope outside before this one takes its handles
  // along.
  for (size_t i = 0; i < n_keep && tape->error.status == TIR_OK; i++)
    tir_keep(tape, keep[i]);
  if (!tir_ir_scope_may_end(tape, "step_end", true)) {
    if (error) *error = tape->error;
    return tape->error.status;
  }
  tir_live *live = tir_live_of(tape);
  const tir_ir_scope scope = tape->scopes.data[tape->scopes.count - 1];
  tir_ir_scope_pop(tape);
  // A step of a capture is only a scope: it has no run and no number.
  if (tape->capture) return TIR_OK;
  tir_status status = tape->error.status;
  if (status == TIR_OK)
    // The handles are gone, so what is still owned is what goes on living: kept
    // values, variables, states.
    status = tir_live_flush(live, error);
  else if (error)
    *error = tape->error;
  // The next step draws other numbers.
  live->step++;
  if (live->random_state) tir_live_disown(tape, live->random_state);
  live->random_state = 0;
  // Last: collecting moves ids.
  tir_live_collect(live, &scope);
  return status;
}

// --- text ------------------------------------------------------------------

// Fewer digits than would tell all numbers apart: the text is for people.
static void add_element(tir_ir_text *text, const tir_ir_type *type,
                        const void *element) {
  if (tir_ir_dtype_is_integer(type->dtype)) {
    tir_ir_text_add(text, "%lld",
                    (long long)tir_ir_load_i64(type->dtype, element));
    return;
  }
  const double x = tir_ir_load_f64(type->dtype, element);
  if (type->dtype == TIR_DTYPE_BOOL) {
    tir_ir_text_add(text, "%s", x != 0 ? "true" : "false");
    return;
  }
  // As NumPy prints arrays: whole numbers keep their point.
  char number[TIR_NUMBER_MAX];
  tir_base_number(x, type->dtype == TIR_DTYPE_F64 ? 12 : 7, number);
  const bool plain = strspn(number, "-0123456789") == strlen(number);
  tir_ir_text_add(text, "%s%s", number, plain ? "." : "");
}

// Brackets open where an index becomes 0 and close where it wraps.
static void add_elements(tir_ir_text *text, const tir_ir_type *type,
                         const void *data, bool repeat) {
  const int64_t n = tir_ir_type_numel(type);
  const size_t size = tir_dtype_size(type->dtype);
  if (n == 0) {
    tir_ir_text_add(text, "[]");
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t inner = 1;
    int opened = 0, closed = 0;
    for (int axis = type->rank - 1; axis >= 0; axis--) {
      inner *= type->dims[axis];
      opened += i % inner == 0;
      closed += i % inner == inner - 1;
    }
    if (i) tir_ir_text_add(text, " ");
    while (opened-- > 0) tir_ir_text_add(text, "[");
    add_element(text, type,
                (const uint8_t *)data + (repeat ? 0 : (size_t)i * size));
    while (closed-- > 0) tir_ir_text_add(text, "]");
  }
}

// As snprintf: the length of the whole text, whatever the buffer holds. 0 on an
// error, which the tape keeps.
size_t tir_format_value(tir_tape *tape, tir_value value, char *buffer,
                        size_t size) {
  if (buffer && size) buffer[0] = '\0';
  tir_ir_type type;
  const void *data = NULL;
  bool repeat = false;
  tir_error error;
  const tir_status status =
      fetch(tape, value, "format_value", &type, &data, &repeat, &error);
  if (status != TIR_OK) {
    tir_ir_keep_error(tape, NULL, status, "%s", error.message);
    return 0;
  }
  tir_ir_text text;
  tir_ir_text_init(&text, tape->context);
  add_elements(&text, &type, data, repeat);
  size_t n = 0;
  if (text.out_of_memory) {
    tir_ir_keep_error(tape, "format_value", TIR_ERR_MEMORY,
                      "out of memory for the text");
  } else {
    n = strlen(text.bytes.data);
    if (buffer && size) snprintf(buffer, size, "%s", text.bytes.data);
  }
  tir_ir_text_free(&text);
  return n;
}
