// Copies between strided views: what all movement kernels come down to.
#ifndef TAPEIR_EXEC_KERNELS_STRIDED_H
#define TAPEIR_EXEC_KERNELS_STRIDED_H

#include "exec/kernels/call.h"

// A value has no more dims, but the gaps of a stepped axis are one of two.
enum { TIR_EXEC_BOX_RANK = TIR_MAX_RANK + 1 };

// Instead of an operand: zeros, with strides of 0.
#define TIR_EXEC_ZEROS UINT32_MAX

// One box of elements. Strides and offsets are in bytes; a source stride of 0
// repeats. No dims means one element.
typedef struct tir_exec_box {
  uint32_t from_arg;
  int32_t rank;
  // What the innermost loops do; chosen by tir_exec_box_finish.
  int32_t form;
  // Only with FORM_TRANSPOSE.
  int32_t column;  // transposing: the dim along which the source is dense
  size_t elem_size;
  int64_t n;  // elements
  int64_t from_offset, to_offset;
  int64_t dims[TIR_EXEC_BOX_RANK];
  int64_t from_strides[TIR_EXEC_BOX_RANK];
  int64_t to_strides[TIR_EXEC_BOX_RANK];
  // Units: ranges of places along one dim.
  int32_t cut;
  int64_t per_unit, first_unit;
} tir_exec_box;

// Row-major strides in bytes of a dense type.
void tir_exec_dense_strides(const tir_ir_type *type,
                            int64_t strides[TIR_MAX_RANK]);
// Merges dims and chooses loops, once dims and strides are filled in.
void tir_exec_box_finish(tir_exec_box *box);
// Source and target must not overlap. Without elements it does nothing.
void tir_exec_box_copy(const tir_exec_box *box, const char *from, char *to);

// Block of a kernel that copies boxes, of which no two write the same place.
typedef struct tir_exec_boxes {
  uint32_t out_arg;
  size_t n;
  tir_exec_box box[];
} tir_exec_boxes;

// Block with room for n boxes; NULL when memory ran out.
tir_exec_boxes *tir_exec_boxes_params(tir_exec_prepare *q, size_t n);
// The most that tir_exec_boxes_surround appends, for each axis.
enum { TIR_EXEC_BOXES_PER_AXIS = 3 };
// Of a part of the result: places start, start + step, … of each axis.
typedef struct tir_exec_part {
  int64_t start, step, count;
} tir_exec_part;
// Appends the boxes that fill what is around a part, with the only element of
// `from_arg`.
void tir_exec_boxes_surround(tir_exec_boxes *p, const tir_ir_type *whole,
                             const tir_exec_part *part, uint32_t from_arg);
// Cuts the copies, once all boxes are finished.
void tir_exec_boxes_cut(tir_exec_prepare *q, tir_exec_boxes *p);

#endif
