// Elementwise kernels: one loop per op and dtype over contiguous memory, and
// one driver that feeds it with broadcast operands.
//
// A broadcast operand is expanded into a block on the stack, so each op has a
// single loop: every path through the driver gives the same bits.
#ifndef TAPEIR_EXEC_KERNELS_ELEMENTWISE_H
#define TAPEIR_EXEC_KERNELS_ELEMENTWISE_H

#include "exec/kernels/call.h"

enum { TIR_EXEC_MAX_OPERANDS = 3, TIR_EXEC_BLOCK = 512 };

// Position of the first element that has no result, or n. Runs before the loop
// and writes nothing.
typedef int64_t (*tir_exec_check)(int64_t n, const void *a, const void *b);

// Output and operands of an elementwise op after dims that no operand tells
// apart were merged. Strides are in bytes; along the last dim each is the
// element size or 0.
typedef struct tir_exec_elementwise {
  tir_exec_loop loop;
  tir_exec_check check;    // NULL: every element has a result
  const char *check_text;  // "integer division by zero"
  int64_t n;               // elements of the output
  int64_t per_unit;        // elements
  int32_t n_in;
  uint32_t out_arg;  // entry of the output among the arguments
  int32_t rank;      // of dims, at least 1
  int64_t dims[TIR_MAX_RANK];
  int64_t strides[TIR_EXEC_MAX_OPERANDS][TIR_MAX_RANK];
  size_t sizes[TIR_EXEC_MAX_OPERANDS];  // of elements
  size_t out_size;
} tir_exec_elementwise;

// Merges dims, cuts, chooses the driver and fills q's answers. q->cost is that
// of one element, 0 meaning 1: an addition. `n_in` may be less
// than q->n_in when later operands are not data. A NULL `loop` means there is
// no kernel for this dtype.
tir_status tir_exec_prepare_elementwise(tir_exec_prepare *q, size_t n_in,
                                        tir_exec_loop loop);
// The same for ops that fail on some elements.
tir_status tir_exec_prepare_checked(tir_exec_prepare *q, size_t n_in,
                                    tir_exec_loop loop, tir_exec_check check,
                                    const char *check_text);

// One element of `size` bytes, n times.
void tir_exec_fill(char *to, const char *element, size_t size, int64_t n);
// One operand broadcast to a type, for those who have no loop for it.
void tir_exec_broadcast(const tir_ir_type *in, const tir_ir_type *out,
                        tir_exec_elementwise *p);
// Every element is where it is in the operand / is the operand's only one.
bool tir_exec_is_flat(const tir_exec_elementwise *p);
bool tir_exec_is_scalar(const tir_exec_elementwise *p);
// Elements first … first + n − 1 of the result, which has at least one.
void tir_exec_expand(const tir_exec_elementwise *p, const char *from,
                     int64_t first, int64_t n, char *to);

#endif
