// Attributes through their schema: what printer, parser, files, passes and
// the verifier share, so that none of them knows a particular op.
#ifndef TAPEIR_IR_ATTR_H
#define TAPEIR_IR_ATTR_H

#include "ir/op.h"

// Bytes that hold the attributes of any op.
enum { TIR_MAX_ATTRS_SIZE = 256 };
typedef union tir_ir_any_attrs {
  uint64_t words[TIR_MAX_ATTRS_SIZE / 8];
  tir_ir_ints align;
} tir_ir_any_attrs;

// Field of an attribute struct.
static inline const void *tir_ir_attr_field(const tir_ir_attr *attr,
                                            const void *attrs) {
  return (const char *)attrs + attr->offset;
}

// Bytes the field takes.
size_t tir_ir_attr_size(const tir_ir_attr *attr);
// The bytes that mean something: a list without its unused entries.
size_t tir_ir_attr_used(const tir_ir_attr *attr, const void *attrs);
// Writes a label (the text and zeros); false if `text` is none.
bool tir_ir_label_set(tir_ir_label *label, const char *text, size_t size);

// The name that tells nodes of the op apart in messages, with a space before
// it: " acme.soft" of a custom op. "" if there is none.
const char *tir_ir_attrs_label(const tir_op_desc *desc, const void *attrs,
                               char buffer[sizeof(tir_ir_label) + 1]);

// By name, NULL if the op has none of that name.
const tir_ir_attr *tir_ir_attr_find(const tir_op_desc *desc, const char *name,
                                    size_t size);
// All fields to their defaults, everything else to zero.
void tir_ir_attrs_default(const tir_op_desc *desc, void *attrs);
// Is the field at its default (and may it be left out)?
bool tir_ir_attr_is_default(const tir_ir_attr *attr, const void *attrs);
// Bit for bit: −0 differs from +0, a NaN equals itself.
bool tir_ir_attrs_equal(const tir_op_desc *desc, const void *a, const void *b);
// Equal attributes have equal hashes.
uint64_t tir_ir_attrs_hash(const tir_op_desc *desc, const void *attrs);
// What every kind demands by itself: a bool is 0 or 1, a dtype exists, a list
// has 0 to TIR_MAX_RANK entries, a label its form. Ranges an op wants are for
// its infer.
tir_status tir_ir_attrs_check(const tir_op_desc *desc, const void *attrs,
                              tir_error *error);

#endif
