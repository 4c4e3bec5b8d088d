// Copies between strided views: what all movement kernels come down to.
#ifndef TAPEIR_EXEC_KERNELS_STRIDED_H
#define TAPEIR_EXEC_KERNELS_STRIDED_H

#include "exec/kernels/call.h"

// One box of elements. Strides and offsets are in bytes; a source stride of 0
// repeats. No dims means one element.
typedef struct tir_exec_box {
  uint32_t from_arg, to_arg;
  int32_t rank;
  // What the innermost loops do; chosen by tir_exec_box_finish.
  int32_t form;
  // Only with FORM_TRANSPOSE.
  int32_t column;  // transposing: the dim along which the source is dense
  size_t elem_size;
  int64_t n;  // elements
  int64_t from_offset, to_offset;
  int64_t dims[TIR_MAX_RANK];
  int64_t from_strides[TIR_MAX_RANK];
  int64_t to_strides[TIR_MAX_RANK];
} tir_exec_box;

// Row-major strides in bytes of a dense type.
void tir_exec_dense_strides(const tir_ir_type *type,
                            int64_t strides[TIR_MAX_RANK]);
// Merges dims and chooses loops, once dims and strides are filled in.
void tir_exec_box_finish(tir_exec_box *box);
// Source and target must not overlap. Without elements it does nothing.
void tir_exec_box_copy(const tir_exec_box *box, const char *from, char *to);

// Block of a kernel that copies boxes, perhaps into zeros.
typedef struct tir_exec_boxes {
  size_t clear_bytes;  // of output to_arg, set to 0 first
  int64_t per_unit;    // boxes, or places along the first dim of the only one
  uint32_t clear_arg;
  size_t n;
  tir_exec_box box[];
} tir_exec_boxes;

// Block with room for n boxes; NULL when memory ran out.
tir_exec_boxes *tir_exec_boxes_params(tir_exec_prepare *q, size_t n);
// Cuts the copies, once all boxes are finished.
void tir_exec_boxes_cut(tir_exec_prepare *q, tir_exec_boxes *p);
tir_status tir_exec_boxes_run(const tir_exec_call *call);

#endif
