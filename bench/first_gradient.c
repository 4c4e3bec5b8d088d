// W8: the least a program does to get a gradient. Timed as a whole process.
#include <stdio.h>

#include "tapeir/tapeir.h"

int main(void) {
  static const float data[] = {0, 1, 2, 3};
  const int64_t dims[] = {4, 1};
  tir_error error;
  tir_context *c;
  tir_tape *t;
  if (tir_context_create(NULL, &c, &error) ||
      tir_tape_create(c, NULL, &t, &error))
    return 1;
  const tir_value x = tir_value_from_data(t, TIR_DTYPE_F32, dims, 2, data);
  tir_attach_grad(t, x, TIR_GRAD_WRITE);
  tir_record_begin(t, true);
  const tir_value y =
      tir_mul_scalar(t, tir_dot(t, tir_transpose(t, x, NULL, 0), x), 2);
  tir_mode_end(t);
  tir_backward(t, y);
  float grad[4];
  if (tir_read_into(t, tir_grad_of(t, x), grad, sizeof grad, &error)) return 1;
  tir_tape_destroy(t);
  tir_context_destroy(c);
  return grad[3] != 12;
}
