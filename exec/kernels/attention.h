// Attention: block of parameters, which the loops of all levels read.
#ifndef TAPEIR_EXEC_KERNELS_ATTENTION_H
#define TAPEIR_EXEC_KERNELS_ATTENTION_H

#include "exec/kernels/gemm.h"
#include "exec/kernels/indexing.h"

// Rows of q and positions of k that are looked at together.
enum { TIR_EXEC_ATTENTION_ROWS = 48, TIR_EXEC_ATTENTION_KEYS = 128 };

// q [leading, m, d], k [leading, n, d], v [leading, n, e], out [leading, m, e].
typedef struct tir_exec_attention_params {
  int64_t m, n, d, e;
  int64_t n_leading;  // indices of q's leading axes
  int64_t blocks;     // of rows, per leading index
  int64_t per_unit;   // blocks, of all leading indices
  bool causal, has_mask, has_length;
  // Strides in elements of leading axes, 0 where an operand is repeated.
  int32_t rank;
  int64_t dims[TIR_MAX_RANK];
  int64_t k_strides[TIR_MAX_RANK];
  int64_t v_strides[TIR_MAX_RANK];
  int64_t mask_strides[TIR_MAX_RANK];
  // Of the mask's last two axes, 0 where it is repeated.
  int64_t mask_row, mask_column;
  // How many of the n positions are valid, for every leading_per_length
  // indices.
  tir_exec_indices lengths;
  int64_t leading_per_length;
  uint32_t length_arg, out_arg;
  tir_exec_gemm_fn gemm;
  size_t pack_bytes;
} tir_exec_attention_params;

typedef struct tir_exec_level_attention {
  tir_exec_kernel_fn attention[TIR_N_DTYPES];
} tir_exec_level_attention;

#endif
