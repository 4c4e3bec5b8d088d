// attention: shapes are brought to one matrix each of q, k, v and mask per
// leading index; the loops are in levels/attention_template.h.
//
// The blocks are a function of the shape alone, and each block of rows goes
// over the blocks of k in order: the same bits for any number of threads.
#include "exec/kernels/attention.h"

#include "exec/kernels/levels.h"
#include "ir/base/checked.h"

// Of one multiplication, and of one exponential with what belongs to it.
#define MULTIPLICATION 0.03
#define EXPONENTIAL 1.0

// Strides in elements of the leading axes of an operand with its last two
// axes, lined up with q's.
static void leading_strides(const tir_ir_type *in, int rank,
                            int64_t strides[TIR_MAX_RANK]) {
  int64_t stride = 1;
  for (int own = in->rank - 1; own >= 0; own--) {
    const int i = own + rank - in->rank;
    if (i < rank - 2) strides[i] = in->dims[own] == 1 ? 0 : stride;
    stride *= in->dims[own];
  }
}

// Stride of the axis `from_last` places before the last one.
static int64_t last_stride(const tir_ir_type *in, int from_last) {
  const int axis = in->rank - 1 - from_last;
  if (axis < 0 || in->dims[axis] == 1) return 0;
  return from_last == 0 ? 1 : in->dims[in->rank - 1];
}

// Operands are q, k, v, then mask and lengths where the attributes say so.
static void fill_params(const tir_exec_prepare *q,
                        tir_exec_attention_params *p) {
  const tir_attrs_attention *const attrs = q->attrs;
  const tir_ir_type *const x = &q->in[0], *const k = &q->in[1],
                           *const v = &q->in[2];
  p->m = x->dims[x->rank - 2];
  p->d = x->dims[x->rank - 1];
  p->n = k->dims[k->rank - 2];
  p->e = v->dims[v->rank - 1];
  p->rank = x->rank - 2;
  p->n_leading = 1;
  for (int i = 0; i < p->rank; i++) {
    p->dims[i] = x->dims[i];
    p->n_leading *= x->dims[i];
  }
  leading_strides(k, x->rank, p->k_strides);
  leading_strides(v, x->rank, p->v_strides);
  p->causal = attrs->causal != 0;
  p->has_mask = attrs->has_mask != 0;
  p->has_length = attrs->has_length != 0;
  if (p->has_mask) {
    leading_strides(&q->in[3], x->rank, p->mask_strides);
    p->mask_row = last_stride(&q->in[3], 1);
    p->mask_column = last_stride(&q->in[3], 0);
  }
  if (p->has_length) {
    p->length_arg = (uint32_t)q->n_in - 1;
    tir_exec_fill_indices(&q->in[p->length_arg], p->n, &p->lengths);
    if (p->lengths.n > 0) p->leading_per_length = p->n_leading / p->lengths.n;
  }
  p->out_arg = (uint32_t)q->n_in;
}

static tir_status attention_prepare(tir_exec_prepare *q) {
  enum { ROWS = TIR_EXEC_ATTENTION_ROWS, KEYS = TIR_EXEC_ATTENTION_KEYS };
  const tir_dtype dtype = q->in[0].dtype;
  const tir_exec_kernel_fn run =
      TIR_AT_LEVEL(tir_exec_attention, q->cpu_level)->attention[dtype];
  if (!run) return tir_exec_kernel_missing(q);
  tir_exec_attention_params *const p = tir_exec_kernel_params(q, sizeof *p);
  if (!p) return TIR_ERR_MEMORY;
  q->params = p;
  fill_params(q, p);
  if (tir_ir_type_numel(&q->out[0]) == 0) {
    q->run = tir_exec_kernel_nothing;
    return TIR_OK;
  }
  // Scores and products with v are small, so they never go to BLAS.
  p->gemm = TIR_AT_LEVEL(tir_exec_gemm, q->cpu_level)->gemm[dtype];
  p->blocks = (p->m + ROWS - 1) / ROWS;
  const int64_t rows = p->m < ROWS ? p->m : ROWS;
  const double products = MULTIPLICATION * (double)(p->d + p->e);
  p->per_unit =
      tir_exec_cut(q, p->n_leading * p->blocks,
                   (double)rows * (double)p->n * (products + EXPONENTIAL));
  // Scores, products with v, largest scores, sums.
  const size_t elem_size = tir_dtype_size(dtype);
  size_t e_bytes = 0, total = 0;
  // Scores sum over d, products over at most KEYS positions.
  p->pack_bytes = tir_exec_gemm_pack_bytes(p->d > KEYS ? p->d : KEYS);
  if (!tir_base_size_mul((size_t)p->e, ROWS * elem_size, &e_bytes) ||
      !tir_base_size_add(e_bytes, p->pack_bytes, &total) ||
      !tir_base_size_add(total, ROWS * (KEYS + 2) * elem_size, &total))
    return tir_base_fail(q->error, TIR_ERR_LIMIT,
                         "attention: scratch memory exceeds the address space");
  q->scratch_bytes = total;
  q->run = run;
  return TIR_OK;
}

const tir_exec_kernel_desc tir_kernel_attention = {.prepare =
                                                       attention_prepare};
