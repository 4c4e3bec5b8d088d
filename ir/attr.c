// Attributes through their schema. Structs have no padding (ir/attrs.h), but
// entries of a list past its length are not looked at.
#include "ir/attr.h"

#include <inttypes.h>
#include <string.h>

#include "ir/base/hash.h"

// Fields are read by memcpy: their static type is the op's struct, which
// generic code does not know.
static int64_t load_i64(const tir_ir_attr *attr, const void *attrs) {
  int64_t value;
  memcpy(&value, tir_ir_attr_field(attr, attrs), sizeof value);
  return value;
}

static const tir_ir_ints *load_ints(const tir_ir_attr *attr,
                                    const void *attrs) {
  return tir_ir_attr_field(attr, attrs);
}

// Linear: ops have a handful of attributes, and text and files name them once.
const tir_ir_attr *tir_ir_attr_find(const tir_op_desc *desc, const char *name,
                                    size_t size) {
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const char *there = desc->attrs[i].name;
    if (strlen(there) == size && memcmp(there, name, size) == 0)
      return &desc->attrs[i];
  }
  return NULL;
}

// Lists have no default but the empty one, which zero bytes already are.
void tir_ir_attrs_default(const tir_op_desc *desc, void *attrs) {
  if (desc->attrs_size) memset(attrs, 0, desc->attrs_size);
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    char *field = (char *)attrs + attr->offset;
    if (attr->kind == TIR_ATTR_F64)
      memcpy(field, &attr->default_f64, sizeof attr->default_f64);
    else if (attr->kind != TIR_ATTR_INTS)
      memcpy(field, &attr->default_i64, sizeof attr->default_i64);
  }
}

// Compared as bits, so that −0 and a NaN count as what they are. A required
// attribute is always written.
bool tir_ir_attr_is_default(const tir_ir_attr *attr, const void *attrs) {
  if (attr->required) return false;
  const void *field = tir_ir_attr_field(attr, attrs);
  switch (attr->kind) {
    case TIR_ATTR_F64:
      return memcmp(field, &attr->default_f64, sizeof(double)) == 0;
    case TIR_ATTR_INTS:
      return load_ints(attr, attrs)->n == 0;
    default:
      return memcmp(field, &attr->default_i64, sizeof(int64_t)) == 0;
  }
}

// Bytes of a field that mean something.
static size_t field_size(const tir_ir_attr *attr, const void *attrs) {
  if (attr->kind != TIR_ATTR_INTS) return sizeof(int64_t);
  const int64_t n = load_ints(attr, attrs)->n;
  const size_t n_used = n < 0 || n > TIR_MAX_RANK ? TIR_MAX_RANK : (size_t)n;
  return (1 + n_used) * sizeof(int64_t);
}

bool tir_ir_attrs_equal(const tir_op_desc *desc, const void *a, const void *b) {
  // Structure ops keep words that no schema describes.
  if (desc->n_attrs == 0) return memcmp(a, b, desc->attrs_size) == 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    // The length of a list is its first word, so a shorter one differs there.
    if (memcmp(tir_ir_attr_field(attr, a), tir_ir_attr_field(attr, b),
               field_size(attr, a)) != 0)
      return false;
  }
  return true;
}

// Attributes that compare equal hash equal: both look at the same bytes.
uint64_t tir_ir_attrs_hash(const tir_op_desc *desc, const void *attrs) {
  if (desc->n_attrs == 0)
    return desc->attrs_size ? tir_base_hash(attrs, desc->attrs_size) : 0;
  uint64_t hash = 0;
  for (size_t i = 0; i < desc->n_attrs; i++) {
    const tir_ir_attr *attr = &desc->attrs[i];
    const uint64_t field =
        tir_base_hash(tir_ir_attr_field(attr, attrs), field_size(attr, attrs));
    hash = hash * 0x9e3779b97f4a7c15u + field;
  }
  return hash;
}

// Only what the kind itself forbids; ranges are the op's affair.
static tir_status check_field(const tir_op_desc *desc, const tir_ir_attr *attr,
                              const void *attrs, tir_error *error) {
  const int64_t value = load_i64(attr, attrs);
  switch (attr->kind) {
    case TIR_ATTR_BOOL:
      if (value == 0 || value == 1) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s is %" PRId64 ", expected 0 or 1", desc->name,
                           attr->name, value);
    case TIR_ATTR_DTYPE:
      if (value > 0 && value < TIR_N_DTYPES) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s is %" PRId64 ", which is no dtype",
                           desc->name, attr->name, value);
    case TIR_ATTR_INTS:
      if (value >= 0 && value <= TIR_MAX_RANK) return TIR_OK;
      return tir_base_fail(error, TIR_ERR_ARGUMENT,
                           "%s: %s has %" PRId64 " entries, expected 0 to %d",
                           desc->name, attr->name, value, TIR_MAX_RANK);
    default:
      return TIR_OK;
  }
}

tir_status tir_ir_attrs_check(const tir_op_desc *desc, const void *attrs,
                              tir_error *error) {
  for (size_t i = 0; i < desc->n_attrs; i++)
    TIR_TRY(check_field(desc, &desc->attrs[i], attrs, error));
  return TIR_OK;
}
