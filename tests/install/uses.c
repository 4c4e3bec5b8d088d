// The gradient of 2·x·x at 3 is 12, through the installed headers alone.
#include <stdio.h>
#include <tapeir/tapeir.h>

int main(void) {
  tir_context *context = NULL;
  tir_tape *tape = NULL;
  tir_error error = {0};
  if (tir_context_create(NULL, &context, &error) != TIR_OK) return 1;
  if (tir_tape_create(context, NULL, &tape, &error) != TIR_OK) return 1;
  const float three = 3;
  tir_value x = tir_value_from_data(tape, TIR_DTYPE_F32, NULL, 0, &three);
  tir_attach_grad(tape, x, TIR_GRAD_WRITE);
  tir_record_begin(tape, true);
  tir_value y = tir_mul_scalar(tape, tir_mul(tape, x, x), 2);
  tir_mode_end(tape);
  tir_backward(tape, y);
  const double gradient = tir_read_scalar(tape, tir_grad_of(tape, x));
  const tir_status status = tir_tape_check(tape, &error);
  printf("tapeir %s: %g %s\n", tir_version(), gradient, error.message);
  tir_tape_destroy(tape);
  tir_context_destroy(context);
  return status == TIR_OK && gradient == 12 ? 0 : 1;
}
