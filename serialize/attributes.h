// Attributes of a node between their C struct and the file, driven by the op's
// schema: nothing here knows an op.
#ifndef TAPEIR_SERIALIZE_ATTRIBUTES_H
#define TAPEIR_SERIALIZE_ATTRIBUTES_H

#include "ir/op.h"
#include "tapeir.pb-c.h"

enum { TIR_SER_MAX_ATTRS = 16 };

// Messages for the attributes of one node; they point into each other and to
// the schema, not to the heap.
typedef struct tir_ser_attrs {
  Tapeir__Attribute messages[TIR_SER_MAX_ATTRS];
  Tapeir__Integers integers[TIR_SER_MAX_ATTRS];
  int64_t values[TIR_SER_MAX_ATTRS][TIR_MAX_RANK];
  Tapeir__Reals reals[TIR_SER_MAX_ATTRS];
  double numbers[TIR_SER_MAX_ATTRS][TIR_MAX_RANK];
  Tapeir__Attribute *list[TIR_SER_MAX_ATTRS];
  size_t n;
} tir_ser_attrs;

// The attributes that differ from their default, in the schema's order.
tir_status tir_ser_attrs_encode(const tir_op_desc *desc, const void *attrs,
                                tir_ser_attrs *out_attrs, tir_error *error);
// Fills the struct (desc->attrs_size bytes). An attribute the op does not have,
// of another kind, twice, or a missing required one is an error naming it.
tir_status tir_ser_attrs_decode(const tir_op_desc *desc,
                                Tapeir__Attribute *const *list, size_t n,
                                void *out_attrs, tir_error *error);

#endif
