// Elementwise kernels with two operands, clip, and the sum of many.
//
// Loops are in levels/binary.c. What is decided here is the loop of a dtype,
// its cost, and for integer division the check that runs before it.
#include "exec/kernels/levels.h"

#define TIR_BINARY_KERNEL(name) TIR_COSTLY_BINARY_KERNEL(name, 1)
// `units` is the cost of an element beside that of an addition.
#define TIR_COSTLY_BINARY_KERNEL(name, units)                               \
  static tir_status name##_prepare(tir_exec_prepare *q) {                   \
    const tir_exec_level_binary *const level =                              \
        TIR_AT_LEVEL(tir_exec_binary, q->cpu_level);                        \
    q->cost = units;                                                        \
    return tir_exec_prepare_elementwise(q, 2, level->name[q->in[0].dtype]); \
  }                                                                         \
  const tir_exec_kernel_desc tir_kernel_##name = {.prepare = name##_prepare};

TIR_BINARY_KERNEL(add)
TIR_BINARY_KERNEL(sub)
TIR_BINARY_KERNEL(mul)
TIR_COSTLY_BINARY_KERNEL(pow, 16)
TIR_BINARY_KERNEL(maximum)
TIR_BINARY_KERNEL(minimum)

// Floats have no check: level->division is NULL for them, and x/0 is a value.
static tir_status div_prepare(tir_exec_prepare *q) {
  const tir_exec_level_binary *const level =
      TIR_AT_LEVEL(tir_exec_binary, q->cpu_level);
  const tir_dtype dtype = q->in[0].dtype;
  q->cost = 2;
  return tir_exec_prepare_checked(q, 2, level->div[dtype],
                                  level->division[dtype],
                                  "integer division by zero");
}

const tir_exec_kernel_desc tir_kernel_div = {.prepare = div_prepare};

// x, low, high.
static tir_status clip_prepare(tir_exec_prepare *q) {
  const tir_exec_level_binary *const level =
      TIR_AT_LEVEL(tir_exec_binary, q->cpu_level);
  return tir_exec_prepare_elementwise(q, 3, level->clip[q->in[0].dtype]);
}

const tir_exec_kernel_desc tir_kernel_clip = {.prepare = clip_prepare};

// --- add_n -------------------------------------------------------------------

// All operands have one type and no broadcasting, so there are no strides.
typedef struct add_n_params {
  tir_exec_loop add;
  int64_t n;
  size_t n_in;
  size_t elem_size;
  // Elements of a unit.
  int64_t per_unit;
} add_n_params;

// Sums in recorded order, block by block: the output may stand in the memory
// of any operand, so it is written when every operand of the block was read.
static tir_status add_n_run(const tir_exec_call *call) {
  const add_n_params *const p = call->params;
  _Alignas(64) char sum[TIR_EXEC_BLOCK * 8];
  char *const out = tir_exec_arg(call, p->n_in);
  const tir_exec_span span = tir_exec_span_of(call, p->n, p->per_unit);
  for (int64_t i = span.first; i < span.end; i += TIR_EXEC_BLOCK) {
    const int64_t m =
        span.end - i < TIR_EXEC_BLOCK ? span.end - i : TIR_EXEC_BLOCK;
    const size_t at = (size_t)i * p->elem_size;
    const char *first = tir_exec_arg(call, 0);
    const void *left = first + at;
    for (size_t k = 1; k < p->n_in; k++) {
      const char *const right = tir_exec_arg(call, k);
      void *const to = k + 1 == p->n_in ? (void *)(out + at) : sum;
      // In place on `sum` but for the last term, which goes out.
      p->add(m, to, left, right + at, NULL);
      left = sum;
    }
    // A sum of one term is that term, bit for bit.
    if (p->n_in == 1)
      tir_exec_copy_bytes(out + at, left, (size_t)m * p->elem_size);
  }
  return TIR_OK;
}

static tir_status add_n_prepare(tir_exec_prepare *q) {
  const tir_exec_level_binary *const level =
      TIR_AT_LEVEL(tir_exec_binary, q->cpu_level);
  const tir_exec_loop add = level->add[q->in[0].dtype];
  if (!add) return tir_exec_kernel_missing(q);
  // As a part of a fused step it gives the loop of two operands; fuse.c makes
  // the chain.
  q->cost = (double)q->n_in;
  if (q->is_part) {
    q->loop = add;
    return TIR_OK;
  }
  add_n_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  p->add = add;
  p->n = tir_ir_type_numel(&q->out[0]);
  p->n_in = q->n_in;
  p->elem_size = tir_dtype_size(q->out[0].dtype);
  p->per_unit = tir_exec_cut(q, p->n, q->cost);
  q->run = add_n_run;
  q->params = p;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_add_n = {.prepare = add_n_prepare};
